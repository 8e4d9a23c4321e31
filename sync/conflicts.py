"""Conflicts are records like any other: both values, both authors, and a choice to make."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync import merge
from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.errors import FieldError, Refusal
from sync.grounds import EMPTIED
from sync.kinds import Field, Kind, Rule
from sync.values import Choice, Free, Identity, Listing, Text, Whole

OPEN, SETTLED, RESOLVED = "open", "settled", "resolved"
KEEP, SWAP, UNDO = "keep", "swap", "undo"
CHOICES = (KEEP, SWAP, UNDO)
RANK = 25


def _scopes(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(values.get("scopes") or ())


CONFLICT = Kind(
    name="conflict",
    fields=(
        Field("kind", Text(40), Rule.SERVER),
        Field("record", Identity(), Rule.SERVER),
        Field("unit", Text(60), Rule.SERVER),
        Field("rule", Text(20), Rule.SERVER),
        Field("state", Choice((OPEN, SETTLED, RESOLVED)), Rule.SERVER),
        Field("base", Whole(0, 2**53), Rule.SERVER),
        Field("won", Free(), Rule.SERVER),
        Field("lost", Free(), Rule.SERVER),
        Field("choice", Choice((KEEP, SWAP)), Rule.SERVER),
        Field("record_rv", Whole(0, 2**53), Rule.SERVER),
        Field("by", Free(), Rule.SERVER),
        Field("before", Free(), Rule.SERVER),
        Field("scopes", Listing(Text(80), 20), Rule.SERVER),
    ),
    scopes=_scopes,
    rank=lambda _values: RANK,
    sealed=True,
)


def _side(values: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    return {"values": dict(values), "ms": mark.ms, "device": mark.device, "edit": mark.edit}


def conflict_of(
    clash: merge.Clash,
    target: Record,
    scopes: tuple[str, ...],
    *,
    edit: Edit,
    existing: Record | None,
    mark: Mark,
) -> Record:
    """Return the conflict record of a clash, new or over an earlier one of the same pair.

    Edits of a record that the office has deleted gather in one conflict, to be restored at once;
    so do steps of one device that came too late: what came with each lies nowhere else.
    """
    values: dict[str, Any] = {
        "kind": target.kind, "record": target.id, "unit": clash.unit, "rule": clash.rule,
        "state": OPEN if clash.open else SETTLED, "base": edit.base,
        "won": _side(clash.won, clash.won_by), "lost": _side(clash.lost, clash.lost_by),
        "choice": None, "scopes": list(scopes), "record_rv": mark.rv, "by": None,
        "before": None,
    }  # fmt: skip
    if existing and _gathers(clash, existing):
        for side in ("won", "lost") if clash.rule == merge.LATE else ("lost",):
            buried: Mapping[str, Any] = existing.values[side]["values"]
            values[side]["values"] = {**buried, **values[side]["values"]}
    rv = existing.rv + 1 if existing else 1
    return Record(
        CONFLICT.name,
        clash.conflict_id(target.id, edit.base),
        rv,
        values,
        {BASE_UNIT: mark._replace(rv=rv)},
    )


def _gathers(clash: merge.Clash, existing: Record) -> bool:
    """Tell whether what lost lies in the conflict alone, beside what lost before it."""
    only_there = clash.unit == merge.DELETION or clash.rule == merge.LATE
    undecided = existing.values["state"] == OPEN and existing.values["rule"] == clash.rule
    return only_there and undecided


def chosen(edit: Edit, conflict: Record) -> str:
    """Return what a resolution chooses.

    Raises:
        Refusal: the choice is unknown, the conflict has been resolved already (what an undo
            would need may have been forgotten since), or there is no resolution to undo.
    """
    choice = edit.set.get("choice")
    if choice not in CHOICES:
        raise Refusal("invalid_fields", FieldError("choice", "not_a_choice",
                                                   {"choices": list(CHOICES)}))  # fmt: skip
    resolved = conflict.values["state"] == RESOLVED
    if resolved and (choice != UNDO or conflict.deleted):
        raise Refusal("already_resolved")
    if not resolved and choice == UNDO:
        raise Refusal("not_resolved")
    return str(choice)


def swap(
    kind: Kind, target: Record, conflict: Record, edit: Edit, author: merge.Author
) -> merge.Merged:
    """Write what had lost over what stands, if that is what the human has seen.

    Raises:
        Refusal: something newer stands, the workflow has no such move from here, the office
            alone may choose, or a consent must be asked for again.
    """
    values = conflict.values
    if not author.office and _is_for_office(kind, target, conflict):
        raise Refusal("not_allowed")
    lost: Mapping[str, Any] = values["lost"]["values"]
    if values["rule"] == Rule.CONSENT.value or _is_not_held(kind, target, lost):
        raise Refusal("consent_ask_again")
    if target.deleted and values["unit"] != merge.DELETION:
        raise Refusal("record_deleted")
    if any(_is_news(mark, conflict, edit, author) for mark in _standing(target, conflict)):
        raise Refusal("changed_since")
    seen = replace(edit, op="update", base=target.rv, was=target.values)
    if values["unit"] == merge.DELETION and merge.DELETED in lost:
        return merge.delete(kind, target, replace(seen, set={}), author)
    if values["rule"] == Rule.WORKFLOW.value:
        return _taken_up(kind, target, lost, seen, author)
    if values["rule"] == merge.LATE:
        return _added(kind, target, lost, seen, author)
    if values["unit"] == merge.DELETION:
        lost = _unwritten(kind, target, conflict)
    written = merge.update(kind, merge.revived(target), seen, lost, author)
    if target.deleted and not written.changed:
        return replace(_brought_back(target, edit, author), before=written.before)
    return written


def _is_not_held(kind: Kind, target: Record, lost: Mapping[str, Any]) -> bool:
    """Tell whether what lost brings back something whose consent has ended."""
    emptied = target.values.get(EMPTIED) or ()
    return any(lost.get(one.name) is not None and one.name in emptied for one in kind.by_consent)


def _unwritten(kind: Kind, target: Record, conflict: Record) -> dict[str, Any]:
    """Return what of a buried edit the record lacks: what can be joined has been, even so."""
    told: Mapping[str, Any] = conflict.values["lost"]["values"]
    since = conflict.values.get("record_rv") or 0
    kept = {}
    for name, value in told.items():
        unit = kind.unit_of(name)
        rule = kind.rule_of(unit)
        newer = rule in merge.JOINS and target.mark(unit).rv > since
        if not newer and rule not in (Rule.SET, Rule.COUNTER):
            kept[name] = value
    return kept


def _standing(target: Record, conflict: Record) -> list[Mark]:
    """Return the marks of what a swap would write over."""
    unit = conflict.values["unit"]
    if unit != merge.DELETION:
        return [mark for key, mark in target.marks.items() if merge.owner(key) == unit]
    return [target.mark(merge.DELETION)] if target.deleted else list(target.marks.values())


def _is_news(mark: Mark, conflict: Record, edit: Edit, author: merge.Author) -> bool:
    """Tell whether a mark is newer than both sides of a conflict, and nothing the author saw."""
    values, seen = conflict.values, edit.set.get("seen")
    if mark.edit in (values["won"]["edit"], values["lost"]["edit"]) or mark.device == author.device:
        return False
    if type(seen) is int and mark.rv <= seen:
        return False
    return mark.rv > (values.get("record_rv") or 0)


def _taken_up(
    kind: Kind, target: Record, lost: Mapping[str, Any], seen: Edit, author: merge.Author
) -> merge.Merged:
    """Take up an overtaken step: its state where the table allows it, its content always.

    Raises:
        Refusal: there is no such move from here, and nothing else to take up.
    """
    content = {n: v for n, v in lost.items() if kind.rule_of(kind.unit_of(n)) is not Rule.WORKFLOW}
    try:
        return merge.update(kind, target, seen, lost, author)
    except Refusal:
        if not content:
            raise
        return merge.update(kind, target, seen, content, author)


def _added(
    kind: Kind, target: Record, lost: Mapping[str, Any], seen: Edit, author: merge.Author
) -> merge.Merged:
    """Take up what came with a step that was too late, never the step: that has its guards.

    Raises:
        Refusal: nothing came with it.
    """
    content = {n: v for n, v in lost.items() if kind.rule_of(kind.unit_of(n)) is not Rule.WORKFLOW}
    if not content:
        raise Refusal("transition_not_allowed")
    return merge.update(kind, target, seen, content, author)


def _is_for_office(kind: Kind, target: Record, conflict: Record) -> bool:
    """Tell whether only the office may let the loser win: its own fields, its own deletion."""
    return kind.rule_of(conflict.values["unit"]) is Rule.OFFICE or target.deleted == "office"


def undo(
    kind: Kind, target: Record, conflict: Record, edit: Edit, author: merge.Author
) -> merge.Merged | None:
    """Return the record as it was before a swap; None when nothing had been written.

    Raises:
        Refusal: somebody else chose, something has been written since, or only the office may.
    """
    by, before = conflict.values["by"], conflict.values["before"]
    if not author.office and by["device"] != author.device:
        raise Refusal("not_allowed")
    if before["rv"] is None:
        return None
    gone = before["deleted"] == "office"
    if not author.office and (gone or _is_for_office(kind, target, conflict)):
        raise Refusal("not_allowed")
    if any(mark.rv > before["rv"] for mark in _written_over(kind, target, conflict)):
        raise Refusal("changed_since")
    if target.deleted:
        return _brought_back(target, edit, author)
    # What stood before stands again, whatever step that is: nobody has gone on from here.
    free, seen = replace(kind, workflow=None), replace(edit, op="update", base=target.rv,
                                                       was=target.values)  # fmt: skip
    back = merge.update(free, target, seen, before["values"], author)
    return _buried(back, conflict, edit, author) if before["deleted"] else back


def _written_over(kind: Kind, target: Record, conflict: Record) -> list[Mark]:
    """Return the marks that tell whether somebody has written since a swap."""
    units = {kind.unit_of(name) for name in conflict.values["before"]["values"]}
    whole = conflict.values["unit"] == merge.DELETION
    return [mark for key, mark in target.marks.items()
            if whole or key == merge.DELETION or merge.owner(key) in units]  # fmt: skip


def _brought_back(target: Record, edit: Edit, author: merge.Author) -> merge.Merged:
    """Return a record that a swap had deleted, alive again."""
    mark = Mark(target.rv + 1, author.ms, author.device, edit.id)
    alive = merge.revived(target).written({}, {merge.DELETION: mark}, mark.rv)
    return merge.Merged(alive, {})


def _buried(back: merge.Merged, conflict: Record, edit: Edit, author: merge.Author) -> merge.Merged:
    """Return a record that a swap had restored, deleted as it was."""
    rv = back.record.rv + (not back.changed)
    mark = Mark(rv, author.ms, author.device, edit.id)
    why = conflict.values["won"]["values"].get(merge.REASON)
    record = replace(
        back.record,
        rv=rv,
        deleted=conflict.values["before"]["deleted"],
        marks={**back.record.marks, merge.DELETION: mark},
        values={**back.record.values, **({merge.WHY: why} if why else {})},
    )
    return replace(back, record=record, changed=True)


def before_choice(
    conflict: Record, target: Record | None, merged: merge.Merged | None
) -> dict[str, Any]:
    """Return what an undo needs: the state of the conflict, and what a swap wrote over."""
    written = merged if merged and merged.changed else None
    return {
        "state": conflict.values["state"],
        "rv": written.record.rv if written else None,
        "values": dict(written.before) if written and not written.record.deleted else {},
        "deleted": target.deleted if target else None,
    }


def resolved(conflict: Record, choice: str, before: Mapping[str, Any], mark: Mark) -> Record:
    """Return the conflict with its choice made."""
    by = {"edit": mark.edit, "device": mark.device, "ms": mark.ms}
    values = {"state": RESOLVED, "choice": choice, "by": by, "before": dict(before)}
    return conflict.written(values, {BASE_UNIT: mark}, conflict.rv + 1)


def reopened(conflict: Record, mark: Mark) -> Record:
    """Return the conflict as it was before its choice."""
    state = conflict.values["before"]["state"]
    values = {"state": state, "choice": None, "by": None, "before": None}
    return conflict.written(values, {BASE_UNIT: mark}, conflict.rv + 1)


def resolved_here(values: Mapping[str, Any], choice: str) -> dict[str, Any]:
    """Return a conflict as the phone shows it that has chosen and not heard of the server yet."""
    if choice == UNDO:
        state = (values.get("before") or {}).get("state", OPEN)
        return {**values, "state": state, "choice": None}
    return {**values, "state": RESOLVED, "choice": choice}
