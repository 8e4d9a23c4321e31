"""Which incidents may be the same: of one kind, near by, about the same time; at most five."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any
from app.core.places import metres_between
from app.core.policy import Reach
from app.core.spatial import box_around, in_box
from app.incidents.models import Incident

SUGGESTED_MAX, LOOKED_AT_MAX = 5, 200
WITHIN_M, WITHIN_DAYS = 150.0, 7
OTHER_MEMBER = 0.5
"""What another category of the same group counts for, beside the very same one."""
NOT_SUGGESTED = ("draft", "merged", "cancelled")
_incident = Incident.__table__
_COLUMNS = ("id", "category", "state", "grid", "reported_at")
_SHAPE = sa.func.ST_AsBinary(_incident.c.point, type_=sa.LargeBinary)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is asked about: what kind of thing, where, when."""

    category: str
    place: tuple[float, float]
    at: datetime
    itself: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An incident that may be the same, and how far it is away in place and time."""

    id: str
    category: str
    state: str
    grid: int
    reported_at: datetime
    distance_m: float
    hours_apart: float
    likeness: float


def suggest(session: Session, seen: Seen, reach: Reach) -> list[Suggestion]:
    """Return the incidents most like one, the likeliest first, from within somebody's reach."""
    if not (reach.everything or reach.paths):
        return []
    apart = timedelta(days=WITHIN_DAYS)
    rows = session.execute(
        sa.select(*(_incident.c[name] for name in _COLUMNS), _SHAPE.label("shape"))
        .where(
            in_box(_incident.c.point, *box_around(*seen.place, WITHIN_M)),
            _incident.c.category.startswith(seen.category[:2], autoescape=True),
            _incident.c.reported_at.between(seen.at - apart, seen.at + apart),
            _incident.c.deleted.is_(None),
            _incident.c.state.not_in(NOT_SUGGESTED),
            sa.true() if reach.everything
            else _incident.c.grid.in_(sa.select(Area.id).where(below_any(reach.paths))),
        )
        .order_by(_incident.c.reported_at.desc(), _incident.c.id)
        .limit(LOOKED_AT_MAX)
    ).mappings()  # fmt: skip
    found = [_compared(seen, row) for row in rows if row["id"] != seen.itself]
    near = [one for one in found if one.distance_m <= WITHIN_M]
    return sorted(near, key=lambda one: (-one.likeness, one.id))[:SUGGESTED_MAX]


def _compared(seen: Seen, row: Any) -> Suggestion:
    metres = metres_between(seen.place, _position(bytes(row["shape"])))
    hours = abs((row["reported_at"].astimezone(UTC) - seen.at).total_seconds()) / 3600
    kind = 1.0 if row["category"] == seen.category else OTHER_MEMBER
    likeness = kind * (1 - metres / (2 * WITHIN_M)) * (1 - hours / (2 * 24 * WITHIN_DAYS))
    return Suggestion(
        row["id"], row["category"], row["state"], row["grid"], row["reported_at"],
        round(metres, 1), round(hours, 1), round(max(likeness, 0.0), 3),
    )  # fmt: skip


def _position(wkb: bytes) -> tuple[float, float]:
    """Read a point from well-known bytes."""
    order = "<" if wkb[0] == 1 else ">"
    lon, lat = struct.unpack_from(f"{order}2d", wkb, 5)
    return lon, lat
