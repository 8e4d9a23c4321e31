"""The calendar rules of recurring tasks: a small closed set, as pure functions of plain values."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from app.calendar import SHANGHAI, WorkingCalendar

DAILY, WORKDAYS, WEEKLY, MONTHLY, EVERY = "daily", "workdays", "weekly", "monthly", "every"
PATTERNS = (DAILY, WORKDAYS, WEEKLY, MONTHLY, EVERY)
EVERY_MAX = 366
BACK_DAYS_MAX = EVERY_MAX + 31
"""How far back the latest day of any pattern can lie, with the longest holidays in between."""
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """On which days something comes again.

    Attributes:
        days: of the week (1 is Monday) for ``weekly``, of the month for ``monthly``.
        every: of how many days one, counted from ``starts``, for ``every``.
        shifts: what falls on a day off is done on the next working day.
    """

    kind: str
    starts: date
    ends: date | None = None
    days: frozenset[int] = frozenset()
    every: int = 1
    shifts: bool = False

    def falls_on(self, day: date, calendar: WorkingCalendar) -> bool:
        """Tell whether the pattern names a day, whether it is worked or not."""
        if day < self.starts or (self.ends is not None and day > self.ends):
            return False
        match self.kind:
            case "daily":
                return True
            case "workdays":
                return calendar.is_workday(day)
            case "weekly":
                return day.isoweekday() in self.days
            case "monthly":
                return any(_in_month(day, one) for one in self.days)
            case _:
                return (day - self.starts).days % self.every == 0

    def made_on(self, day: date, calendar: WorkingCalendar) -> date:
        """Return the day on which what falls on a day is done."""
        if not self.shifts or calendar.is_workday(day):
            return day
        return calendar.next_workday(day)

    def latest(self, today: date, calendar: WorkingCalendar) -> date | None:
        """Return the last day named by the pattern whose time has come, None if there is none."""
        for day in _back_from(today):
            if day < self.starts:
                return None
            if self.falls_on(day, calendar) and self.made_on(day, calendar) <= today:
                return day
        return None


def _in_month(day: date, number: int) -> bool:
    """Tell whether a day is the one of this number in its month; a short month ends earlier."""
    last = (day + ONE_DAY).day == 1
    return day.day == number or (last and number > day.day)


def _back_from(today: date) -> Iterator[date]:
    return (today - timedelta(days=back) for back in range(BACK_DAYS_MAX))


def today_of(now: datetime) -> date:
    """Return the day of a moment, in the one time zone of the country."""
    return now.astimezone(SHANGHAI).date()


def due_after(day: date, days: int) -> datetime:
    """Return the end of the day that comes so many days after a day."""
    return datetime.combine(day + timedelta(days=days + 1), time.min, SHANGHAI)
