"""Find the area of a position by the borders that stand, through the spatial index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaBorder
from app.areas.rules import metres_to_border
from app.core.spatial import box_around, in_box, inside

# As good as a phone's position between houses; beyond it a person should choose the grid.
NEAREST_WITHIN_M = 50.0
Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class AreaAt:
    """The area of a position; on a border line the distance is 0 and `inside` is false."""

    area_id: int
    distance_m: float
    inside: bool


def grid_at(
    session: Session, lon: float, lat: float, *, within_m: float = NEAREST_WITHIN_M
) -> AreaAt | None:
    """Return the grid that holds a position, else the nearest within some metres, else None."""
    return areas_at(session, [(lon, lat)], within_m=within_m)[0]


def areas_at(
    session: Session,
    positions: Sequence[Position],
    *,
    level: str = GRID_LEVEL,
    within_m: float = NEAREST_WITHIN_M,
) -> list[AreaAt | None]:
    """Return the area of each position, in two statements at most; up to 100 positions.

    Where areas overlap, or a position lies on the line between them, the smallest id wins.
    """
    found = _holding(session, dict(enumerate(positions)), level)
    missed = {row: place for row, place in enumerate(positions) if row not in found}
    found |= _nearest(session, missed, level, within_m)
    return [found.get(row) for row in range(len(positions))]


def _holding(session: Session, positions: Mapping[int, Position], level: str) -> dict[int, AreaAt]:
    parts = [
        _borders(row, level).where(inside(AreaBorder.geom, *position))
        for row, position in positions.items()
    ]
    found: dict[int, AreaAt] = {}
    for row, area_id in _rows(session, parts):
        if row not in found or area_id < found[row].area_id:
            found[row] = AreaAt(area_id, 0.0, True)
    return found


def _nearest(
    session: Session, positions: Mapping[int, Position], level: str, within_m: float
) -> dict[int, AreaAt]:
    shape = sa.func.ST_AsBinary(AreaBorder.geom, type_=sa.LargeBinary)
    parts = [
        _borders(row, level, shape).where(in_box(AreaBorder.geom, *box_around(*place, within_m)))
        for row, place in positions.items()
    ]
    ranked: dict[int, tuple[float, int]] = {}
    for row, area_id, wkb in _rows(session, parts):
        rank = (metres_to_border(bytes(wkb), *positions[row]), area_id)
        if rank[0] <= within_m:
            ranked[row] = min(rank, ranked.get(row, rank))
    return {row: AreaAt(area_id, metres, False) for row, (metres, area_id) in ranked.items()}


def _borders(row: int, level: str, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    place = sa.literal_column(str(row), sa.Integer)
    return (
        sa.select(place.label("place"), AreaBorder.area_id, *more)
        .join(Area, Area.id == AreaBorder.area_id)
        .where(Area.level == level, AreaBorder.valid_until.is_(None))
    )


def _rows(session: Session, parts: Sequence[sa.Select[Any]]) -> Sequence[Any]:
    return session.execute(sa.union_all(*parts)).all() if parts else []
