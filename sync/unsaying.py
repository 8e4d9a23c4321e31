"""Take single fields of records out of all that remembers them: history, conflicts, parked edits.

The records themselves have been emptied before, by ordinary edits; this is about what was. Other
fields of the same edits stay, and so do their receipts. The digests of the edits go: a digest of
a telephone number can be guessed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync import parking
from sync.conflicts import CONFLICT
from sync.edits import Mark, Parked, Record
from sync.grounds import without
from sync.publish import publish
from sync.store import Batch
from sync.upkeep import NOBODY, Gone, Key, Upkeep

SIDES = ("won", "lost", "before")


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What was changed, and the scopes whose ready-made copies are of no more use."""

    edits: int
    conflicts: int
    parked: int
    scopes: frozenset[str]


def unsay(upkeep: Upkeep, keys: Mapping[Key, Collection[str]]) -> Unsaid:
    """Take fields out of what is remembered of records, in a constant number of statements."""
    gone: dict[str, frozenset[str]] = {record: frozenset(names) for (_, record), names
                                       in keys.items() if names}  # fmt: skip
    batch = Batch(device=NOBODY, device_before=NOBODY)
    conflicts = _of_conflicts(upkeep, gone, batch)
    parked = _of_parked(upkeep, gone, batch)
    named = {**gone, **conflicts, **parked}
    edits = upkeep.thin_ledger(named)
    scopes = {shown.scope for shown in upkeep.shown(list(keys))}
    upkeep.rewrite(batch)
    scopes |= {change.scope for change in batch.feed}
    return Unsaid(edits, len(batch.records), len(batch.parked), frozenset(scopes))


def _of_conflicts(upkeep: Upkeep, gone: Gone, batch: Batch) -> dict[str, frozenset[str]]:
    """Empty the fields in the conflicts about the records; return these conflicts' ids."""
    names = upkeep.referring(CONFLICT.name, "record", list(gone))
    found = upkeep.records(sorted((CONFLICT.name, name) for name in names)) if names else {}
    about: dict[str, frozenset[str]] = {}
    for key, before in found.items():
        about[before.id] = gone[str(before.values["record"])]
        after = _bare(before, about[before.id])
        if after.values != before.values:
            batch.records[key], batch.seen_rv[key] = after, before.rv
            publish(batch, CONFLICT, before, after)
    return about


def _bare(conflict: Record, names: Collection[str]) -> Record:
    sides = {side: conflict.values[side] for side in SIDES if conflict.values.get(side)}
    bare = {side: {**one, "values": _left(one["values"], names)} for side, one in sides.items()}
    mark: Mark = max(conflict.marks.values(), key=lambda one: one.rv)
    rv = conflict.rv + 1
    return conflict.written(bare, dict.fromkeys(bare, mark._replace(rv=rv)), rv)


def _left(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _of_parked(upkeep: Upkeep, gone: Gone, batch: Batch) -> dict[str, frozenset[str]]:
    """Empty the fields in parked edits about the records; return these edits' ids."""
    about: dict[str, frozenset[str]] = {}
    changed: list[Parked] = []
    for before in upkeep.parked_about(list(gone), ()):
        names = gone.get(before.edit.rec)
        if names is None:
            continue
        about[before.edit.id] = names
        edit = without(before.edit, names)
        if edit != before.edit:
            changed.append(replace(before, edit=edit, rv=before.rv + 1))
            batch.parked[before.edit.id] = changed[-1]
            parking.entered(batch, before, changed[-1])
    upkeep.scrub_parked(changed)
    return about


def thinned(body: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any] | None:
    """Return the content of a ledger row without some fields, None when it has none of them."""
    parts = ("set", "before", "after", "was")
    if not any(name in (body.get(part) or {}) for part in parts for name in names):
        return None
    return {part: _left(one, names) if part in parts and one else one for part, one in body.items()}
