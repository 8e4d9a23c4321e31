"""Load, read and set the working calendar."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.rules import path_ids
from app.calendar.models import CalendarDay, CalendarHours
from app.calendar.rules import (
    DEFAULT_HOURS,
    Hours,
    WorkingCalendar,
    hours_as_text,
    hours_from_text,
)
from app.core.rulebook import note_change

RULES = "calendar"
"""The name of these rules among those that processes keep (app/core/rulebook.py)."""


@dataclass(frozen=True)
class Calendars:
    """The calendars of all areas, read once for a request or a batch."""

    days: Mapping[date, bool]
    hours: Mapping[int, Hours]
    _made: dict[Hours, WorkingCalendar] = field(default_factory=dict)

    @cached_property
    def usual(self) -> WorkingCalendar:
        """Return the calendar of whoever has set no hours of his own."""
        return self._with(DEFAULT_HOURS)

    def of(self, path: str | None) -> WorkingCalendar:
        """Return the calendar of the area of a path: its own hours, or the nearest above it."""
        for area_id in reversed(path_ids(path or "")):
            if area_id in self.hours:
                return self._with(self.hours[area_id])
        return self.usual

    def _with(self, hours: Hours) -> WorkingCalendar:
        if hours not in self._made:
            self._made[hours] = WorkingCalendar(self.days, hours)
        return self._made[hours]


def calendars(session: Session) -> Calendars:
    """Read the calendars of all areas, in two statements."""
    run = session.connection().execute
    days, hours = CalendarDay.__table__, CalendarHours.__table__
    return Calendars(
        {row[0]: bool(row[1]) for row in run(sa.select(days.c.day, days.c.works))},
        {row[0]: hours_from_text(row[1]) for row in run(sa.select(hours.c.area_id, hours.c.hours))},
    )


def days_of(session: Session, year: int) -> Sequence[CalendarDay]:
    """Return the holidays and make-up days of a year, in order."""
    first, end = date(year, 1, 1), date(year + 1, 1, 1)
    within = sa.and_(CalendarDay.day >= first, CalendarDay.day < end)
    return session.scalars(sa.select(CalendarDay).where(within).order_by(CalendarDay.day)).all()


def import_days(session: Session, path: Path) -> list[int]:
    """Load the days of a CSV file over those of the same years; return its years.

    Raises:
        ValueError: a day twice, or one that makes no sense.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_typed(row) for row in csv.DictReader(file)]
    years = sorted({row["day"].year for row in rows})
    if len({row["day"] for row in rows}) < len(rows):
        raise ValueError("a day stands twice")
    for year in years:
        within = sa.and_(
            CalendarDay.day >= date(year, 1, 1), CalendarDay.day < date(year + 1, 1, 1)
        )
        session.execute(sa.delete(CalendarDay).where(within))
    if rows:
        session.execute(sa.insert(CalendarDay), rows)
    note_change(session, RULES)
    return years


def set_hours(session: Session, area_id: int, hours: Hours | None) -> None:
    """Set the hours of work of an area and all below it; None returns to those above."""
    session.execute(sa.delete(CalendarHours).where(CalendarHours.area_id == area_id))
    if hours is not None:
        session.add(CalendarHours(area_id=area_id, hours=hours_as_text(hours)))
        session.flush()
    note_change(session, RULES)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    if row["works"] not in ("0", "1") or None in row:
        raise ValueError(f"{row['day']}: works is 0 or 1, and there are four columns")
    names = {name: row[name] for name in ("name_zh", "name_en")}
    return {"day": date.fromisoformat(row["day"]), "works": row["works"] == "1", **names}
