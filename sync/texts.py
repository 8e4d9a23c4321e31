"""Merge long texts by lines: what was changed apart comes together, all else is left to people.

The common ancestor is what the author had before him (``was``). It is believed without proof:
whoever invents it gains nothing that he could not have written outright, and what stood before
is in the ledger.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any, NamedTuple

from sync.edits import Mark
from sync.meeting import Meeting, Met, below, clash, stacked
from sync.values import Invalid

LINES_MAX = 400
"""Longer texts are not compared: the time would grow with the square of their lines."""


class Hunk(NamedTuple):
    """Lines ``start`` to ``end`` of the common text, and what one side put there."""

    start: int
    end: int
    lines: tuple[str, ...]


def meet_text(meeting: Meeting) -> Met:
    """Bring a text together with what was written meanwhile; else the larger stamp stands."""
    current, other = meeting.current, meeting.record.marks.get(below(meeting.unit))
    if current.rv <= meeting.edit.base:
        return Met(meeting.mine, _marks(meeting))
    joined = _joined(meeting)
    if joined is not None:
        return Met(joined, _marks(meeting))
    if meeting.outlived(current):
        return Met(lost=True)
    if not (meeting.unseen(current) or meeting.unseen(other)):
        return Met(meeting.mine, _marks(meeting))
    theirs_by = other if current.device == meeting.mark.device and other else current
    theirs, mine = (meeting.theirs, theirs_by), (meeting.mine, meeting.mark)
    latest = max((one for one in (current, other) if one), key=lambda one: one.order)
    if meeting.mark.order > latest.order:
        found = clash(meeting.unit, "text", mine, theirs, needs_human=True)
        return Met(meeting.mine, _marks(meeting), found)
    found = clash(meeting.unit, "text", theirs, mine, needs_human=True)
    return Met(clash=found, lost=True)


def _marks(meeting: Meeting) -> dict[str, Mark]:
    """Return the marks of the unit: who wrote last, and who else wrote into a merged text."""
    marks = {meeting.unit: meeting.current}
    return stacked(marks, meeting.unit, meeting.mark, below(meeting.unit))


def _joined(meeting: Meeting) -> dict[str, Any] | None:
    """Return the text that holds both changes, if they lie apart and fit."""
    [(name, mine)] = meeting.mine.items()
    was, there = meeting.edit.was.get(name, 0), meeting.theirs[name]
    if not isinstance(was, str | None):
        return None
    joined = merge_lines(was or "", mine or "", there or "")
    if not joined:
        return None if joined is None else {name: mine}
    try:
        return {name: meeting.kind.by_name[name].type.check(joined)}
    except Invalid:
        return None


def merge_lines(base: str, mine: str, theirs: str) -> str | None:
    """Merge two texts that were made from one; None when they touch the same lines.

    Lines that follow one another directly count as the same place: whether two new lines belong
    there in this order, or one instead of the other, only people can tell.
    """
    if theirs == base or mine == theirs:
        return mine
    if mine == base:
        return theirs
    lines = base.split("\n")
    sides = (mine.split("\n"), theirs.split("\n"))
    if max(len(lines), *(len(side) for side in sides)) > LINES_MAX:
        return None
    hunks = sorted({hunk for side in sides for hunk in _hunks(lines, side)})
    if any(later.start <= hunk.end for hunk, later in pairwise(hunks)):
        return None
    return "\n".join(_woven(lines, hunks))


def _hunks(base: Sequence[str], side: Sequence[str]) -> list[Hunk]:
    matcher = SequenceMatcher(None, base, side, autojunk=False)
    return [
        Hunk(start, end, tuple(side[there:until]))
        for tag, start, end, there, until in matcher.get_opcodes()
        if tag != "equal"
    ]


def _woven(base: Sequence[str], hunks: Sequence[Hunk]) -> list[str]:
    woven: list[str] = []
    here = 0
    for hunk in hunks:
        woven += [*base[here : hunk.start], *hunk.lines]
        here = hunk.end
    return [*woven, *base[here:]]
