"""Due times fall on working days, exactly, over the Spring Festival and the make-up Saturdays."""

import csv
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendar.commands import DAYS
from app.calendar.rules import (
    AMOUNT_MAX,
    SHANGHAI,
    WorkingCalendar,
    hours_as_text,
    hours_from_text,
)


def _published() -> WorkingCalendar:
    with DAYS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return WorkingCalendar({date.fromisoformat(row["day"]): row["works"] == "1" for row in rows})


CALENDAR = _published()
MOMENTS = st.datetimes(datetime(2023, 12, 1), datetime(2027, 3, 1)).map(
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)
AMOUNTS = st.timedeltas(timedelta(0), timedelta(hours=200))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        # 2025: the Sunday before the festival is worked; 28 January to 4 February is free.
        ("2025-01-24T16:00", 2, "2025-01-24T18:00"),
        ("2025-01-24T16:00", 3, "2025-01-26T09:30"),
        ("2025-01-26T14:30", 7, "2025-01-27T12:00"),
        ("2025-01-27T17:00", 1, "2025-01-27T18:00"),
        ("2025-01-27T17:00", 2, "2025-02-05T09:30"),
        ("2025-01-30T03:00", 7, "2025-02-05T18:00"),
        # Saturday, 8 February 2025, is worked; the Sunday after it is not.
        ("2025-02-07T17:30", 1, "2025-02-08T09:00"),
        ("2025-02-08T17:30", 1, "2025-02-10T09:00"),
        # 2026: 14 and 28 February are worked Saturdays around nine free days.
        ("2026-02-13T17:00", 2, "2026-02-14T09:30"),
        ("2026-02-14T17:00", 2, "2026-02-24T09:30"),
        ("2026-02-16T12:00", 35, "2026-02-28T18:00"),
        ("2026-02-27T17:59", 1, "2026-02-28T09:29"),
        ("2026-02-28T17:30", 0.5, "2026-02-28T18:00"),
        ("2026-02-28T17:30", 1, "2026-03-02T09:00"),
        # A worked Sunday before the National Day of 2026, and the Saturday after it.
        ("2026-09-18T18:00", 7, "2026-09-20T18:00"),
        ("2026-09-30T18:00", 14, "2026-10-09T18:00"),
        ("2026-10-09T18:00", 1, "2026-10-10T09:30"),
        # Over noon, within one day.
        ("2026-03-03T11:00", 2, "2026-03-03T15:30"),
        ("2026-03-03T13:00", 1, "2026-03-03T15:30"),
    ],
)
def test_due_times_keep_to_holidays_and_make_up_days(start: str, hours: float, due: str) -> None:
    amount = timedelta(hours=hours)
    assert CALENDAR.add_working_time(at(start), amount) == at(due)


def test_days_are_worked_or_free_as_published() -> None:
    free = ("2025-01-28", "2025-02-04", "2025-10-08", "2026-02-23", "2026-05-05", "2026-09-27")
    worked = ("2025-01-26", "2025-02-08", "2025-04-27", "2026-01-04", "2026-02-14", "2026-02-28",
              "2025-01-27", "2026-02-24")  # fmt: skip
    assert not any(CALENDAR.is_workday(date.fromisoformat(day)) for day in free)
    assert all(CALENDAR.is_workday(date.fromisoformat(day)) for day in worked)


@pytest.mark.parametrize(("year", "free", "made_up"), [(2024, 28, 8), (2025, 28, 5), (2026, 33, 6)])
def test_every_year_has_its_days_and_make_up_days_are_weekends(
    year: int, free: int, made_up: int
) -> None:
    of_year = {day: works for day, works in CALENDAR.days.items() if day.year == year}
    assert (list(of_year.values()).count(False), list(of_year.values()).count(True)) == (
        free,
        made_up,
    )
    assert all(day.weekday() >= 5 for day, works in of_year.items() if works)


def test_the_next_working_day_skips_the_whole_festival() -> None:
    assert CALENDAR.next_workday(date(2026, 2, 13)) == date(2026, 2, 14)
    assert CALENDAR.next_workday(date(2026, 2, 14)) == date(2026, 2, 24)
    assert CALENDAR.next_workday(date(2025, 1, 27)) == date(2025, 2, 5)


def test_a_year_without_data_counts_weekends_only_and_says_so() -> None:
    assert not CALENDAR.knows(date(2027, 10, 1)) and CALENDAR.knows(date(2026, 2, 1))
    assert CALENDAR.is_workday(date(2027, 10, 1)) and not CALENDAR.is_workday(date(2027, 10, 2))


def test_one_day_of_a_neighbouring_notice_does_not_make_a_year_known() -> None:
    assert WorkingCalendar({date(2026, 12, 31): False}).years == frozenset()


@given(MOMENTS, AMOUNTS)
def test_what_was_added_has_passed_and_not_a_moment_earlier(
    start: datetime, amount: timedelta
) -> None:
    due = CALENDAR.add_working_time(start, amount)
    assert CALENDAR.working_time_between(start, due) == amount
    if amount:
        earlier = due - timedelta(microseconds=1)
        assert CALENDAR.working_time_between(start, earlier) < amount


@given(MOMENTS, AMOUNTS, AMOUNTS)
def test_adding_twice_is_adding_the_sum(start: datetime, one: timedelta, other: timedelta) -> None:
    step = CALENDAR.add_working_time(start, one)
    assert CALENDAR.add_working_time(step, other) == CALENDAR.add_working_time(start, one + other)


@given(MOMENTS, MOMENTS, AMOUNTS)
def test_who_starts_later_is_due_no_earlier(
    one: datetime, other: datetime, amount: timedelta
) -> None:
    early, late = sorted((one, other))
    if amount:
        assert CALENDAR.add_working_time(early, amount) <= CALENDAR.add_working_time(late, amount)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_working_time_of_neighbouring_stretches_adds_up(
    one: datetime, two: datetime, three: datetime
) -> None:
    a, b, c = sorted((one, two, three))
    between = CALENDAR.working_time_between
    assert between(a, b) + between(b, c) == between(a, c)
    assert between(c, a) == timedelta(0) or a == c


def test_an_answer_comes_in_the_zone_of_the_question() -> None:
    start = datetime.fromisoformat("2026-03-03T01:00+00:00")
    due = CALENDAR.add_working_time(start, timedelta(hours=1))
    assert due.isoformat() == "2026-03-03T02:00:00+00:00"


@pytest.mark.parametrize("amount", [timedelta(seconds=-1), AMOUNT_MAX + timedelta(1)])
def test_a_senseless_amount_is_refused(amount: timedelta) -> None:
    with pytest.raises(ValueError, match="working time"):
        CALENDAR.add_working_time(at("2026-03-03T09:00"), amount)


@pytest.mark.parametrize(
    "text", ["", "8-12", "12:00-08:00", "08:00-12:00,11:00-13:00", "08:00-08:00", "a-b"]
)
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        hours_from_text(text)


def test_hours_are_read_as_they_are_written() -> None:
    text = "08:00-12:00,15:00-18:30"
    assert hours_as_text(hours_from_text(text)) == text
    assert WorkingCalendar({}, hours_from_text(text)).day_length == timedelta(hours=7.5)
