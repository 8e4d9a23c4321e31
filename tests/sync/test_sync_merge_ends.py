"""Laws of steps, deletions, groups and proposals: in every order the same end, nothing lost."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from sync import merge
from sync.edits import Record
from sync.errors import Refusal
from tests.sync.arrivals import FOUNDER, START, History, Step, everywhere, orders
from tests.sync.house import JOB, PLOT, name_of

JOB_VALUES = {"grid": 7, "state": "started", "round": 0, "report": None}
BEGUN = Record("job", name_of(2), 1, JOB_VALUES, {"*": FOUNDER})


def _move(device: str, state: str, round_: int = 0, **more: Any) -> Step:
    return Step(device, "update", {"state": state, "round": round_, **more}, office=True)


# -- steps of a workflow ----------------------------------------------------------------------

MOVES = [
    _move("a", "done", report="by a"), _move("b", "cancelled"), _move("c", "assigned", 1),
    _move("d", "done", report="by d"), _move("e", "started"),
]  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_step_furthest_along_stands_in_every_order(count: int) -> None:
    assert JOB.workflow is not None
    for steps in itertools.combinations(MOVES, count):
        best = max(JOB.workflow.order(one.values) for one in steps)
        for history in _everywhere_allowed(steps):
            assert JOB.workflow.order(history.record.values) == best


def _everywhere_allowed(steps: Sequence[Step]) -> list[History]:
    """Return the histories of all orders in which the first step is one of the table."""
    histories = []
    for order in orders(steps):
        history = History(JOB, BEGUN)
        try:
            for number, step in order:
                history.arrive(f"e{number}", step, ms=10 + number)
        except Refusal:
            assert order[0][1].values["state"] in ("assigned", "started")
            continue
        histories.append(history)
    return histories


def test_what_was_overtaken_is_kept_with_all_it_brought() -> None:
    assert JOB.workflow is not None
    order = JOB.workflow.order
    for steps in itertools.combinations(MOVES, 2):
        for history in _everywhere_allowed(steps):
            for one in steps:
                if order(one.values) < order(history.record.values):
                    assert any(one.values.items() <= lost.items() for lost in history.kept), one


@pytest.mark.parametrize("count", [2, 3, 4])
def test_no_report_is_lost_whatever_step_stands(count: int) -> None:
    for steps in itertools.combinations(MOVES, count):
        for history in _everywhere_allowed(steps):
            kept = {one.get("report") for one in [history.record.values, *history.kept]}
            assert {one.values["report"] for one in steps if "report" in one.values} <= kept


def test_done_beats_cancelled_and_a_return_beats_done() -> None:
    for history in everywhere([MOVES[1], MOVES[0]], JOB, BEGUN):
        assert history.record.values["state"] == "done"
        [clash] = [one for merged in history.merged for one in merged.clashes]
        assert clash.open and clash.lost == {"state": "cancelled", "round": 0}
    history = History(JOB, BEGUN)
    history.arrive("done", _move("a", "done", report="x"))
    history.arrive("back", Step("b", "update", {"state": "assigned", "round": 1}, base=2))
    late = history.arrive("late", _move("d", "done", report="late"), ms=99)
    assert (history.record.values["state"], history.record.values["round"]) == ("assigned", 1)
    assert late.lost == ("state",) and late.clashes[0].lost["report"] == "late"


def test_a_round_cannot_be_made_up_beside_others() -> None:
    history = History(JOB, BEGUN)
    history.arrive("done", _move("a", "done"))
    with pytest.raises(Refusal) as refusal:
        history.arrive("far", _move("b", "assigned", 9))
    assert refusal.value.code == "transition_not_allowed"


# -- deletion against edits -------------------------------------------------------------------

WORKER = Step("a", "delete")
OFFICE = Step("b", "delete", {"reason": "house pulled down"}, office=True)
OWN = Step("c", "update", {"owner": "c"})
NAME = Step("d", "update", {"name": "d"})


def _fate(history: History) -> tuple[Any, ...]:
    return history.record.deleted, history.record.values["owner"], history.record.values["name"]


@pytest.mark.parametrize("others", [[OWN], [OWN, NAME]])
def test_a_worker_deletion_yields_to_an_edit_in_every_order(others: list[Step]) -> None:
    for history in everywhere([WORKER, *others]):
        assert history.record.deleted is None
        assert all(one.values.items() <= history.record.values.items() for one in others)
        gone = [c for one in history.merged for c in one.clashes if c.unit == merge.DELETION]
        assert [(c.open, dict(c.lost)) for c in gone] == [(False, {"deleted": True})]


@pytest.mark.parametrize("others", [[OWN], [OWN, NAME], [OWN, NAME, WORKER], [OWN, WORKER]])
def test_the_offices_deletion_stays_in_every_order_and_keeps_the_edits(others: list[Step]) -> None:
    for history in everywhere([OFFICE, *others]):
        assert history.record.deleted == "office"
        opened = [c for one in history.merged for c in one.clashes
                  if c.unit == merge.DELETION and c.open]  # fmt: skip
        assert all(c.won == {"deleted": True, "reason": "house pulled down"} for c in opened)
        kept = {item for c in opened for item in c.lost.items()}
        assert {item for one in others for item in one.values.items()} <= kept


def test_both_deletions_end_as_the_offices() -> None:
    for history in everywhere([WORKER, OFFICE]):
        assert history.record.deleted == "office"


def test_an_edit_that_loses_anyway_brings_nothing_back() -> None:
    history = History()
    history.arrive("first", OWN, ms=50)
    history.arrive("gone", Step("a", "delete", base=2))
    late = history.arrive("late", Step("e", "update", {"owner": "e"}), ms=10)
    assert history.record.deleted == "worker"
    assert [dict(one.lost) for one in late.clashes] == [{"owner": "e"}]


# -- groups, outlines, proposals, children ----------------------------------------------------

PLACES = [Step(device, "update", {"lon": n, "lat": n + 10}) for n, device in enumerate("abcd", 1)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_group_is_taken_whole_and_the_latest_stands_in_every_order(count: int) -> None:
    for steps in itertools.permutations(PLACES, count):
        for history in everywhere(steps):
            values = history.record.values
            assert (values["lon"], values["lat"]) == tuple(steps[-1].values.values())
            assert all(one["lat"] == one["lon"] + 10 for one in history.kept)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_latest_of_an_observation_stands_in_every_order(count: int) -> None:
    steps = [Step(device, "update", {"owner": device}) for device in "abcd"[:count]]
    for history in everywhere(steps):
        assert history.record.values["owner"] == steps[-1].values["owner"]
        told = [history.record.values, *history.kept]
        assert all(any(one.get("owner") == s.values["owner"] for one in told) for s in steps)
        assert not any(clash.open for one in history.merged for clash in one.clashes)


def test_a_reshaped_outline_is_left_to_people() -> None:
    steps = [Step(d, "update", {"outline": [[1.0, 2.0], [3.0, float(n)]]})
             for n, d in enumerate("ab")]  # fmt: skip
    for history in everywhere(steps):
        [clash] = [one for merged in history.merged for one in merged.clashes]
        assert clash.open and history.record.values["outline"] == steps[1].values["outline"]


@pytest.mark.parametrize("count", [2, 3])
def test_a_workers_value_of_an_office_field_is_never_applied(count: int) -> None:
    office = Step("o", "update", {"grid": 9}, office=True)
    proposals = [Step(d, "update", {"grid": n}) for n, d in enumerate("ab", 11)]
    for history in everywhere([*proposals[: count - 1], office]):
        assert history.record.values["grid"] == 9
        assert {one["grid"] for one in history.kept} == {11, 12} & set(range(11, 10 + count))


def test_an_edit_of_one_unit_never_touches_another() -> None:
    steps = [OWN, NAME, PLACES[0], Step("b", "add", {"tags": ["c"], "calls": 2})]
    ends = {repr(sorted(history.record.values.items())) for history in everywhere(steps)}
    assert len(ends) == 1
    assert START.values != next(everywhere(steps)).record.values and PLOT.name == "plot"


# -- planted: what these laws must notice -----------------------------------------------------


def test_the_laws_notice_a_deletion_that_swallows_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "_values_of", lambda kind, record, marks: {})
    with pytest.raises(AssertionError):
        test_the_offices_deletion_stays_in_every_order_and_keeps_the_edits([OWN])


def test_the_laws_notice_an_overtaken_step_without_its_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merge, "_overtaken", lambda meeting, found: dict(found.lost))
    with pytest.raises(AssertionError):
        test_what_was_overtaken_is_kept_with_all_it_brought()


def test_the_laws_notice_halves_of_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(PLOT), "unit_of", lambda self, name: name)
    monkeypatch.setattr(merge, "_wins", lambda kind, rule, theirs, mine: "lat" in mine[0])
    with pytest.raises(AssertionError):
        test_a_group_is_taken_whole_and_the_latest_stands_in_every_order(2)
