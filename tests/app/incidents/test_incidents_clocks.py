"""Due times on the working calendar, and the job that urges and lifts what is overdue."""

import csv
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendar import SHANGHAI, WorkingCalendar
from app.calendar.commands import DAYS
from app.incidents import watch
from app.incidents.clocks import due_now, next_look
from app.incidents.limits import Limits, limits_of
from tests.app.core.county import GAS_LEAK, County
from tests.app.identity.town import GRID
from tests.app.incidents import cases
from tests.app.incidents.cases import TO_DISPATCHED, TO_PROGRESS, move, seen, walked

GARBAGE_ROW = {"code": "0401", "priority": 3, "accept_minutes": 480, "handle_hours": 48,
               "escalate_after_hours": 24}  # fmt: skip
GAS_ROW = {"code": "0103", "priority": 1, "accept_minutes": 15, "handle_hours": 4,
           "escalate_after_hours": 1}  # fmt: skip


def _calendar() -> WorkingCalendar:
    with DAYS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return WorkingCalendar({date.fromisoformat(row["day"]): row["works"] == "1" for row in rows})


CALENDAR = _calendar()
ORDINARY = limits_of(GARBAGE_ROW, {}, CALENDAR)
URGENT = limits_of(GAS_ROW, {}, CALENDAR)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "verify", "sign", "handle"),
    [
        # An ordinary week: 30 minutes, 8 working hours, two working days.
        ("2026-03-03T09:00", "2026-03-03T09:30", "2026-03-04T10:00", "2026-03-05T09:00"),
        # The evening before the Spring Festival of 2025: the festival does not count.
        ("2025-01-27T17:30", "2025-01-27T18:00", "2025-02-06T09:00", "2025-02-06T17:30"),
        # Saturday, 14 February 2026, is worked, then nine days are free.
        ("2026-02-14T17:45", "2026-02-24T08:45", "2026-02-25T09:15", "2026-02-25T17:45"),
        # Friday, 27 February 2026: the Saturday after it is worked.
        ("2026-02-27T16:00", "2026-02-27T16:30", "2026-02-28T17:00", "2026-03-02T16:00"),
    ],
)
def test_ordinary_limits_run_in_working_time(
    start: str, verify: str, sign: str, handle: str
) -> None:
    found = (ORDINARY.verify_due(at(start)), ORDINARY.sign_due(at(start)),
             ORDINARY.handle_due(at(start)))  # fmt: skip
    assert found == (at(verify), at(sign), at(handle))


def test_what_is_urgent_runs_on_the_wall_clock_over_the_festival() -> None:
    start = at("2026-02-17T02:00")
    assert URGENT.verify_due(start) == at("2026-02-17T02:15")
    assert URGENT.sign_due(start) == at("2026-02-17T02:15")
    assert URGENT.handle_due(start) == at("2026-02-17T06:00")


def test_a_case_without_limits_of_its_own_has_the_usual_ones() -> None:
    usual = limits_of({"code": "9901", "priority": 4}, {}, CALENDAR)
    assert (usual.verify_minutes, usual.sign_minutes, usual.handle_hours) == (30, 120, 120)


def test_the_nearest_setting_wins_category_before_group_before_all() -> None:
    settings: dict[str, Any] = {
        "": {"handle_hours": 100, "sign_minutes": 60}, "04": {"handle_hours": 50},
        "0401": {"handle_hours": 10},
    }  # fmt: skip
    found = limits_of(GARBAGE_ROW, settings, CALENDAR)
    assert (found.handle_hours, found.sign_minutes) == (10, 60)


HOURS = st.integers(1, 200).map(lambda hours: timedelta(hours=hours))
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2026, 11, 1)).map(
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)


@given(MOMENTS, HOURS, HOURS, st.sampled_from([ORDINARY, URGENT]))
def test_a_pause_takes_nothing_from_the_time_that_was_left(
    start: datetime, before: timedelta, pause: timedelta, limits: Limits
) -> None:
    due, hung = limits.handle_due(start), start + before
    resumed = hung + pause
    moved = limits.after_pause(due, hung, resumed)
    if due > hung:
        assert limits.left(resumed, moved) == limits.left(hung, due)
        assert moved >= due or limits.left(hung, due) == timedelta(0)
    else:
        assert moved == due


def _case(**more: Any) -> dict[str, Any]:
    return {"state": "claimed", "due_at": "2026-03-03T02:00:00.000Z", "level": "township", **more}


def test_a_limit_urges_once_and_lifts_once_however_often_it_is_asked() -> None:
    case, due = _case(), at("2026-03-03T10:00")
    assert due_now(case, ORDINARY, due - timedelta(seconds=1)) is None
    first = due_now(case, ORDINARY, due)
    assert first and first.act == "urge"
    case["urged_for"] = first.limit
    assert due_now(case, ORDINARY, due + timedelta(hours=1)) is None
    lift = at("2026-03-04T10:00")
    assert next_look(case, ORDINARY, due) == lift
    assert due_now(case, ORDINARY, lift - timedelta(seconds=1)) is None
    second = due_now(case, ORDINARY, lift)
    assert second and second.act == "lift"
    case["lifted_for"] = second.limit
    assert due_now(case, ORDINARY, lift + timedelta(days=30)) is None
    assert next_look(case, ORDINARY, lift) is None


@pytest.mark.parametrize("state", ["answered", "checked", "closed", "cancelled", "verified"])
def test_nobody_is_urged_who_is_not_waited_for(state: str) -> None:
    assert due_now(_case(state=state), ORDINARY, at("2027-01-01T00:00")) is None


def test_the_city_is_the_top() -> None:
    case = _case(level="city", urged_for="2026-03-03T02:00:00.000Z")
    assert due_now(case, ORDINARY, at("2027-01-01T00:00")) is None


LONG_AGO = "2025-03-03T02:00:00.000Z"


def test_the_clock_urges_then_lifts_and_comes_to_the_same_end_when_run_again(
    county: County,
) -> None:
    case = walked(county, TO_PROGRESS, category="0305")
    cases.turn_back(county, case["id"], due_at=LONG_AGO, watch_at=LONG_AGO)
    phone = county.phone("second")
    phone.pull()
    assert watch.look() == 1
    urged = seen(county, case["id"])
    assert (urged["urge_count"], urged["overdue"], urged["level"]) == (1, True, "township")
    watch.look()
    lifted = seen(county, case["id"])
    assert (lifted["level"], lifted["watch_at"]) == ("county", None)
    assert watch.look() == 0 and seen(county, case["id"]) == lifted
    assert case["id"] in {item["id"] for item in phone.pull()}
    assert move(county, "second", case["id"], "answered", result_text="已修").status_code == 200


def test_a_case_that_was_claimed_offline_is_looked_at_when_it_is_due(county: County) -> None:
    case = walked(county, TO_DISPATCHED)
    claimed = move(county, "second", case["id"], "claimed").get_json()
    assert claimed["watch_at"] == case["sign_due_at"]
    cases.turn_back(county, case["id"], watch_at=LONG_AGO)
    assert watch.look() == 1
    after = seen(county, case["id"])
    assert (after["watch_at"], after["urge_count"]) == (case["due_at"], None)


def test_what_nobody_verifies_is_urged(county: County) -> None:
    made = cases.report(county, category=GAS_LEAK)
    assert made["watch_at"] == made["verify_due_at"]
    cases.turn_back(county, made["id"], verify_due_at=LONG_AGO, watch_at=LONG_AGO)
    watch.look()
    assert seen(county, made["id"])["urge_count"] == 1


def test_the_clock_takes_as_many_statements_for_many_cases_as_for_few(county: County) -> None:
    counts = []
    for number in (1, 2, 12):
        for _ in range(number):
            made = cases.report(county)
            cases.turn_back(county, made["id"], verify_due_at=LONG_AGO, watch_at=LONG_AGO)
        with county.statements() as seen_statements:
            assert watch.look() == number
        counts.append(len(seen_statements))
        while watch.look():
            pass
    assert counts[1] == counts[2], "the first look makes the device of the clock"


def test_an_area_sets_its_own_limits(county: County) -> None:
    runner = county.app.test_cli_runner()
    code = f"62{2:010}"
    result = runner.invoke(args=["incidents", "limits", code, "--category", "0401",
                                 "--sign-minutes", "10", "--handle-hours", "24"])  # fmt: skip
    assert result.exit_code == 0, result.output
    case = walked(county, TO_DISPATCHED)
    assert case["unit"] == GRID
    limits = limits_of(GARBAGE_ROW, {"0401": {"sign_minutes": 10, "handle_hours": 24}},
                       WorkingCalendar())  # fmt: skip
    start = cases.when(case, "dispatched_at")
    assert cases.when(case, "sign_due_at") == limits.sign_due(start)
    assert cases.when(case, "due_at") == limits.handle_due(start)
    unknown = runner.invoke(args=["incidents", "limits", "999", "--sign-minutes", "10"])
    assert unknown.exit_code == 1
