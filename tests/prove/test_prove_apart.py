"""Phones in a process of their own do the same in the same order, and say what went wrong there."""

import itertools
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prove import sim
from tests.prove.apart import URGENT, Apart, Aside, Errand, first_of
from tests.prove.beside import Beside
from tests.prove.phones import Phones
from tests.prove.plan import Plan

NAMES = st.sampled_from((URGENT, "work", "take_in"))
ERRANDS = st.lists(st.tuples(NAMES, st.sampled_from((None, 0, 1, 2))), max_size=12)


def _errands(told: list[tuple[str, int | None]]) -> list[Errand]:
    return [Errand(serial, name, phone, ()) for serial, (name, phone) in enumerate(told)]


@given(ERRANDS)
def test_each_phone_does_what_it_is_told_in_that_order(told: list[tuple[str, int | None]]) -> None:
    errands = _errands(told)
    waiting = deque(errands)
    done = [first_of(waiting) for _ in errands]
    for phone in (0, 1, 2):
        # What is told to all phones is also told to each.
        mine = [one for one in errands if one.number in (phone, None)]
        assert [one for one in done if one.number in (phone, None)] == mine


@given(ERRANDS.filter(bool))
def test_a_request_waits_for_its_own_phone_alone(told: list[tuple[str, int | None]]) -> None:
    errands = _errands(told)
    near = list(itertools.takewhile(lambda one: one.number is not None, errands))
    first = {one.number: one for one in reversed(near)}
    ready = [one for one in near if one.name == URGENT and first[one.number] is one]
    assert first_of(deque(errands)) == (ready or errands)[0]


@pytest.mark.parametrize("sabotage", ["overlay_dropped_at_the_reply", "stale_rows_kept"])
def test_what_is_found_on_a_phone_is_told_by_whoever_lives_with_the_world(sabotage: str) -> None:
    plan = Plan(phones=24, edits=600, days=20, rests=2, restores=2)
    here = sim.prove("memory", 3, plan, sabotage)
    there = sim.prove("memory", 3, plan, sabotage, aside=Aside(Beside, Apart))
    assert here["violations"] and there["violations"] == here["violations"]


def test_a_mistake_among_the_phones_is_not_taken_for_silence() -> None:
    line = Apart(Phones([], ()))
    with pytest.raises(RuntimeError, match="IndexError"):
        line.ask("reboot", 7, 0)()
    line.close()
