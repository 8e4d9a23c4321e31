"""Planted bugs of the merge rules: sets, counters, texts, consents, steps and choices."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import conflicts, joins, merge, overlay, texts
from sync.kinds import Rule
from sync.meeting import Meeting, Met
from sync.merge import JOINS
from tests.simulation.sabotage import _instead, planted

if TYPE_CHECKING:
    from tests.simulation.world import World


def _rule(rule: Rule, wrong: Any) -> Any:
    """Put another function in the place of a rule for a while."""
    return _instead((merge, "JOINS", {**JOINS, rule: wrong}))


@planted
def removal_beats_addition(world: "World") -> Iterator[None]:
    """Remove an element whoever has added it since."""

    def all_seen(meeting: Meeting, standing: Any) -> list[str]:
        return list(standing)

    with _instead((joins, "_seen_additions", all_seen)):
        yield


@planted
def marks_of_elements_forgotten(world: "World") -> Iterator[None]:
    """Keep one mark for a whole set."""

    def wrong(meeting: Meeting) -> Met:
        met = joins.meet_set(meeting)
        return replace(met, marks={meeting.unit: meeting.mark} if met.marks else {})

    with _rule(Rule.SET, wrong):
        yield


@planted
def list_replaces_the_set(world: "World") -> Iterator[None]:
    """Take a whole list for a new set, not for what its author has changed."""

    def wrong(meeting: Meeting, name: str, listed: set[str], there: set[str], _: Any) -> Any:
        return listed, there - listed

    with _instead((joins, "_intention", wrong)):
        yield


@planted
def additions_overwrite(world: "World") -> Iterator[None]:
    """Merge what was added to a counter like any other value: the latest sum stands."""

    def wrong(meeting: Meeting) -> Met:
        [(name, number)] = meeting.mine.items()
        if meeting.unseen(meeting.current) and meeting.edit.op == "add":
            return Met({name: number}, {meeting.unit: meeting.mark})
        met = joins.meet_counter(meeting)
        return replace(met, marks={**met.marks, meeting.unit: meeting.mark})

    with _rule(Rule.COUNTER, wrong):
        yield


@planted
def consent_beats_withdrawal(world: "World") -> Iterator[None]:
    """Let the later of a consent and a withdrawal stand."""
    with _instead((joins, "_withdrawals", lambda meeting: (None, None))):
        yield


@planted
def cancelled_beats_done(world: "World") -> Iterator[None]:
    """Let a step back win over a step on."""
    right = merge._wins

    def wrong(kind: Any, rule: Any, theirs: Any, mine: Any) -> bool:
        return rule is Rule.WORKFLOW or right(kind, rule, theirs, mine)

    with _instead((merge, "_wins", wrong)):
        yield


@planted
def texts_concatenated(world: "World") -> Iterator[None]:
    """Put two texts that touch the same lines one after the other."""
    right = texts.merge_lines

    def wrong(base: str, mine: str, theirs: str) -> str:
        joined = right(base, mine, theirs)
        return f"{theirs}\n{mine}"[:400] if joined is None else joined

    with _instead((texts, "merge_lines", wrong)):
        yield


@planted
def text_merged_on_what_stands(world: "World") -> Iterator[None]:
    """Take the present text for what the author had before him: his lines win, others are lost."""

    def wrong(base: str, mine: str, theirs: str) -> str:
        return mine

    with _instead((texts, "merge_lines", wrong)):
        yield


@planted
def undo_over_a_newer_value(world: "World") -> Iterator[None]:
    """Take a choice back whatever has been written since."""
    with _instead((conflicts, "_written_over", lambda *_: [])):
        yield


@planted
def phone_shows_what_was_sent(world: "World") -> Iterator[None]:
    """Show what is taken from a set as if it were the set."""
    with _instead((overlay, "_joined", lambda op, there, said: said)):
        yield
