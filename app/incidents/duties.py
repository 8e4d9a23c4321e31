"""Who is in charge of what, where: the duty list, which a dispatch follows unless told otherwise.

A duty says of an area and a category, a group of them or all, which unit deals with it there: an
area by name, the area itself or one above it, or whichever area of a level holds the case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.areas.models import Area, AreaVersion
from app.areas.rules import path_ids
from app.areas.services import paths_of
from app.core import audit
from app.core.actor import Actor
from app.core.database import Base, BigInt
from app.core.rulebook import note_change
from app.incidents.models import IncidentCategory
from app.incidents.rules import LEVELS, RANK_OF_LEVEL, UNIT_LEVELS
from sync.errors import Problem

RULES = "incidents"
BY_DUTY, BY_LEVEL = "duty", "level"


class IncidentDuty(Base):
    """One line of the duty list."""

    __tablename__ = "incident_duty"

    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    # A category, a group of them (two digits), or empty for all.
    category: Mapped[str] = mapped_column(sa.String(4), primary_key=True)
    # Either one area, or the area of this level that holds the case.
    unit: Mapped[int | None] = mapped_column(BigInt)
    unit_level: Mapped[str | None] = mapped_column(sa.String(10))


@dataclass(frozen=True, slots=True)
class Duty:
    """A line of the duty list as a dispatch reads it."""

    area_id: int
    category: str
    unit: int | None
    unit_level: str | None


@dataclass(frozen=True, slots=True)
class Proposed:
    """The unit to which a case would go, and the line that says so; none where only its level."""

    unit: int | None
    duty: Duty | None = None


Duties = Mapping[int, Mapping[str, Duty]]
Standing = Sequence[tuple[int, str]]
"""The areas that hold a case with their levels, the widest first."""


def proposed(
    duties: Duties, where: Standing, category: str, level: str | None, start: str | None
) -> Proposed:
    """Return the unit to which a case goes when nobody says another one.

    A case that has gone up, because those below could not settle it, goes to nobody below its
    level by the list: it would only come back.

    Args:
        level: at which the case stands; ``start``: at which its category begins.
    """
    stands = level or "township"
    begun = start if start in LEVELS else "township"
    least = RANK_OF_LEVEL[stands] if RANK_OF_LEVEL[stands] > RANK_OF_LEVEL[begun] else 0
    levels = dict(where)
    for area_id, _ in reversed(where):
        lines = duties.get(area_id, {})
        for wanted in (category, category[:2], ""):
            duty = lines.get(wanted)
            unit = _unit_of(duty, where) if duty else None
            if unit is not None and RANK_OF_LEVEL[levels[unit]] >= least:
                return Proposed(unit, duty)
    usual = "grid" if stands == "village" else stands
    return Proposed(_at(where, usual))


def _unit_of(duty: Duty, where: Standing) -> int | None:
    if duty.unit is None:
        return _at(where, duty.unit_level)
    return duty.unit if any(area == duty.unit for area, _ in where) else None


def _at(where: Standing, level: str | None) -> int | None:
    return next((area for area, here in where if here == level), None)


def all_duties(session: Session) -> dict[int, dict[str, Duty]]:
    """Read the whole duty list: it is kept in the process until somebody changes it."""
    t = IncidentDuty.__table__.c
    found: dict[int, dict[str, Duty]] = {}
    query = sa.select(t.area_id, t.category, t.unit, t.unit_level)
    for row in session.connection().execute(query):
        found.setdefault(row.area_id, {})[row.category] = Duty(*row)
    return found


# -- the office -------------------------------------------------------------------------------


def listed(session: Session, path: str) -> list[IncidentDuty]:
    """Return the lines that hold in an area: its own, then those above it, nearest first."""
    areas = list(reversed(path_ids(path)))
    rows = session.scalars(sa.select(IncidentDuty).where(IncidentDuty.area_id.in_(areas)))
    return sorted(rows, key=lambda row: (areas.index(row.area_id), row.category))


def set_duty(
    session: Session, actor: Actor, path: str, body: Mapping[str, Any]
) -> IncidentDuty | None:
    """Set one line of the duty list, or strike it off when it names nobody.

    Raises:
        Problem: 422 when there is no such category, or the unit does not hold the area.
    """
    area_id, category = path_ids(path)[-1], body["category"]
    unit, level = body.get("unit"), body.get("unit_level")
    _check_category(session, category)
    if unit is not None and unit not in path_ids(path):
        raise _wrong("unit", "unit_elsewhere")
    here = (IncidentDuty.area_id == area_id, IncidentDuty.category == category)
    session.execute(sa.delete(IncidentDuty).where(*here))
    line = None
    if unit is not None or level is not None:
        line = IncidentDuty(area_id=area_id, category=category, unit=unit, unit_level=level)
        session.add(line)
    session.flush()
    note_change(session, RULES)
    audit.record(session, "incident_duty.set", user_id=actor.user_id, subject=f"area:{area_id}",
                 category=category, unit=unit, level=level)  # fmt: skip
    return line


def _check_category(session: Session, category: str) -> None:
    known = sa.select(IncidentCategory.code).where(IncidentCategory.code == category)
    if category and session.scalar(known) is None:
        raise _wrong("category", "unknown_code")


def _wrong(field: str, code: str) -> Problem:
    return Problem(422, "invalid_fields", errors=[{"field": field, "code": code}])


def proposal(session: Session, incident: Mapping[str, Any]) -> dict[str, Any]:
    """Return to which unit a case would be dispatched now, with its name and why."""
    path = paths_of(session, [incident["grid"]]).get(incident["grid"], "")
    known = session.execute(sa.select(Area.id, Area.level).where(Area.id.in_(path_ids(path))))
    levels = {row.id: row.level for row in known}
    where = [(area, levels[area]) for area in path_ids(path)]
    start = session.scalar(
        sa.select(IncidentCategory.start_level).where(IncidentCategory.code == incident["category"])
    )
    found = proposed(all_duties(session), where, incident["category"], incident["level"], start)
    duty = found.duty
    return {
        "unit": found.unit, "name": _name(session, found.unit),
        "level": levels.get(found.unit or 0), "by": BY_DUTY if duty else BY_LEVEL,
        "duty_area": duty.area_id if duty else None,
        "duty_category": duty.category if duty else None,
    }  # fmt: skip


def _name(session: Session, area_id: int | None) -> str | None:
    today = date.today()
    return session.scalar(
        sa.select(AreaVersion.name)
        .where(AreaVersion.area_id == area_id, AreaVersion.valid_from <= today)
        .order_by(AreaVersion.valid_from.desc())
        .limit(1)
    )


__all__ = ["UNIT_LEVELS", "Duty", "IncidentDuty", "Proposed", "all_duties", "listed", "proposal",
           "proposed", "set_duty"]  # fmt: skip
