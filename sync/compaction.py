"""Forget what nobody needs any more: tombstones, the content of the ledger, settled conflicts.

Everything goes in portions, each in a transaction of its own; a portion that was never run, or
was cut off, is run the next time. Whoever comes back after longer than tombstones are kept is
sent the scope anew, because its floor has been raised before the first of them went.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sync.conflicts import CONFLICT, RESOLVED, SETTLED
from sync.digest import record_digest
from sync.edits import BASE_UNIT, Record
from sync.parking import DAY_MS
from sync.store import DEL, Batch, FeedChange, ScopeState
from sync.upkeep import FIRST_ID, NOBODY, Age, Upkeep

AGE_EVERY_MS = 7 * DAY_MS
SCOPES_PER_PORTION = 50
TOMBSTONES_PER_PORTION = 2_000
EDITS_PER_PORTION = 2_000
CONFLICTS_PER_PORTION = 200
AGED = "aged"
SCOPES, LEDGER, CONFLICTS = "scopes", "ledger", "conflicts"


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long things are kept, in ms."""

    tombstones_ms: int = 180 * DAY_MS
    history_ms: int = 365 * DAY_MS
    conflicts_ms: int = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be noted and raised for some scopes."""

    ages: Sequence[Age]
    floors: Mapping[str, int]


class Portion(NamedTuple):
    """What one portion has done.

    Attributes:
        last: where the next portion goes on, None when there is none.
        seen: how many things were looked at.
        gone: how many of them were forgotten.
    """

    last: str | None
    seen: int
    gone: int


def plan(
    states: Mapping[str, ScopeState], ages: Sequence[Age], now_ms: int, keeping: Keeping
) -> Plan:
    """Tell which ages to note, and to which version each scope's tombstones are old enough."""
    latest: dict[str, Age] = {}
    for age in sorted(ages, key=lambda one: one.ver):
        latest[age.scope] = age
    noted = [
        Age(scope, state.ver, now_ms)
        for scope, state in states.items()
        if _is_due(state, latest.get(scope), now_ms)
    ]
    floors: dict[str, int] = {}
    for age in (*ages, *noted):
        above = max(states[age.scope].floor, floors.get(age.scope, 0))
        if age.ms <= now_ms - keeping.tombstones_ms and age.ver > above:
            floors[age.scope] = age.ver
    return Plan(noted, floors)


def _is_due(state: ScopeState, latest: Age | None, now_ms: int) -> bool:
    if latest is None:
        return state.ver > state.floor
    return state.ver > latest.ver and now_ms - latest.ms >= AGE_EVERY_MS


def forget_tombstones(upkeep: Upkeep, after: str, now_ms: int, keeping: Keeping) -> Portion:
    """Raise the floors of the next scopes, then delete the tombstones that lie below."""
    states = dict(upkeep.scopes_after(after, SCOPES_PER_PORTION))
    if not states:
        return Portion(None, 0, 0)
    planned = plan(states, upkeep.ages(states), now_ms, keeping)
    upkeep.note(planned.ages)
    upkeep.raise_floors(planned.floors)
    gone = upkeep.forget_tombstones(states, TOMBSTONES_PER_PORTION)
    if gone == TOMBSTONES_PER_PORTION:
        return Portion(after, 0, gone)
    return Portion(list(states)[-1], len(states), gone)


def strip_ledger(upkeep: Upkeep, after: str, now_ms: int, keeping: Keeping) -> Portion:
    """Leave of old edits what exactly-once needs: id, device, number, digest and receipt."""
    before_ms = now_ms - keeping.history_ms
    last, gone = upkeep.strip_ledger(after or FIRST_ID, before_ms, EDITS_PER_PORTION)
    return Portion(last, EDITS_PER_PORTION if last else 0, gone)


def retire_conflicts(upkeep: Upkeep, after: str, now_ms: int, keeping: Keeping) -> Portion:
    """Delete conflicts that were settled long ago, and the bare rows of those deleted before."""
    ids = upkeep.ids_after(CONFLICT.name, after or FIRST_ID, CONFLICTS_PER_PORTION)
    if not ids:
        return Portion(None, 0, 0)
    found = upkeep.records([(CONFLICT.name, name) for name in ids]).values()
    old = [one for one in found if _latest_ms(one) < now_ms - keeping.conflicts_ms]
    settled = [one for one in old if one.deleted is None and
               one.values["state"] in (SETTLED, RESOLVED)]  # fmt: skip
    upkeep.remove(CONFLICT.name, [one.id for one in old if one.deleted == AGED])
    if settled:
        upkeep.rewrite(_retired(settled, now_ms))
    return Portion(ids[-1], len(ids), len(settled))


def _latest_ms(record: Record) -> int:
    return max(mark.ms for mark in record.marks.values())


def _retired(records: Sequence[Record], now_ms: int) -> Batch:
    """Return the batch that deletes settled conflicts: for phones, and down to a bare row."""
    batch = Batch(device=NOBODY, device_before=NOBODY)
    for before in records:
        key, rv = (before.kind, before.id), before.rv + 1
        batch.seen_rv[key] = before.rv
        batch.records[key] = bare_conflict(before, rv, AGED, now_ms)
        for scope in before.values["scopes"]:
            batch.feed.append(FeedChange(scope, before.kind, before.id, 0, DEL, rv))
            withdraw(batch, scope, before)
    return batch


def withdraw(batch: Batch, scope: str, before: Record) -> None:
    """Take a record out of the digest of a scope that shows it."""
    xor, live = batch.digests.get(scope, (0, 0))
    xor ^= record_digest(before.kind, before.id, before.rv)
    batch.digests[scope] = (xor, live - 1)


def bare_conflict(before: Record, rv: int, deleted: str, now_ms: int) -> Record:
    """Return a conflict without the values that had met in it, or that a choice wrote over."""
    sides = {side: {**before.values[side], "values": {}} for side in ("won", "lost")}
    values = {**before.values, **sides, "state": RESOLVED, "scopes": [], "by": None, "before": None}
    mark = max(before.marks.values(), key=lambda one: one.rv)._replace(rv=rv, ms=now_ms)
    return replace(before, rv=rv, values=values, marks={BASE_UNIT: mark}, deleted=deleted)


Step = Callable[[Upkeep, str, int, Keeping], Portion]
STEPS: Mapping[str, Step] = {
    SCOPES: forget_tombstones, LEDGER: strip_ledger, CONFLICTS: retire_conflicts,
}  # fmt: skip
