"""Marks for review and the burden ledger: about work, in areas, never about persons."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.core.database import table_of
from app.numbers.marks import AT_ONCE_MS, BURST_COUNT, BURST_WITHIN, Done, at_once, bursts
from app.tasks.models import Task
from tests.app.core.county import County
from tests.app.identity.town import COUNTY, GRID, NEXT_VILLAGE, TOWNSHIP, VILLAGE, outcome

NOON = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


def _done(*minutes: float, grid: int = GRID) -> list[Done]:
    return [Done(f"{grid}-{n}", grid, NOON + timedelta(minutes=m)) for n, m in enumerate(minutes)]


def test_ten_within_five_minutes_are_a_burst_and_nine_are_not() -> None:
    assert [len(run) for _, run in bursts(_done(*range(10)))] == []
    quick = [n / 2 for n in range(10)]
    assert [len(run) for _, run in bursts(_done(*quick))] == [10]
    assert list(bursts(_done(*quick[:9]))) == []


def test_two_bursts_of_a_day_are_two_marks_and_grids_are_apart() -> None:
    early, late = [n / 3 for n in range(10)], [60 + n / 3 for n in range(12)]
    assert [len(run) for _, run in bursts(_done(*early, *late))] == [10, 12]
    halves = _done(*early[:5], grid=1) + _done(*early[5:], grid=2)
    assert list(bursts(halves)) == []


@given(st.lists(st.integers(0, 3_000), max_size=60))
def test_a_task_is_marked_exactly_when_it_lies_in_a_window_of_ten(seconds: list[int]) -> None:
    done = _done(*(second / 60 for second in sorted(seconds)))
    marked = {one.id for _, run in bursts(done) for one in run}
    windows = [done[at : at + BURST_COUNT] for at in range(len(done) - BURST_COUNT + 1)]
    tight = [one for one in windows if one[-1].at - one[0].at <= BURST_WITHIN]
    assert marked == {one.id for window in tight for one in window}


def test_done_within_seconds_of_being_accepted_is_at_once() -> None:
    done, taken = _done(0, 1, 2), int(NOON.timestamp() * 1000)
    early = {"10-0": taken - AT_ONCE_MS, "10-1": taken}
    assert [one.id for _, (one,) in at_once(done, early)] == ["10-0"]
    assert list(at_once(done, {"10-0": taken + 1})) == [], "clocks that differ prove nothing"


def _task_done_at_once(county: County) -> dict[str, Any]:
    task, phone = county.task(), county.phone("gw")
    for n, state in enumerate(("accepted", "started", "done")):
        values = {"state": state, "round": 0}
        if state == "done":
            values["report_text"] = "好"
        phone.act("event", "task", task["id"], base=task["rv"] + n, set=values)
    return task


def test_marks_lie_on_tasks_of_a_grid_and_show_ids_to_those_who_may_see_tasks(
    county: County,
) -> None:
    task = _task_done_at_once(county)
    marks = county.ask("ts", "GET", f"/numbers/marks?area={TOWNSHIP}").get_json()
    assert [(one["mark"], one["area"], one["tasks"]) for one in marks] == [
        ("at_once", GRID, [task["id"]])
    ]
    own = county.ask("gw", "GET", "/numbers/marks").get_json()
    assert [one["tasks"] for one in own] == [[]], "a worker lists his own tasks only"
    assert county.ask("ts", "GET", f"/numbers/marks?area={NEXT_VILLAGE}").get_json() == []


def test_marks_of_a_whole_county_are_not_asked_for(county: County) -> None:
    reply = county.ask("cm", "GET", f"/numbers/marks?area={COUNTY}")
    assert outcome(reply) == (422, "invalid_fields")
    assert reply.get_json()["errors"][0]["code"] == "area_too_wide"


def test_the_burden_is_what_the_office_asked_by_kind_of_task(county: County) -> None:
    for _ in range(6):
        county.task()
    cancelled = county.task(task_kind="publicity")
    county.sql(sa.update(table_of(Task)).where(Task.id == cancelled["id"])
               .values(state="cancelled"))  # fmt: skip
    month = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    told = county.ask("vl", "GET", f"/numbers/burden?area={VILLAGE}&day={month}").get_json()
    (visit,) = told["kinds"]
    assert (visit["code"], visit["tasks"], visit["fields_each"]) == ("visit", 6, 8)
    assert (visit["fields_asked"], visit["minutes"], told["minutes"]) == (48, 12, 12)


def test_the_burden_of_one_grid_may_be_one_persons_and_is_not_told(county: County) -> None:
    reply = county.ask("ts", "GET", f"/numbers/burden?area={GRID}")
    assert outcome(reply) == (422, "invalid_fields")
    assert reply.get_json()["errors"][0]["code"] == "area_too_small"
