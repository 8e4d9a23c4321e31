"""Prove that a server killed with -9 at any moment keeps every edit it acknowledged, once.

Phones push over HTTP to the real server without rest; it is killed at random moments and
started again; phones send what was not acknowledged again, under the same ids.

    python -m tests.prove.kill9 --engine sqlite --kills 200 --seed 1 [--sabotage answer_first]
"""

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.households.models import Household
from tests.app.core.county import household
from tests.app.identity.town import GRID, TestPhone, now_ms
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.prove.server import Server

PHONES = 4
EDITS_MAX = 6
ALIVE_S_MAX = 0.5
TOKEN_LIFE_S = 300.0
FINISH_WITHIN_S = 60.0
SHORT = {"engine": "sqlite", "kills": 20, "seed": 1, "seconds": 120}
SABOTAGES: Mapping[str, str] = {"answer_first": "tests.prove.early_server:app"}


@dataclass
class Sender:
    """A phone that sends a batch again and again until it is acknowledged."""

    ground: Ground
    server: Server
    name: str
    random: random.Random
    stopping: threading.Event
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    outbox: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    n: int = 0
    resent: int = 0
    _refreshed: float = 0.0

    def __post_init__(self) -> None:
        self.key = TestPhone(f"install-{self.name}")
        self.tokens = self.ground.county.enrolled(self.name, self.key)
        self._refreshed = time.monotonic()
        made = self.ground.county.ask(
            f"{self.name}_phone", "POST", "/sync/devices", {"app": "test", "schema": 1}
        )
        self.device: str = made.get_json()["device"]

    def run(self) -> None:
        """Push until told to stop, and then until nothing is left to send."""
        while not (self.stopping.is_set() and not self.outbox):
            if not self.outbox:
                self.outbox = [self._edit() for _ in range(self.random.randint(1, EDITS_MAX))]
            if not self._push():
                self.resent += 1
                time.sleep(0.1)

    def _edit(self) -> dict[str, Any]:
        self.n += 1
        return {"n": self.n, "id": new_id(), "op": "create", "kind": "household", "rec": new_id(),
                "set": household()}  # fmt: skip

    def _push(self) -> bool:
        """Send the outbox; tell whether it was acknowledged."""
        body = {"device": self.device, "edits": self.outbox}
        headers = {"Authorization": f"Bearer {self._token()}"}
        try:
            status, reply = self.server.ask("POST", "/api/v1/sync/push", body, headers)
        except OSError:
            return False
        if status == 503:
            return False
        good = status == 200 and all(one["status"] == "applied" for one in reply["results"])
        if not good:
            self.faults.append(f"{self.name}: {status} {str(reply)[:200]}")
            self.stopping.set()
        self.acknowledged += [(edit["id"], edit["rec"]) for edit in self.outbox if good]
        self.outbox = []
        return True

    def _token(self) -> str:
        if time.monotonic() - self._refreshed > TOKEN_LIFE_S:
            reply = self.ground.county.refresh(
                self.key, self.tokens["refresh_token"], at_ms=now_ms()
            )
            self.tokens, self._refreshed = reply.get_json(), time.monotonic()
        token: str = self.tokens["access_token"]
        return token


def _stored(ground: Ground) -> tuple[set[str], dict[str, int], dict[str, int]]:
    """Return edits in the ledger, versions of the households, and the last n of devices."""
    ledger, device = sync_tables.ledger, sync_tables.device
    with ground.database.transaction(Mode.READ) as session:
        edits = set(session.scalars(sa.select(ledger.c.edit)))
        homes = {row.id: row.rv for row in session.execute(sa.select(Household.id, Household.rv))}
        counts = {row.id: row.last_n for row in session.execute(sa.select(device))}
    return edits, homes, counts


def _check(ground: Ground, senders: list[Sender], *, complete: bool) -> list[str]:
    """Compare what was acknowledged with what is there."""
    acknowledged = [pair for sender in senders for pair in list(sender.acknowledged)]
    edits, homes, counts = _stored(ground)
    found = {
        "acknowledged but not in the ledger": sum(edit not in edits for edit, _ in acknowledged),
        "acknowledged but without effect": sum(rec not in homes for _, rec in acknowledged),
        "applied twice": sum(rv != 1 for rv in homes.values()),
        "effects and receipts apart": abs(len(edits) - len(homes)),
    }
    if complete:
        found["never arrived"] = abs(len(edits) - len(acknowledged))
        found["devices apart"] = sum(counts[one.device] != one.n for one in senders)
    return [f"{name}: {count}" for name, count in found.items() if count]


def prove(
    engine: str, kills: int, seed: int, sabotage: str | None = None, seconds: int = 3600
) -> dict[str, Any]:
    """Kill the server as often as told, and tell what was lost or doubled."""
    began, chance = time.monotonic(), random.Random(seed)
    with open_ground(engine) as ground:
        server = Server(ground.environment, SABOTAGES.get(sabotage or "", "asgi:app"))
        for number in range(PHONES):
            ground.county.person(f"worker {number}", "gw", GRID)
        stopping = threading.Event()
        senders = [
            Sender(ground, server, f"worker {number}", random.Random(f"{seed}/{number}"), stopping)
            for number in range(PHONES)
        ]
        starts = [server.start()]
        threads = [threading.Thread(target=sender.run) for sender in senders]
        for thread in threads:
            thread.start()
        violations: list[str] = []
        try:
            while len(starts) <= kills and time.monotonic() - began < seconds:
                time.sleep(chance.uniform(0, ALIVE_S_MAX))
                server.kill()
                violations += _check(ground, senders, complete=False)
                if violations or stopping.is_set():
                    break
                starts.append(server.start())
        finally:
            violations += _finish(ground, server, senders, threads, broken=bool(violations))
    return {
        "prover": "kill9", "killed": len(starts) - 1, "edits": sum(one.n for one in senders),
        "resent": sum(one.resent for one in senders), "started_s": round(max(starts), 2),
        "took_s": round(time.monotonic() - began, 1), "violations": violations,
    }  # fmt: skip


def _finish(
    ground: Ground,
    server: Server,
    senders: list[Sender],
    threads: list[threading.Thread],
    *,
    broken: bool,
) -> list[str]:
    """Let the phones send what is left, stop everything, and look once more."""
    for sender in senders:
        sender.stopping.set()
        if broken:
            sender.outbox = []
    for thread in threads:
        thread.join(FINISH_WITHIN_S)
    if not broken:
        server.stop()
    faults = [fault for sender in senders for fault in sender.faults]
    if broken:
        return faults
    left = sum(len(sender.outbox) for sender in senders)
    faults += [f"never acknowledged: {left}"] if left else []
    return faults + _check(ground, senders, complete=True)


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"kills": 200, "seconds": 3600})
