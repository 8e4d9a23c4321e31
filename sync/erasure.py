"""Erase records by law: nothing of them stays anywhere, and nothing brings them back.

What stays is a bare row with the id, so that whatever arrives later is answered ``erased``, by
the same locks and version checks as any other change; and the receipts, which hold no values.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sync.compaction import bare_conflict, withdraw
from sync.conflicts import CONFLICT
from sync.edits import BASE_UNIT, Edit, Mark, Parked, Record
from sync.kinds import Kind, Kinds
from sync.parking import DISCARDED, PARKING, as_record
from sync.store import ERASED, PURGE, PUT, Batch, FeedChange
from sync.upkeep import NOBODY, Erasure, Key, Shown, Upkeep

PURGE_RANK = 0
DEPTH_MAX = 8


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure has done."""

    erasures: Sequence[Erasure] = ()
    edits: int = 0
    parked: int = 0
    scopes: frozenset[str] = frozenset()
    """All scopes that were told of it: what is kept ready of them elsewhere must go too."""


@dataclass
class _Found:
    """All that is to be erased, as far as it has been found and locked."""

    upkeep: Upkeep
    records: dict[Key, Record] = field(default_factory=dict)
    keys: set[Key] = field(default_factory=set)
    parked: dict[str, Parked] = field(default_factory=dict)

    def add(self, keys: Iterable[Key]) -> set[Key]:
        """Lock more records; return those that are new here."""
        new = set(keys) - self.keys
        self.keys |= new
        self.records |= self.upkeep.records(sorted(new)) if new else {}
        return new

    def ids(self, kinds: Collection[str] | None = None) -> set[str]:
        """Return the ids found, of all kinds or of some."""
        return {name for kind, name in self.keys if kinds is None or kind in kinds}


def erase(
    upkeep: Upkeep, kinds: Kinds, orders: Sequence[Erasure], *, also: Collection[str] = ()
) -> Erased:
    """Erase records, and with them the records of other kinds that refer to them.

    Orders may name records that are not there: what was lost by a restore comes again from
    phones, and must be turned away.

    Args:
        also: the kinds of dependants that are erased with what they refer to.
    """
    found = _Found(upkeep)
    new = found.add(order.key for order in orders)
    for _ in range(DEPTH_MAX):
        new = found.add(_dependants(found, kinds, new, also))
        if not new:
            break
    names = upkeep.referring(CONFLICT.name, "record", found.ids())
    found.add((CONFLICT.name, name) for name in names)
    told = _entries(found, orders, upkeep.shown(sorted(found.keys)))
    parked = [bare_parked(one) for one in found.parked.values()]
    rows = upkeep.shown([(PARKING.name, one.edit.id) for one in parked])
    _purge_parked(told.batch, found.parked, parked, rows)
    edits = upkeep.scrub_ledger(found.ids() | found.parked.keys())
    upkeep.scrub_parked(parked)
    upkeep.enter_erasures(told.erasures)
    upkeep.rewrite(told.batch)
    scopes = frozenset(one.scope for one in told.batch.feed)
    return Erased(told.erasures, edits, len(found.parked), scopes)


def _dependants(
    found: _Found, kinds: Kinds, new: Collection[Key], also: Collection[str]
) -> set[Key]:
    """Return what refers to newly found records, also by an edit that is only parked."""
    ids = {name for _, name in new}
    referring = [(kind, name, other) for kind in kinds.kinds if kind.name in also
                 for name, other in kind.references.items()]  # fmt: skip
    keys = set()
    for kind, name, other in referring:
        wanted = {record for of, record in new if of == other}
        if wanted:
            keys |= {(kind.name, one) for one in found.upkeep.referring(kind.name, name, wanted)}
    for one in found.upkeep.parked_about(ids, also):
        fields = [name for kind, name, _ in referring if kind.name == one.edit.kind]
        named = {str(one.edit.set.get(name)) for name in fields}
        if one.code != ERASED and (one.edit.rec in ids or one.waits_for in ids or named & ids):
            found.parked[one.edit.id] = one
            if kinds.get(one.edit.kind):
                keys.add((one.edit.kind, one.edit.rec))
    return keys


@dataclass
class _Told:
    """The rows of an erasure: in the records, in the feed, and in the list."""

    batch: Batch = field(default_factory=lambda: Batch(device=NOBODY, device_before=NOBODY))
    erasures: list[Erasure] = field(default_factory=list)


def _entries(found: _Found, orders: Sequence[Erasure], shown: Sequence[Shown]) -> _Told:
    by_key = {order.key: order for order in orders}
    rows: dict[Key, list[Shown]] = {}
    for row in shown:
        rows.setdefault((row.kind, row.record), []).append(row)
    told = _Told()
    for key in sorted(found.keys):
        before = found.records.get(key)
        order = by_key.get(key) or replace(orders[0], kind=key[0], record=key[1], scopes=())
        if (before and before.deleted == ERASED) or (before is None and key[0] == CONFLICT.name):
            continue
        _purge(told.batch, key, before, order, rows.get(key, []))
        scopes = {row.scope for row in rows.get(key, ())} | set(order.scopes)
        told.erasures.append(replace(order, scopes=tuple(sorted(scopes))))
    return told


def _purge(
    batch: Batch, key: Key, before: Record | None, order: Erasure, shown: Sequence[Shown]
) -> None:
    """Empty a record, and tell every scope that ever showed it."""
    after = _bare_record(key, before, order.ms)
    batch.records[key] = after
    batch.seen_rv[key] = before.rv if before else 0
    for scope in sorted({row.scope for row in shown} | set(order.scopes)):
        batch.feed.append(FeedChange(scope, *key, PURGE_RANK, PURGE, after.rv))
        batch.digests.setdefault(scope, (0, 0))
    for row in shown:
        if row.op == PUT and before:
            withdraw(batch, row.scope, before)


def _purge_parked(
    batch: Batch, before: Mapping[str, Parked], after: Sequence[Parked], rows: Sequence[Shown]
) -> None:
    """Tell every scope that ever showed a parked edit that it has been emptied."""
    versions = {one.edit.id: one.rv for one in after}
    for row in rows:
        key = (row.kind, row.record)
        change = FeedChange(row.scope, *key, PURGE_RANK, PURGE, versions[row.record])
        batch.feed.append(change)
        batch.digests.setdefault(row.scope, (0, 0))
        shown = as_record(before[row.record])
        if row.op == PUT and shown:
            withdraw(batch, row.scope, shown)


def _bare_record(key: Key, before: Record | None, now_ms: int) -> Record:
    if before is None:
        return Record(*key, 1, {}, {BASE_UNIT: Mark(1, now_ms, "", "")}, ERASED)
    if before.kind == CONFLICT.name:
        return bare_conflict(before, before.rv + 1, ERASED, now_ms)
    mark = max(before.marks.values(), key=lambda one: one.rv)._replace(rv=before.rv + 1)
    return Record(*key, before.rv + 1, {}, {BASE_UNIT: mark}, ERASED)


def bare_edit(edit: Edit) -> Edit:
    """Return an edit without anything that somebody has entered."""
    return replace(edit, set={}, was={}, at={})


def bare_parked(parked: Parked) -> Parked:
    """Return a parked edit without content, laid aside."""
    return replace(
        parked, edit=bare_edit(parked.edit), code=ERASED, errors=(), state=DISCARDED,
        waits_for=parked.edit.rec, rv=parked.rv + 1,
    )  # fmt: skip


def is_erased(records: Iterable[Record | None], parked: Parked | None) -> bool:
    """Tell whether an edit is about something erased, or could only exist beside it.

    Args:
        records: what the edit cannot be without, as far as it is there.
        parked: the parked edit that a repair or a discarding names.
    """
    if parked is not None and parked.code == ERASED:
        return True
    return any(record is not None and record.deleted == ERASED for record in records)


def keys_of(edit: Edit, kind: Kind) -> list[Key]:
    """Return the records without which an edit makes no sense."""
    required = [(other, str(edit.set.get(name))) for name, other in kind.references.items()
                if kind.by_name[name].required]  # fmt: skip
    return [(kind.name, edit.rec), *required]
