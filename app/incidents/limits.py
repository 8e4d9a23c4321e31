"""How long each part of a case may take: by category and area, in working time or on the wall.

What somebody may die of does not wait for Monday: the limits of the highest priority run on the
wall clock. All others are working time; 24 hours of a limit are one working day, so that "72 h"
means three working days everywhere, however long the day is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.calendar import WorkingCalendar
from app.incidents.rules import URGENT_PRIORITY

VERIFY_MINUTES, URGENT_VERIFY_MINUTES = 30, 15
SIGN_MINUTES, HANDLE_HOURS, LIFT_AFTER_HOURS = 120, 120, 24
HOURS_PER_DAY = 24
NAMES = ("verify_minutes", "sign_minutes", "handle_hours", "lift_after_hours")


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of one case, and the clock they run on."""

    verify_minutes: int
    sign_minutes: int
    handle_hours: int
    lift_after_hours: int
    urgent: bool
    calendar: WorkingCalendar

    def verify_due(self, start: datetime) -> datetime:
        """Return by when somebody must have looked at a report."""
        return self._after(start, timedelta(minutes=self.verify_minutes))

    def sign_due(self, start: datetime) -> datetime:
        """Return by when the unit must have claimed the case."""
        return self._after(start, timedelta(minutes=self.sign_minutes))

    def handle_due(self, start: datetime) -> datetime:
        """Return by when the case must have been answered."""
        return self.later(start, timedelta(hours=self.handle_hours))

    def lift_due(self, start: datetime) -> datetime:
        """Return when a case that nobody moves after it was urged goes one level up."""
        return self.later(start, timedelta(hours=self.lift_after_hours))

    def later(self, start: datetime, amount: timedelta) -> datetime:
        """Return the moment some hours of a limit later; 24 of them are a working day."""
        if self.urgent:
            return start + amount
        days = amount / timedelta(hours=HOURS_PER_DAY)
        return self.calendar.add_working_time(start, self.calendar.days_as_time(days))

    def left(self, start: datetime, due: datetime) -> timedelta:
        """Return how much of a limit is left at a moment, to be added again later."""
        if self.urgent:
            return max(due - start, timedelta(0))
        return self.calendar.working_time_between(start, due)

    def after_pause(self, due: datetime, hung: datetime, now: datetime) -> datetime:
        """Return the due time of a case whose clock stood still from one moment to another."""
        return self._after(now, self.left(hung, due)) if due > hung else due

    def _after(self, start: datetime, amount: timedelta) -> datetime:
        return start + amount if self.urgent else self.calendar.add_working_time(start, amount)


def limits_of(
    category: Mapping[str, Any] | None,
    settings: Mapping[str, Mapping[str, int | None]],
    calendar: WorkingCalendar,
) -> Limits:
    """Return the limits of a case.

    Args:
        settings: what the nearest area above it has set, by category, group or "" for all.
    """
    known = category or {}
    urgent = known.get("priority") == URGENT_PRIORITY
    usual = {
        "verify_minutes": URGENT_VERIFY_MINUTES if urgent else VERIFY_MINUTES,
        "sign_minutes": known.get("accept_minutes") or SIGN_MINUTES,
        "handle_hours": known.get("handle_hours") or HANDLE_HOURS,
        "lift_after_hours": known.get("escalate_after_hours") or LIFT_AFTER_HOURS,
    }
    code = str(known.get("code") or "")
    for wanted in ("", code[:2], code):
        own = settings.get(wanted, {})
        usual |= {name: own[name] for name in NAMES if own.get(name) is not None}
    return Limits(**usual, urgent=urgent, calendar=calendar)
