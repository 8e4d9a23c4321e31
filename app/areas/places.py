"""Find the area of a position by the borders that stand, through the spatial index."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
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
SIDES = ("west", "south", "east", "north")
# Plain tables, not models: the statements run at every push that brings a position.
_area, _border = Area.__table__, AreaBorder.__table__


@dataclass(frozen=True, slots=True)
class AreaAt:
    """The area of a position; on a border line the distance is 0 and `inside` is false.

    Attributes:
        path: of the area, which is found with it.
    """

    area_id: int
    distance_m: float
    inside: bool
    path: str = field(default="", compare=False)


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
    rows = list(positions)
    given: dict[str, Any] = {"level": level}
    for i, (lon, lat) in enumerate(positions.values()):
        given |= {f"lon{i}": lon, f"lat{i}": lat}
    found: dict[int, AreaAt] = {}
    for place, area_id, path in _rows(session, _inside_any, len(rows), given):
        row = rows[place]
        if row not in found or area_id < found[row].area_id:
            found[row] = AreaAt(area_id, 0.0, True, path)
    return found


def _nearest(
    session: Session, positions: Mapping[int, Position], level: str, within_m: float
) -> dict[int, AreaAt]:
    rows = list(positions)
    given: dict[str, Any] = {"level": level}
    for i, place in enumerate(positions.values()):
        box = box_around(*place, within_m)
        given |= {f"{side}{i}": degrees for side, degrees in zip(SIDES, box, strict=True)}
    ranked: dict[int, tuple[float, int, str]] = {}
    for place, area_id, path, wkb in _rows(session, _near_any, len(rows), given):
        row = rows[place]
        rank = (metres_to_border(bytes(wkb), *positions[row]), area_id, path)
        if rank[0] <= within_m:
            ranked[row] = min(rank, ranked.get(row, rank))
    return {row: AreaAt(area_id, metres, False, path)
            for row, (metres, area_id, path) in ranked.items()}  # fmt: skip


@cache
def _inside_any(count: int) -> sa.CompoundSelect[Any]:
    """Return the statement that finds the areas of some positions (``lon0, lat0, …``)."""
    return sa.union_all(
        *(_borders(i).where(inside(_border.c.geom, *_degrees(i, "lon", "lat")))
          for i in range(count))
    )  # fmt: skip


@cache
def _near_any(count: int) -> sa.CompoundSelect[Any]:
    """Return the statement that finds the borders that meet some boxes (``west0, …``)."""
    shape = sa.func.ST_AsBinary(_border.c.geom, type_=sa.LargeBinary)
    return sa.union_all(
        *(_borders(i, shape).where(in_box(_border.c.geom, *_degrees(i, *SIDES)))
          for i in range(count))
    )  # fmt: skip


def _degrees(i: int, *names: str) -> list[sa.BindParameter[float]]:
    return [sa.bindparam(f"{name}{i}", type_=sa.Float()) for name in names]


def _borders(place: int, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    number = sa.literal_column(str(place), sa.Integer)
    return (
        sa.select(number.label("place"), _border.c.area_id, _area.c.path, *more)
        .join(_area, _area.c.id == _border.c.area_id)
        .where(_area.c.level == sa.bindparam("level"), _border.c.valid_until.is_(None))
    )


def _rows(
    session: Session, statement: Callable[[int], Any], count: int, given: Mapping[str, Any]
) -> Sequence[Any]:
    return session.connection().execute(statement(count), given).all() if count else []
