"""One edit that does something to several records: an act, which is a record of its own.

The feature works out the effects when it judges the edit, and writes them into the act: for each
record what it was and what it is to be. Here they are carried out, in the same transaction and in
the name of the same edit; taken back, when the act is undone. So an act is sent, parked, merged,
replayed and shown like every other edit, and stands or falls as a whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import merge
from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.handover import Handover
from sync.handover import load as load_followers
from sync.kinds import Kind

if TYPE_CHECKING:
    from sync.push import Run
    from sync.reading import Reading

STATE, EFFECTS = "state", "effects"
DONE, UNDONE = "done", "undone"
WAS, NOW = "was", "now"
DELETED, ABSENT = "deleted", "absent"
"""Among the values of an effect: who has deleted the record, and that there is none."""
OFFICE = "office"
Key = tuple[str, str]


def load(reading: "Reading", edits: Iterable[Edit]) -> None:
    """Read what acts touch, with all that follows it; nobody may come between."""
    touched: set[Key] = set()
    for edit in edits:
        touched |= set(_touched(reading, reading.kinds.get(edit.kind), edit))
    if not touched:
        return
    reading.load(touched)
    for key in touched:
        reading.batch.seen_rv.setdefault(key, 0)
    load_followers(reading, set(touched))
    reading.batch.relied |= touched


def _touched(reading: "Reading", kind: Kind | None, edit: Edit) -> tuple[Key, ...]:
    if kind is None or kind.acts_on is None:
        return ()
    record = reading.record((kind.name, edit.rec))
    return kind.acts_on({**(record.values if record else {}), **edit.set})


def around(reading: "Reading", kind: Kind, edit: Edit) -> Mapping[Key, Record]:
    """Return the records that an act touches, and those that name them, as they stand."""
    touched = set(_touched(reading, kind, edit))
    if not touched:
        return {}
    known = {**reading.found, **reading.batch.records}
    names = {record for _, record in touched}
    return {
        key: one for key, one in sorted(known.items())
        if key in touched or any(
            one.values.get(f.field) in names
            for of, _ in touched for f in reading.kinds.followers.get(of, ()) if f.kind == key[0]
        )
    }  # fmt: skip


def effect(key: Key, was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return one effect of an act as it is written down."""
    return {"kind": key[0], "rec": key[1], WAS: dict(was), NOW: dict(now)}


def stands(one: Mapping[str, Any], record: Record | None) -> bool:
    """Tell whether a record still is as an act has left it."""
    if record is None:
        return False
    here = {**record.values, DELETED: record.deleted}
    return all(here.get(name) == value for name, value in one[NOW].items())


def carry_out(run: "Run", kind: Kind, before: Record | None, after: Record, mark: Mark) -> None:
    """Carry out the effects of an act that has been made, or take them back if it was undone."""
    here, there = before.values.get(STATE) if before else None, after.values.get(STATE)
    if kind.acts_on is None or here == there:
        return
    side = NOW if there == DONE else WAS
    for one in after.values.get(EFFECTS) or ():
        its_kind = run.context.kinds.get(one["kind"])
        if its_kind:
            _make(run, its_kind, one["rec"], one[side], mark)


def _make(run: "Run", kind: Kind, name: str, values: Mapping[str, Any], mark: Mark) -> None:
    """Bring one record into a state."""
    record = run.reading.record((kind.name, name))
    plain = {n: one for n, one in values.items() if n not in (DELETED, ABSENT)}
    if record is None:
        full = {one.name: None for one in kind.fields} | plain
        own = mark._replace(rv=1)
        new = Record(kind.name, name, 1, full, {BASE_UNIT: own})
        Handover(run).found(kind, new, own, named=full)
        return
    own = mark._replace(rv=record.rv + 1)
    ended = OFFICE if values.get(ABSENT) else values.get(DELETED, record.deleted)
    alive = record if ended else merge.revived(record)
    units = {kind.unit_of(n): own for n in plain} | ({merge.DELETION: own} if ended else {})
    after = alive.written(plain, units, own.rv)
    Handover(run).place(kind, replace(after, deleted=ended), own)
