"""Merge one edit into one record, unit by unit: pure functions of plain values.

An edit is concurrent with a unit when somebody else wrote the unit after the version the edit
was based on. Values are never compared to find that out: a phone that set the same value again
had an intention too, and forgetting it would make the result depend on the order of arrival.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync.edits import BASE_UNIT, OTHER, Edit, Mark, Record
from sync.errors import FieldError, Refusal
from sync.joins import meet_consent, meet_counter, meet_set, pruned
from sync.kinds import Kind, Rule, Workflow
from sync.meeting import LATE, Clash, Meeting, Met, clash
from sync.texts import meet_text

__all__ = ["DELETION", "LATE", "Author", "Clash", "Merged", "apply", "create", "delete", "update"]
_SIGNS = re.compile(r"[=~+-]")
DELETION = "-"
OVERTAKEN = "overtaken"
DELETED, REASON, WHY = "deleted", "reason", "deleted_reason"
REASON_MAX = 500
JOINS: Mapping[Rule, Callable[[Meeting], Met]] = {
    Rule.SET: meet_set, Rule.COUNTER: meet_counter, Rule.CONSENT: meet_consent,
    Rule.TEXT: meet_text,
}  # fmt: skip
PLAIN = frozenset({Rule.LATEST, Rule.OPEN, Rule.OFFICE, Rule.SERVER})
PLAIN_FOR_WORKERS = PLAIN - {Rule.OFFICE}


@dataclass(frozen=True, slots=True)
class Merged:
    """What an edit made of a record."""

    record: Record
    before: Mapping[str, Any]
    clashes: tuple[Clash, ...] = ()
    concurrent: bool = False
    changed: bool = True
    lost: tuple[str, ...] = ()
    """The units of which the edit's values do not stand."""


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
        return delete(kind, record, edit, author)
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
    """Merge the values of an edit into a record; what a worker deleted unseen comes back."""
    units = _by_unit(kind, values)
    gone = _gone(record, edit, values, author) if record.deleted else None
    found, record = record, revived(record)
    mark = Mark(record.rv + 1, author.ms, author.device, edit.id)
    plain = {} if gone else _unopposed(kind, record, edit, units, office=author.office)
    meetings = [
        Meeting(kind, record, unit, mine, mark, edit, values, author.office)
        for unit, mine in units.items() if unit not in plain
    ]  # fmt: skip
    if gone and gone.open:
        return _after_the_end(found, gone, meetings)
    met = {one.unit: _meet(one) for one in meetings}
    late = next((one.clash for one in met.values() if one.clash and one.clash.rule == LATE), None)
    if late:
        return _in_vain(found, late, gone, mark, lost=tuple(units))
    clashes = tuple(one.clash for one in met.values() if one.clash)
    lost = tuple(unit for unit, one in met.items() if one.lost)
    before = {name: record.values.get(name) for name in values}
    concurrent = gone is not None or _is_concurrent(record, edit, author)
    if not plain and not any(one.marks or one.dropped for one in met.values()):
        return Merged(found, before, clashes, concurrent, changed=False, lost=lost)
    after = _written(kind, record, met, plain, mark)
    if gone:
        clashes += (replace(gone, won={name: after.values[name] for name in values}),)
    return Merged(after, before, clashes, concurrent, lost=lost)


def _in_vain(
    record: Record, late_: Clash, gone: Clash | None, mark: Mark, *, lost: tuple[str, ...]
) -> Merged:
    """Return what a step too late makes of a record: nothing, but a worker's deletion yields."""
    kept = Merged(record, {}, (late_,), concurrent=True, changed=False, lost=lost)
    if gone is None:
        return kept
    alive = revived(record).written({}, {DELETION: mark}, mark.rv)
    won = {name: alive.values.get(name) for name in gone.won}
    return replace(kept, record=alive, clashes=(late_, replace(gone, won=won)), changed=True)


def _unopposed(
    kind: Kind, record: Record, edit: Edit, units: Mapping[str, dict[str, Any]], *, office: bool
) -> dict[str, dict[str, Any]]:
    """Return the units, of rules without a memory, that nobody has written since: most of them."""
    rules = PLAIN if office else PLAIN_FOR_WORKERS
    return {
        unit: mine for unit, mine in units.items()
        if kind.rule_of(unit) in rules and record.mark(unit).rv <= edit.base
    }  # fmt: skip


def after(merged: Merged, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands of the fields of an edit, where that is not what it said."""
    values = merged.record.values
    found = {name: values.get(name) for name, one in said.items() if values.get(name) != one}
    found |= {name: values.get(name) for name in merged.before if name not in said}
    return found


def overtaken(merged: Merged, edit: Edit) -> bool:
    """Tell whether the step that an edit made did not stand."""
    steps = (Rule.WORKFLOW.value, LATE)
    return any(one.rule in steps and one.lost_by.edit == edit.id for one in merged.clashes)


def late(merged: Merged) -> Clash | None:
    """Return the clash of a step that came too late for its strict workflow, if it did."""
    return next((one for one in merged.clashes if one.rule == LATE), None)


def why_late(merged: Merged) -> tuple[Mapping[str, Any], ...]:
    """Return the state in which a step that came too late found the record, and since when."""
    clash_ = late(merged)
    if clash_ is None:
        return ()
    limits = {"state": clash_.won.get("state"), "ms": clash_.won_by.ms}
    return (FieldError("state", OVERTAKEN, limits).as_json(),)


def status(merged: Merged) -> str:
    """Return what the receipt calls the fate of an edit."""
    rules = {clash.rule for clash in merged.clashes}
    in_vain = not merged.changed or (merged.record.deleted and merged.lost)
    if rules & {"proposal", "delete", LATE} and in_vain:
        return "noted"
    if rules:
        return "conflict"
    if not merged.changed:
        return "noop"
    return "merged" if merged.concurrent else "applied"


def _is_concurrent(record: Record, edit: Edit, author: Author) -> bool:
    """Tell whether the receipt should say ``merged``; here mere moves of the record count too."""
    return any(one.rv > edit.base and one.device != author.device for one in record.marks.values())


def _written(
    kind: Kind,
    record: Record,
    met: Mapping[str, Met],
    plain: Mapping[str, dict[str, Any]],
    mark: Mark,
) -> Record:
    """Return the next version of a record, with what became of each unit."""
    values: dict[str, Any] = {}
    marks = dict.fromkeys(plain, mark)
    for mine in plain.values():
        values |= mine
    for one in met.values():
        values |= one.values
        marks |= one.marks
    after = record.written(values, marks, record.rv + 1)
    for unit, one in met.items():
        after = after.without_marks(one.dropped) if one.dropped else after
        after = pruned(after, unit) if kind.rule_of(unit) is Rule.SET else after
    return after


def _after_the_end(record: Record, gone: Clash, meetings: Sequence[Meeting]) -> Merged:
    """Keep an edit of a record that the office has deleted, to be restored at once.

    What can be joined is joined even so: an addition or a withdrawal means nothing once it lies
    among other values, and a restored record must come to what it would have been.
    """
    found = {
        one.unit: JOINS[rule](one) for one in meetings
        if (rule := one.kind.rule_of(one.unit)) in JOINS
    }  # fmt: skip
    met = {unit: one for unit, one in found.items() if one.marks and not (one.clash or one.lost)}
    lost = tuple(one.unit for one in meetings if one.unit not in met)
    if not met:
        return Merged(record, {}, (gone,), concurrent=True, changed=False, lost=lost)
    after = _written(meetings[0].kind, record, met, {}, meetings[0].mark)
    kept = {**gone.lost, **{n: after.values.get(n) for one in met.values() for n in one.values}}
    before = {name: record.values.get(name) for name in kept}
    return Merged(after, before, (replace(gone, lost=kept),), concurrent=True, lost=lost)


def delete(kind: Kind, record: Record, edit: Edit, author: Author) -> Merged:
    """Delete a record; a worker's deletion yields to an edit it has not seen.

    The office's stays, with its reason; what it had not seen goes into an open conflict.
    """
    if record.deleted == "office" or (record.deleted and not author.office):
        return Merged(record, before={}, changed=False)
    mark = Mark(record.rv + 1, author.ms, author.device, edit.id)
    unseen = {
        unit: one for unit, one in record.written_since(edit.base, author.device).items()
        if not (unit == DELETION and record.deleted)
    }  # fmt: skip
    if not unseen:
        return Merged(_deleted(record, edit, mark, author), before=dict(record.values))
    latest = max(unseen.values(), key=lambda one: one.rv)
    kept = _values_of(kind, record, unseen)
    if not author.office:
        clash = Clash(DELETION, "delete", False, kept, latest, {DELETED: True}, mark)
        return Merged(record, {}, (clash,), concurrent=True, changed=False, lost=(DELETION,))
    gone = _deleted(record, edit, mark, author)
    clash = Clash(DELETION, "delete", True, _told(gone), mark, kept, latest)
    return Merged(gone, dict(record.values), (clash,), concurrent=True)


def _deleted(record: Record, edit: Edit, mark: Mark, author: Author) -> Record:
    """Return the record deleted, with the reason that the office gave."""
    reason = edit.set.get(REASON)
    why = {WHY: reason[:REASON_MAX]} if author.office and isinstance(reason, str) else {}
    side = "office" if author.office else "worker"
    return replace(record.written(why, {DELETION: mark}, record.rv + 1), deleted=side)


def _told(record: Record) -> dict[str, Any]:
    """Return what a conflict says of a deletion."""
    why = record.values.get(WHY)
    return {DELETED: True, REASON: why} if why else {DELETED: True}


def _values_of(kind: Kind, record: Record, marks: Mapping[str, Mark]) -> dict[str, Any]:
    """Return the values of the units that these marks belong to."""
    units = {owner(key) for key in marks}
    names = [one.name for one in kind.fields if one.unit in units and one.rule is not Rule.SERVER]
    names += [unit for unit in units if unit in record.values and unit not in kind.by_name]
    return {name: record.values.get(name) for name in names}


def owner(key: str) -> str:
    """Return the unit that a mark belongs to; sets and counters keep several for one unit."""
    return key if key in (DELETION, OTHER, BASE_UNIT) else _SIGNS.split(key, maxsplit=1)[0]


def revived(record: Record) -> Record:
    """Return a record as if nobody had deleted it."""
    if record.deleted is None:
        return record
    values = {name: value for name, value in record.values.items() if name != WHY}
    return replace(record.without_marks((DELETION,)), deleted=None, values=values)


def _by_unit(kind: Kind, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    units: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        units.setdefault(kind.unit_of(name), {})[name] = value
    return units


def _meet(meeting: Meeting) -> Met:
    """Tell what becomes of an edit's values of a unit, and what they clash with.

    An edit that was parked and comes late does not undo what its own author did after it.
    """
    kind, unit, mark, current = meeting.kind, meeting.unit, meeting.mark, meeting.current
    rule = kind.rule_of(unit)
    if rule in JOINS:
        return JOINS[rule](meeting)
    mine, theirs = (meeting.mine, mark), (meeting.theirs, current)
    if meeting.outlived(current):
        return Met(lost=rule is not Rule.SERVER)
    if rule is Rule.OFFICE and not meeting.office and meeting.said:
        return Met(clash=clash(unit, "proposal", theirs, mine, needs_human=True), lost=True)
    if rule is Rule.WORKFLOW and kind.workflow:
        _check_move(kind.workflow, meeting)
    if not meeting.unseen(current):
        return Met(meeting.mine, {unit: mark})
    if rule is Rule.WORKFLOW and kind.workflow and kind.workflow.strict:
        return _step_beside(kind.workflow, meeting)
    wins = _wins(kind, rule, theirs, mine)
    if rule is Rule.SERVER:
        return Met(meeting.mine, {unit: mark}) if wins else Met()
    found = clash(unit, rule.value, *((mine, theirs) if wins else (theirs, mine)),
                  needs_human=_needs_human(meeting, rule))  # fmt: skip
    if found and rule is Rule.WORKFLOW:
        found = replace(found, lost=_overtaken(meeting, found))
    return Met(meeting.mine, {unit: mark}, found) if wins else Met(clash=found, lost=True)


def _step_beside(workflow: Workflow, meeting: Meeting) -> Met:
    """Tell whether a step made beside others can be taken from the present state, too.

    If not, the whole edit goes into the clash: half a step would be nobody's.
    """
    if workflow.allows(meeting.theirs, meeting.mine):
        return Met(meeting.mine, {meeting.unit: meeting.mark})
    known = meeting.kind.by_name
    given = {name: value for name, value in meeting.whole.items()
             if name not in known or known[name].rule is not Rule.SERVER}  # fmt: skip
    theirs = {name: meeting.record.values.get(name) for name in given}
    found = Clash(meeting.unit, LATE, True, theirs, meeting.current, given, meeting.mark)
    return Met(clash=found, lost=True)


def _check_move(workflow: Workflow, meeting: Meeting) -> None:
    """Refuse a step that the table does not have, or a round that nobody can have begun.

    Of a step that was made beside others only the round can be judged: rounds only grow, so
    whoever begins one has seen the one before it.
    """
    if not meeting.unseen(meeting.current):
        workflow.check(meeting.theirs, meeting.mine)
    elif not workflow.strict:
        workflow.check_round(meeting.theirs, meeting.mine)


def _needs_human(meeting: Meeting, rule: Rule) -> bool:
    if rule is Rule.OPEN:
        return not meeting.kind.settled(meeting.theirs, meeting.mine)
    return rule is Rule.WORKFLOW


def _overtaken(meeting: Meeting, found: Clash) -> dict[str, Any]:
    """Return all that the overtaken step brought with it: report, counts, reasons."""
    if found.lost_by == meeting.mark:
        rules = {name: meeting.kind.rule_of(meeting.kind.unit_of(name)) for name in meeting.whole}
        return {n: value for n, value in meeting.whole.items() if rules[n] is not Rule.SERVER}
    record, edit = meeting.record, found.lost_by.edit
    marks = {key: one for key, one in record.marks.items() if one.edit == edit and key != OTHER}
    return {**_values_of(meeting.kind, record, marks), **found.lost}


def _wins(
    kind: Kind, rule: Rule, theirs: tuple[dict[str, Any], Mark], mine: tuple[dict[str, Any], Mark]
) -> bool:
    if rule is Rule.WORKFLOW and kind.workflow:
        here, there = kind.workflow.order(theirs[0]), kind.workflow.order(mine[0])
        if here != there:
            return there > here
    return mine[1].order > theirs[1].order


def _gone(record: Record, edit: Edit, values: Mapping[str, Any], author: Author) -> Clash:
    """Return the clash of an edit with the deletion it has not seen: the office's stands.

    Raises:
        Refusal: its author knew that the record is deleted.
    """
    gone = record.mark(DELETION)
    if gone.rv <= edit.base or gone.device == author.device:
        raise Refusal("record_deleted")
    mine = Mark(record.rv, author.ms, author.device, edit.id)
    if record.deleted == "worker":
        return Clash(DELETION, "delete", False, dict(values), mine, {DELETED: True}, gone)
    return Clash(DELETION, "delete", True, _told(record), gone, dict(values), mine)
