"""Periods begin and end at midnight in China."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.numbers.periods import KINDS, day_of, period_of

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "first", "after"),
    [
        ("day", date(2026, 11, 25), date(2026, 11, 26)),
        ("week", date(2026, 11, 23), date(2026, 11, 30)),
        ("month", date(2026, 11, 1), date(2026, 12, 1)),
        ("quarter", date(2026, 10, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_holds_its_days(kind: str, first: date, after: date) -> None:
    period = period_of(kind, date(2026, 11, 25), NOW)
    assert (period.first, period.after) == (first, after)


def test_days_are_those_of_china() -> None:
    assert day_of(datetime(2026, 11, 24, 16, 0, tzinfo=UTC)) == date(2026, 11, 25)
    period = period_of("day", date(2026, 11, 25), NOW)
    assert period.starts == datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
    assert period.ends == datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
    assert period.until == NOW, "what has not happened yet does not count"


@given(st.sampled_from(KINDS), st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_periods_of_a_kind_follow_one_another_without_a_gap(kind: str, day: date) -> None:
    period = period_of(kind, day, NOW)
    assert period.first <= day < period.after
    assert period_of(kind, period.after, NOW).first == period.after
    assert period_of(kind, period.after - timedelta(days=1), NOW) == period
