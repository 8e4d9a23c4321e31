"""Units that come together without a loser: sets of codes, counters; and consent, which yields.

Each remembers in its marks what it needs so that no order of arrival matters, and no more than
a bounded number of them. The keys are the unit's name with a sign: ``tags=d3adb33f=x`` the
latest addition of an element by a device that no removal has seen, ``tags-x`` the removal of an
element; ``count+`` the latest addition to a counter, ``count+~`` the latest of another device,
``count~`` the count that the present one was made over; ``consent-`` the latest withdrawal,
``consent-~`` that of another device.
"""

from collections.abc import Mapping
from typing import Any

from sync.edits import Mark, Record
from sync.errors import FieldError, Refusal
from sync.meeting import Meeting, Met, below, clash, stacked
from sync.values import Invalid

REMOVED_MAX = 64
"""So many removed elements are remembered for each set."""
ADDERS_MAX = 8
"""So many devices are remembered that have added one element."""
TAIL = 8
"""So much of a device's id tells it from the others that added the same."""

Additions = Mapping[str, Mapping[str, Mark]]


# -- sets -------------------------------------------------------------------------------------


def meet_set(meeting: Meeting) -> Met:
    """Add and remove elements; an addition that a removal had not seen stays."""
    [(name, listed)] = meeting.mine.items()
    there, standing = set(meeting.theirs[name] or ()), _additions(meeting.record, name)
    adds, removes = _intention(meeting, name, set(listed or ()), there, standing)
    added = {x for x in adds if not _outlived_removal(meeting, name, x)}
    marks = {f"{name}={meeting.mark.device[-TAIL:]}={x}": meeting.mark for x in added}
    seen = {x: _seen_additions(meeting, standing.get(x, {})) for x in removes}
    removed = {x for x, keys in seen.items() if len(keys) == len(standing.get(x, {}))}
    for x in removed:
        since = min((standing[x][key].rv for key in seen[x]), default=int(x in there))
        marks[f"{name}-{x}"] = meeting.mark._replace(sum=since)
    dropped = {key for keys in seen.values() for key in keys}
    dropped |= {key for x in added for key in _crowded_out(standing.get(x, {}))}
    after = _checked(meeting, name, sorted((there | added) - removed))
    lost = added != adds or removed != removes
    values = {name: after} if marks or after != meeting.theirs[name] else {}
    return Met(values, marks, lost=lost, dropped=frozenset(dropped - marks.keys()))


def _additions(record: Record, name: str) -> Additions:
    """Return the additions of each element that no removal has seen, by their keys."""
    found: dict[str, dict[str, Mark]] = {}
    start = len(name) + 1
    for key, mark in record.marks.items():
        if key.startswith(f"{name}="):
            found.setdefault(key[start + TAIL + 1 :], {})[key] = mark
    return found


def _seen_additions(meeting: Meeting, standing: Mapping[str, Mark]) -> list[str]:
    return [key for key, mark in standing.items() if not meeting.unseen(mark)]


def _crowded_out(standing: Mapping[str, Mark]) -> list[str]:
    """Return the oldest additions of an element when there is no room for one more."""
    newest = sorted(standing, key=lambda key: standing[key].rv, reverse=True)
    return newest[ADDERS_MAX - 1 :]


def _intention(
    meeting: Meeting, name: str, listed: set[str], there: set[str], standing: Additions
) -> tuple[set[str], set[str]]:
    """Return what the author wanted to add and to remove.

    Of a whole list that is the difference to what he had before him: as he says (``was``), or
    else as the marks tell it.
    """
    if meeting.edit.op == "add":
        return listed, set()
    if meeting.edit.op == "remove":
        return set(), listed
    was = meeting.edit.was.get(name, 0)
    known = was is None or (isinstance(was, list) and all(isinstance(x, str) for x in was))
    seen = set(was or ()) if known else _seen(meeting, name, there, standing)
    return listed - seen, seen - listed


def _seen(meeting: Meeting, name: str, there: set[str], standing: Additions) -> set[str]:
    """Return the elements that were in the set when the author saw it."""
    present = {
        x for x in there if x not in standing or _seen_additions(meeting, standing[x])
    }  # fmt: skip
    sign = f"{name}-"
    gone = {
        key.removeprefix(sign) for key, mark in meeting.record.marks.items()
        if key.startswith(sign) and meeting.unseen(mark) and 0 < mark.sum <= meeting.edit.base
    }  # fmt: skip
    return present | gone


def _outlived_removal(meeting: Meeting, name: str, element: str) -> bool:
    """Tell whether the author of a late addition has removed the element since."""
    removal = meeting.record.marks.get(f"{name}-{element}")
    return removal is not None and meeting.outlived(removal)


def pruned(record: Record, name: str) -> Record:
    """Return a record that remembers only the latest removals from a set."""
    sign = f"{name}-"
    removals = [key for key in record.marks if key.startswith(sign)]
    removals.sort(key=lambda key: record.marks[key].rv)
    return record.without_marks(removals[:-REMOVED_MAX]) if removals[REMOVED_MAX:] else record


# -- counters ---------------------------------------------------------------------------------


def meet_counter(meeting: Meeting) -> Met:
    """Add to a counter, or count anew: what was added unseen comes on top of the new count."""
    [(name, number)] = meeting.mine.items()
    if meeting.edit.op == "add":
        return _added(meeting, name, number)
    current, other = meeting.current, meeting.record.marks.get(below(meeting.unit))
    total, stands = _total(meeting), meeting.theirs[name] or 0
    here = current._replace(sum=stands - total)
    seen = next((one for one in (here, other) if one and not meeting.unseen(one)), None)
    counted = _counted(meeting, name, seen)
    mark = meeting.mark._replace(sum=(number or 0) - counted)
    mine, theirs = (meeting.mine, meeting.mark), (meeting.theirs, current)
    if meeting.unseen(current) and current.order > mark.order:
        found = None if meeting.outlived(current) else clash(
            meeting.unit, "counter", theirs, mine, needs_human=False)  # fmt: skip
        return Met(clash=found, lost=True)
    value = _checked(meeting, name, mark.sum + total)
    values = {name: None if number is None and counted == total else value}
    marks = {meeting.unit: mark} | ({below(meeting.unit): seen} if seen else {})
    if meeting.unseen(current):
        return Met(values, marks, clash(meeting.unit, "counter", mine, theirs, needs_human=False))
    return Met(values, marks)


def _counted(meeting: Meeting, name: str, seen: Mark | None) -> int:
    """Return the additions that the author of a new count had seen.

    All of them, when no device has added since; else what he saw tells, less what it rested on.
    """
    key, was = f"{meeting.unit}+", meeting.edit.was.get(name)
    marks = meeting.record.marks
    fresh = meeting.unseen(marks.get(key)) or meeting.unseen(marks.get(below(key)))
    if fresh and seen and type(was) is int:
        return was - seen.sum
    return _total(meeting)


def _total(meeting: Meeting) -> int:
    """Return the sum of all that was ever added."""
    mark = meeting.record.marks.get(f"{meeting.unit}+")
    return mark.sum if mark else 0


def _added(meeting: Meeting, name: str, delta: int) -> Met:
    mark = meeting.mark._replace(sum=_total(meeting) + delta)
    value = _checked(meeting, name, (meeting.theirs[name] or 0) + delta)
    key = f"{meeting.unit}+"
    return Met({name: value}, stacked(meeting.record.marks, key, mark, below(key)))


def _checked(meeting: Meeting, name: str, value: Any) -> Any:
    """Return what the unit comes to, if its type allows it.

    Raises:
        Refusal: too many elements, or a number out of range; a human must look.
    """
    try:
        return meeting.kind.by_name[name].type.check(value)
    except Invalid as fault:
        raise Refusal("invalid_fields", FieldError(name, fault.code, fault.limits)) from None


# -- consent ----------------------------------------------------------------------------------


def meet_consent(meeting: Meeting) -> Met:
    """Take a withdrawal always; take a consent only from somebody who saw every withdrawal."""
    current = meeting.current
    if meeting.outlived(current):
        return Met(lost=True)
    given = meeting.kind.given
    mine, theirs = (meeting.mine, meeting.mark), (meeting.theirs, current)
    marks: Mapping[str, Mark] = {}
    if given(meeting.mine):
        wins = not any(map(meeting.unseen, _withdrawals(meeting))) and _later(meeting)
    else:
        wins = given(meeting.theirs) or _later(meeting)
        key = f"{meeting.unit}-"
        marks = stacked(meeting.record.marks, key, meeting.mark, below(key))
    pair = (mine, theirs) if wins else (theirs, mine)
    found = clash(meeting.unit, "consent", *pair, needs_human=False)
    found = found if meeting.unseen(current) or not wins else None
    if wins:
        return Met(meeting.mine, {**marks, meeting.unit: meeting.mark}, found)
    return Met({}, marks, found, lost=True)


def _withdrawals(meeting: Meeting) -> tuple[Mark | None, Mark | None]:
    marks, key = meeting.record.marks, f"{meeting.unit}-"
    return marks.get(key), marks.get(below(key))


def _later(meeting: Meeting) -> bool:
    """Tell whether the edit has seen what stands, or is the later of the two."""
    return not meeting.unseen(meeting.current) or meeting.mark.order > meeting.current.order
