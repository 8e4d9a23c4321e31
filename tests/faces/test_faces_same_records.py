"""Invariant 18: the same edits through all faces end in the same records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from app.core.conflicts import ConflictRow
from app.core.database import Mode
from app.core.engine import Engine
from app.core.records import sync_tables
from sync.edits import Record
from tests.app.core.county import SyncPhone, household, incident
from tests.app.identity.town import GRID
from tests.faces.clients import Stage
from tests.prove.ground import Ground

TIMES_AND_IDS = {"last_confirmed_at", "reported_at", "done_at", "reporter", "household", "scopes",
                 "record", "state_at", "state_by", "state_by_name", "verify_due_at",
                 "watch_at"}  # fmt: skip


class Hand(Protocol):
    """What all three kinds of phone can do."""

    def create(self, kind: str, values: Mapping[str, Any]) -> str: ...
    def change(self, kind: str, record: str, **values: Any) -> None: ...
    def remove(self, kind: str, record: str) -> None: ...
    def sync(self) -> Any: ...


@dataclass
class NativePhone:
    """A phone that speaks the engine's own protocol, with the versions that it has pulled."""

    synced: SyncPhone
    cursor: str | None = None
    versions: dict[str, int] = field(default_factory=dict)
    outbox: list[dict[str, Any]] = field(default_factory=list)

    def create(self, kind: str, values: Mapping[str, Any]) -> str:
        edit = self.synced.edit("create", kind, set=dict(values))
        self.outbox.append(edit)
        return str(edit["rec"])

    def change(self, kind: str, record: str, **values: Any) -> None:
        base = self.versions.get(record, 0)
        self.outbox.append(self.synced.edit("update", kind, record, base=base, set=values))

    def remove(self, kind: str, record: str) -> None:
        base = self.versions.get(record, 0)
        self.outbox.append(self.synced.edit("delete", kind, record, base=base))

    def sync(self) -> None:
        self._pull()
        if self.outbox:
            self.synced.push(*self.outbox)
            self.outbox.clear()

    def _pull(self) -> None:
        page = self.synced.send("pull", {"cursor": self.cursor}).get_json()
        self.cursor = page["to"]
        self.versions |= {item["id"]: item["rv"] for item in page["items"]}


def _story(one: Hand, other: Hand) -> list[tuple[str, str]]:
    """Live through merges, clashes, refusals and deletions; return the records in their order."""
    home = one.create("household", household(building="3"))
    phones = (one, other, one, other)
    _sync(*phones)
    contact = one.create("contact", {"household": home, "name": "张三", "phone": "13812345678"})
    trouble = other.create("incident", incident())
    _sync(*phones)
    one.change("household", home, occupancy="empty")
    other.change("household", home, address_text="人民路 9 号", building="9", unit_room="1-1")
    _sync(*phones)
    one.change("household", home, occupancy="seasonal")
    other.change("household", home, occupancy="business")
    _sync(*phones)
    other.change("contact", contact, name="李四")
    one.remove("contact", contact)
    _sync(other, one, other, one)
    one.change("household", home, occupancy="haunted")
    other.change("incident", trouble, text="垃圾已堆到路口")
    _sync(*phones)
    fresh = one.create("contact", {"household": home, "name": "王五"})
    _sync(one, other)
    one.remove("contact", fresh)
    _sync(*phones)
    return [("household", home), ("contact", contact), ("incident", trouble), ("contact", fresh)]


def _sync(*phones: Hand) -> None:
    for phone in phones:
        phone.sync()


def _outcome(ground: Ground, records: list[tuple[str, str]]) -> dict[str, Any]:
    """Return records, conflicts and refusals, without what two runs can never share."""
    engine: Engine = ground.county.app.extensions["wangge_engine"]
    names, ledger = [record for _, record in records], sync_tables.ledger
    with ground.database.transaction(Mode.WRITE) as session:
        store = engine.store(session)
        rows = session.scalars(sa.select(ConflictRow.id).where(ConflictRow.record.in_(names)))
        conflicts = store.records([("conflict", row) for row in rows])
        found = store.records(records)
        refused = session.execute(
            sa.select(ledger.c.op, ledger.c.kind, ledger.c.receipt)
            .where(ledger.c.rec.in_(names), ledger.c.rv == 0)
        ).all()  # fmt: skip
    return {
        "records": [_record(found[key]) for key in records],
        "conflicts": sorted((_conflict(one.values) for one in conflicts.values()), key=repr),
        "refused": sorted((op, kind, json.loads(text)["code"]) for op, kind, text in refused),
    }


def _record(record: Record) -> tuple[int, str | None, dict[str, Any]]:
    return record.rv, record.deleted, _bare(record.values)


def _conflict(values: Mapping[str, Any]) -> dict[str, Any]:
    sides = {side: _bare(values[side]["values"]) for side in ("won", "lost")}
    return {**{name: values[name] for name in ("kind", "unit", "rule", "state", "base")}, **sides}


def _bare(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in TIMES_AND_IDS}


def test_invariant_18_the_same_edits_through_every_face_end_in_the_same_records(
    stage: Stage,
) -> None:
    native = [NativePhone(stage.native(stage.person(GRID))) for _ in range(2)]
    faced = [stage.phone(stage.person(GRID)) for _ in range(2)]
    wanted = _outcome(stage.ground, _story(*native))
    assert _outcome(stage.ground, _story(*faced)) == wanted
    assert [clash["unit"] for clash in wanted["conflicts"]] == ["-", "occupancy"]
    assert wanted["refused"] == [("update", "household", "invalid_fields")]
