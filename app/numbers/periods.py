"""Periods of numbers: days, weeks, months and quarters as the offices of China count them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.calendar.rules import SHANGHAI

KINDS = ("day", "week", "month", "quarter")


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days, and the moment at which it is looked at.

    Attributes:
        first: its first day.
        after: the first day that no longer belongs to it.
    """

    kind: str
    first: date
    after: date
    now: datetime

    @property
    def starts(self) -> datetime:
        """Return the moment at which it begins."""
        return _midnight(self.first)

    @property
    def ends(self) -> datetime:
        """Return the moment at which it is over."""
        return _midnight(self.after)

    @property
    def until(self) -> datetime:
        """Return its end, or now where it is not over: what has not happened does not count."""
        return min(self.ends, self.now)


def day_of(moment: datetime) -> date:
    """Return the day that a moment has in China."""
    return moment.astimezone(SHANGHAI).date()


def period_of(kind: str, day: date, now: datetime) -> Period:
    """Return the period of a kind that holds a day."""
    match kind:
        case "day":
            first, after = day, day + timedelta(days=1)
        case "week":
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        case "month":
            first, after = day.replace(day=1), _later(day, months=1)
        case _:
            first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            after = _later(first, months=3)
    return Period(kind, first, after, now)


def _later(day: date, *, months: int) -> date:
    """Return the first day of a month some months later."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
