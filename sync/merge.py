"""Merge one edit into one record, unit by unit: pure functions of plain values.

An edit is concurrent with a unit when somebody else wrote the unit after the version the edit
was based on. Values are never compared to find that out: a phone that set the same value again
had an intention too, and forgetting it would make the result depend on the order of arrival.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.errors import Refusal
from sync.kinds import Kind, Rule

DELETION = "-"


@dataclass(frozen=True, slots=True)
class Clash:
    """Two values of one unit of which only one could stand; both are kept.

    Attributes:
        open: True when a human should look; False when the rule has settled it.
        won, lost: the values of the unit's fields; marks tell who wrote them.
    """

    unit: str
    rule: str
    open: bool
    won: Mapping[str, Any]
    won_by: Mark
    lost: Mapping[str, Any]
    lost_by: Mark

    def conflict_id(self, record: str, base: int) -> str:
        """Return the id of the conflict: the same pair of devices meets in one conflict."""
        pair = sorted((self.won_by.device, self.lost_by.device))
        name = f"{record}:{self.unit}:{base}:{pair[0]}:{pair[1]}"
        return str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=5))


@dataclass(frozen=True, slots=True)
class Merged:
    """What an edit made of a record."""

    record: Record
    before: Mapping[str, Any]
    clashes: tuple[Clash, ...] = ()
    concurrent: bool = False
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes an edit, for the merge: its stamp and on which side of the desk."""

    ms: int
    device: str
    office: bool


def apply(
    kind: Kind, record: Record | None, edit: Edit, values: Mapping[str, Any], author: Author
) -> Merged:
    """Apply one edit to the record it found; only a creation finds none."""
    if edit.op == "create":
        return create(kind, edit, values, author)
    assert record is not None, "only a creation finds no record"
    if edit.op == "delete":
        return delete(record, edit, author)
    return update(kind, record, edit, values, author)


def create(kind: Kind, edit: Edit, values: Mapping[str, Any], author: Author) -> Merged:
    """Make a new record."""
    if kind.workflow and "state" in kind.by_name:
        kind.workflow.check({}, values)
    mark = Mark(1, author.ms, author.device, edit.id)
    full = {one.name: None for one in kind.fields} | dict(values)
    return Merged(Record(kind.name, edit.rec, 1, full, {BASE_UNIT: mark}), before={})


def update(
    kind: Kind, record: Record, edit: Edit, values: Mapping[str, Any], author: Author
) -> Merged:
    """Merge the values of an edit into a record."""
    revives = record.deleted is not None
    if revives:
        record, buried = _revive(record, edit, values, author)
        if buried:
            return Merged(record, before={}, clashes=(buried,), concurrent=True, changed=False)
    mark = Mark(record.rv + 1, author.ms, author.device, edit.id)
    taken: dict[str, Any] = {}
    marks: dict[str, Mark] = {}
    clashes: list[Clash] = []
    for unit, mine in _by_unit(kind, values).items():
        takes, clash = _meet(kind, record, unit, mine, mark, edit=edit, office=author.office)
        if takes:
            taken |= mine
            marks[unit] = mark
        if clash:
            clashes.append(clash)
    before = {name: record.values.get(name) for name in values}
    concurrent = revives or any(
        one.rv > edit.base and one.device != author.device for one in record.marks.values()
    )
    if not marks:
        return Merged(record, before, tuple(clashes), concurrent, changed=False)
    after = record.written(taken, marks, record.rv + 1)
    return Merged(after, before, tuple(clashes), concurrent)


def delete(record: Record, edit: Edit, author: Author) -> Merged:
    """Delete a record; a worker's deletion yields to an edit it has not seen."""
    if record.deleted:
        return Merged(record, before={}, changed=False)
    mark = Mark(record.rv + 1, author.ms, author.device, edit.id)
    unseen = record.written_since(edit.base, author.device)
    if unseen and not author.office:
        latest = max(unseen, key=lambda one: one.rv)
        clash = Clash(DELETION, "delete", False, {}, latest, {"deleted": True}, mark)
        return Merged(record, before={}, clashes=(clash,), concurrent=True, changed=False)
    side = "office" if author.office else "worker"
    gone = replace(record.written({}, {DELETION: mark}, record.rv + 1), deleted=side)
    return Merged(gone, before=dict(record.values), concurrent=bool(unseen))


def revived(record: Record) -> Record:
    """Return a record as if nobody had deleted it."""
    marks = {unit: mark for unit, mark in record.marks.items() if unit != DELETION}
    return replace(record, deleted=None, marks=marks)


def _by_unit(kind: Kind, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    units: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        units.setdefault(kind.unit_of(name), {})[name] = value
    return units


def _meet(
    kind: Kind,
    record: Record,
    unit: str,
    mine: dict[str, Any],
    mark: Mark,
    *,
    edit: Edit,
    office: bool,
) -> tuple[bool, Clash | None]:
    """Tell whether an edit's values of a unit are taken, and what they clash with.

    An edit that was parked and comes late does not undo what its own author did after it.
    """
    current = record.mark(unit)
    theirs = {name: record.values.get(name) for name in mine}
    rule = kind.rule_of(unit)
    unseen = current.rv > edit.base
    if unseen and current.device == mark.device and current.order > mark.order:
        return False, None
    concurrent = unseen and current.device != mark.device
    if rule is Rule.OFFICE and not office:
        return False, _clash(unit, "proposal", True, (theirs, current), (mine, mark))
    if not concurrent:
        if rule is Rule.WORKFLOW and kind.workflow:
            kind.workflow.check(theirs, mine)
        return True, None
    wins = _wins(kind, rule, (theirs, current), (mine, mark))
    if rule is Rule.SERVER:
        return wins, None
    pair = ((mine, mark), (theirs, current)) if wins else ((theirs, current), (mine, mark))
    needs_human = rule is Rule.WORKFLOW or (rule is Rule.OPEN and not kind.settled(theirs, mine))
    return wins, _clash(unit, rule.value, needs_human, *pair)


def _wins(
    kind: Kind, rule: Rule, theirs: tuple[dict[str, Any], Mark], mine: tuple[dict[str, Any], Mark]
) -> bool:
    if rule is Rule.WORKFLOW and kind.workflow:
        here, there = kind.workflow.order(theirs[0]), kind.workflow.order(mine[0])
        if here != there:
            return there > here
    return mine[1].order > theirs[1].order


def _clash(
    unit: str,
    rule: str,
    needs_human: bool,
    won: tuple[dict[str, Any], Mark],
    lost: tuple[dict[str, Any], Mark],
) -> Clash | None:
    """Return a clash, unless both said the same: then nothing is lost."""
    if won[0] == lost[0]:
        return None
    return Clash(unit, rule, needs_human, won[0], won[1], lost[0], lost[1])


def _revive(
    record: Record, edit: Edit, values: Mapping[str, Any], author: Author
) -> tuple[Record, Clash | None]:
    """Bring back a record that a worker deleted unseen; the office's deletion stands."""
    gone = record.mark(DELETION)
    if gone.rv <= edit.base or gone.device == author.device:
        raise Refusal("record_deleted")
    if record.deleted == "worker":
        return revived(record), None
    mine = Mark(record.rv, author.ms, author.device, edit.id)
    lost = dict(values)
    return record, Clash(DELETION, "delete", True, {"deleted": True}, gone, lost, mine)
