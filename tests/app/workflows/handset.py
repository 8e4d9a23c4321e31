"""A real replica that talks to the county over HTTP, and counts what it receives."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core.database import Mode
from app.core.driver import driver
from app.core.engine import Engine
from app.core.identifiers import new_id
from sync.digest import as_hex, scope_digest
from sync.replica import Instant, Replica
from tests.app.core.county import County

ROUNDS_MAX = 200
FRAME_BYTES = 1_200
KINDS = (
    "household", "contact", "task", "incident", "conflict", "consent", "service_person", "visit",
    "household_act",
)  # fmt: skip
Rows = dict[tuple[str, str], tuple[int, dict[str, Any]]]


@dataclass
class Traffic:
    """What one sync brought.

    Attributes:
        received: bytes of all answers as they came.
        records: bytes of the records among them.
    """

    received: int = 0
    records: int = 0
    pages: int = 0
    puts: list[tuple[str, str]] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    receipts: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def beyond_frames(self) -> int:
        """Return the bytes that are no frame of a page."""
        return max(0, self.received - FRAME_BYTES * self.pages)


class Handset:
    """A phone of somebody in the county."""

    def __init__(self, county: County, who: str) -> None:
        self.county = county
        phone = county.another_phone(who)
        self.who = phone.who
        self.replica = Replica(driver.connect(":memory:"))
        self.replica.take_device(phone.device)
        self.ahead_ms = 0

    def now(self) -> Instant:
        """Return the clocks of the phone."""
        ms = time.time_ns() // 1_000_000 + self.ahead_ms
        return Instant(ms, ms, "boot")

    def later(self) -> None:
        """Let time pass on the phone, more than a trip to the server takes."""
        self.ahead_ms += 5_000

    def edit(self, op: str, kind: str, rec: str | None = None, /, **values: Any) -> str:
        """Make an edit offline and return its id; of a creation that of the record."""
        name, record = new_id(), rec or new_id()
        self.replica.edit(op, kind, record, values, edit_id=name, now=self.now())
        time.sleep(0.005)
        return record if op == "create" else name

    def exchange(self, want_bytes: int = 65_536) -> tuple[Mapping[str, Any], int]:
        """Make one exchange; return the answer and its size."""
        request, sent = self.replica.request(want_bytes=want_bytes), self.now()
        reply = self.county.ask(self.who, "POST", "/sync/exchange", request)
        raw = reply.get_data()
        shape = json.loads(raw)
        if reply.status_code != 200:
            self.replica.problem(request, shape)
        else:
            self.replica.receive(request, shape, sent=sent, now=self.now())
        return shape, len(raw)

    def sync(self, want_bytes: int = 65_536) -> Traffic:
        """Exchange until nothing is left to do."""
        traffic = Traffic()
        for _ in range(ROUNDS_MAX):
            shape, size = self.exchange(want_bytes)
            assert "push" in shape, shape
            page = shape["pull"]
            traffic.received += size
            traffic.pages += 1
            traffic.receipts += shape["push"]["results"]
            traffic.drops += page["drop"]
            for item in page["items"]:
                if item["op"] == "put":
                    traffic.puts.append((item["t"], item["id"]))
                    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
                    traffic.records += len(text.encode())
            if page["complete"] and not self.replica.outbox():
                return traffic
        raise AssertionError("never at rest")

    def rows(self) -> Rows:
        """Return all that the phone holds."""
        return {(kind, rec): row for kind in KINDS
                for rec, row in self.replica.memory.rows(kind).items()}  # fmt: skip

    def is_exact(self) -> bool:
        """Tell whether the phone holds what the server holds in its grids, and nothing else."""
        granted = {one for one in self._granted() if one.startswith("grid:")}
        wanted = on_server(self.county, {int(one.removeprefix("grid:")) for one in granted})
        wanted = {key: (rv, self._shown(key[0], values)) for key, (rv, values) in wanted.items()}
        assert self.rows() == wanted
        assert self.replica.alarms == [] and self.replica.memory.recall("healed", 0) == 0
        for scope in granted:
            rows = [(kind, rec, rv) for (kind, rec), (rv, _) in
                    on_server(self.county, {int(scope.removeprefix("grid:"))}).items()]  # fmt: skip
            own = as_hex(scope_digest(self.replica.memory.shown(scope)))
            assert own == as_hex(scope_digest(rows))
        return True

    def _shown(self, kind: str, values: Mapping[str, Any]) -> Any:
        """Return the values of a record as its phone is sent them."""
        engine: Engine = self.county.app.extensions["wangge_engine"]
        user, now = self.county.ids[self.who.split("_phone_")[0]], time.time_ns() // 1_000_000
        with self.county.database.transaction(Mode.READ) as session:
            sight = engine.sight(engine.actors(session, [user])[user], now)
        return json.loads(sight.body(kind, json.dumps(values)))

    def _granted(self) -> list[str]:
        shape, _ = self.exchange()
        return sorted(shape["pull"]["digest"])


def on_server(county: County, grids: set[int]) -> Rows:
    """Return the living records of some grids, conflicts too."""
    engine: Engine = county.app.extensions["wangge_engine"]
    found: Rows = {}
    with county.database.engine.connect() as connection:
        for kind in KINDS:
            table = sa.Table(kind, sa.MetaData(), autoload_with=connection, resolve_fks=False)
            t = table.c
            query = sa.select(sa.cast(t.id, sa.String), t.rv, t.body).where(
                t.grid.in_(list(grids)), t.deleted.is_(None)
            )
            for record, rv, body in connection.execute(query):
                text = engine.seal.open(kind, str(record), body)
                found[kind, str(record)] = (rv, json.loads(text))
    return found


def within_five_percent(moved: int, *traffic: Traffic) -> bool:
    """Tell whether phones received no more than the moved records and a twentieth."""
    spent = sum(one.beyond_frames for one in traffic)
    assert spent <= moved * 1.05, (spent, moved, traffic)
    return True
