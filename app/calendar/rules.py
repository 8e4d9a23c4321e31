"""The working calendar as a pure value: which days are worked, and when working time has passed.

China has one time zone and no summer time, so a fixed offset is right for every year we serve.
Working time runs only within the hours of work of a working day. A moment in which it stands
still counts as the end of the stretch before it: five o'clock on a Friday and the Monday morning
after it are the same distance from Friday noon, and the due time is always the earlier of the two.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
Span = tuple[time, time]
Hours = tuple[Span, ...]
DEFAULT_HOURS: Hours = ((time(8, 30), time(12)), (time(14, 30), time(18)))
SPANS_MAX = 4
SATURDAY = 5
NATIONAL_DAY = (10, 1)
ONE_DAY = timedelta(days=1)
AMOUNT_MAX = timedelta(hours=24 * 366)
"""No limit of the work is longer; a larger one is a mistake, and would take long to count."""
NOTHING = timedelta(0)


def hours_from_text(text: str) -> Hours:
    """Read hours of work such as ``08:30-12:00,14:30-18:00``.

    Raises:
        ValueError: not one to four spans in order, each ending after it begins.
    """
    spans = []
    for part in text.split(","):
        starts, ends = (time.fromisoformat(one.strip()) for one in part.split("-"))
        spans.append((starts, ends))
    edges = [edge for span in spans for edge in span]
    in_order = all(one < other for one, other in itertools.pairwise(edges))
    if len(spans) > SPANS_MAX or not in_order or any(edge.tzinfo for edge in edges):
        raise ValueError(f"{text}: one to {SPANS_MAX} spans in order")
    return tuple(spans)


def hours_as_text(hours: Hours) -> str:
    """Write hours of work as they are read."""
    return ",".join(f"{starts:%H:%M}-{ends:%H:%M}" for starts, ends in hours)


@dataclass(frozen=True)
class WorkingCalendar:
    """Which days are worked, and from when to when.

    Attributes:
        days: the days that differ from the week: holidays (False) and make-up days (True).
    """

    days: Mapping[date, bool] = field(default_factory=dict)
    hours: Hours = DEFAULT_HOURS

    @cached_property
    def years(self) -> frozenset[int]:
        """Return the years whose holidays are known; of any other only weekends count.

        A year's notice may reach into the last days of the year before, so one day proves
        nothing: a year is known when its National Day is.
        """
        return frozenset(day.year for day in self.days if (day.month, day.day) == NATIONAL_DAY)

    @cached_property
    def day_length(self) -> timedelta:
        """Return the working time of a working day."""
        return sum((_minutes(ends) - _minutes(starts) for starts, ends in self.hours), NOTHING)

    def knows(self, day: date) -> bool:
        """Tell whether the holidays of a day's year are known."""
        return day.year in self.years

    def is_workday(self, day: date) -> bool:
        """Tell whether people work on a day."""
        return self.days.get(day, day.weekday() < SATURDAY)

    def next_workday(self, day: date) -> date:
        """Return the first working day after a day."""
        day += ONE_DAY
        while not self.is_workday(day):
            day += ONE_DAY
        return day

    def add_working_time(self, start: datetime, amount: timedelta) -> datetime:
        """Return the earliest moment by which an amount of working time has passed.

        Args:
            start: aware; nothing may pass, then it is the answer itself.

        Raises:
            ValueError: a negative amount, or more than a year of it.
        """
        if not NOTHING <= amount <= AMOUNT_MAX:
            raise ValueError(f"working time of {amount}")
        if not amount:
            return start
        here = start.astimezone(SHANGHAI)
        for starts, ends in self._spans_from(here):
            length = ends - max(starts, here)
            if amount <= length:
                return (max(starts, here) + amount).astimezone(start.tzinfo)
            amount -= length
        raise AssertionError("the days never end")

    def working_time_between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time that passes from a moment to a later one; none if it is not."""
        here, there = start.astimezone(SHANGHAI), end.astimezone(SHANGHAI)
        passed = NOTHING
        if there <= here:
            return passed
        for starts, ends in self._spans_from(here):
            if starts >= there:
                break
            passed += min(ends, there) - max(starts, here)
        return passed

    def days_as_time(self, days: float) -> timedelta:
        """Return the working time of a number of working days."""
        return self.day_length * days

    def _spans_from(self, here: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the stretches of work that end after a moment, in order, without end."""
        day = here.date()
        while True:
            if self.is_workday(day):
                midnight = datetime.combine(day, time.min, SHANGHAI)
                for starts, ends in self.hours:
                    if midnight + _minutes(ends) > here:
                        yield midnight + _minutes(starts), midnight + _minutes(ends)
            day += ONE_DAY


def _minutes(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute)
