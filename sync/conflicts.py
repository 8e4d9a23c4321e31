"""Conflicts are records like any other: both values, both authors, and a choice to make."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync import merge
from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.errors import FieldError, Refusal
from sync.kinds import Field, Kind, Rule
from sync.values import Choice, Free, Identity, Listing, Text, Whole

OPEN, SETTLED, RESOLVED = "open", "settled", "resolved"
KEEP, SWAP = "keep", "swap"
CHOICES = (KEEP, SWAP)
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
        Field("choice", Choice(CHOICES), Rule.SERVER),
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

    Edits of a record that the office has deleted gather in one conflict, to be restored at once.
    """
    values: dict[str, Any] = {
        "kind": target.kind, "record": target.id, "unit": clash.unit, "rule": clash.rule,
        "state": OPEN if clash.open else SETTLED, "base": edit.base,
        "won": _side(clash.won, clash.won_by), "lost": _side(clash.lost, clash.lost_by),
        "choice": None, "scopes": list(scopes),
    }  # fmt: skip
    if clash.unit == merge.DELETION and existing and existing.values["state"] == OPEN:
        buried: Mapping[str, Any] = existing.values["lost"]["values"]
        values["lost"]["values"] = {**buried, **clash.lost}
    rv = existing.rv + 1 if existing else 1
    return Record(
        CONFLICT.name,
        clash.conflict_id(target.id, edit.base),
        rv,
        values,
        {BASE_UNIT: mark._replace(rv=rv)},
    )


def chosen(edit: Edit, conflict: Record) -> str:
    """Return what a resolution chooses.

    Raises:
        Refusal: the choice is unknown, or the conflict has been resolved already.
    """
    choice = edit.set.get("choice")
    if choice not in CHOICES:
        raise Refusal("invalid_fields", FieldError("choice", "not_a_choice",
                                                   {"choices": list(CHOICES)}))  # fmt: skip
    if conflict.values["state"] == RESOLVED:
        raise Refusal("already_resolved")
    return str(choice)


def swap(
    kind: Kind, target: Record, conflict: Record, edit: Edit, author: merge.Author
) -> merge.Merged:
    """Write what had lost over whatever stands: the human has seen both.

    Raises:
        Refusal: the workflow has no such move from here, or the office alone may choose.
    """
    if not author.office and _is_for_office(kind, target, conflict):
        raise Refusal("not_allowed")
    lost: Mapping[str, Any] = conflict.values["lost"]["values"]
    seen = replace(edit, base=target.rv)
    if conflict.values["unit"] == merge.DELETION and lost == {"deleted": True}:
        return merge.delete(target, seen, author)
    return merge.update(kind, merge.revived(target), seen, lost, author)


def _is_for_office(kind: Kind, target: Record, conflict: Record) -> bool:
    """Tell whether only the office may let the loser win: its own fields, its own deletion."""
    return kind.rule_of(conflict.values["unit"]) is Rule.OFFICE or target.deleted == "office"


def resolved(conflict: Record, choice: str, mark: Mark) -> Record:
    """Return the conflict with its choice made."""
    return conflict.written(
        {"state": RESOLVED, "choice": choice}, {BASE_UNIT: mark}, conflict.rv + 1
    )
