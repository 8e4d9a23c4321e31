"""The ground of grids before and after: who takes whose, and what nobody covers any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.coverage import SMALLEST_M2, area_m2
from app.areas.models import AreaBorder

if TYPE_CHECKING:
    from shapely import MultiPolygon
    from shapely.geometry.base import BaseGeometry


def of(session: Session, grids: Iterable[int]) -> dict[int, BaseGeometry]:
    """Return the standing borders of some grids, as far as they have any."""
    from app.core.geos import shapely

    shape = sa.func.ST_AsBinary(AreaBorder.geom, type_=sa.LargeBinary)
    rows = session.execute(
        sa.select(AreaBorder.area_id, shape).where(
            AreaBorder.area_id.in_(list(grids)), AreaBorder.valid_until.is_(None)
        )
    ).all()
    return {grid: shapely.from_wkb(bytes(wkb)) for grid, wkb in rows}


def united(drawn: Iterable[BaseGeometry]) -> MultiPolygon:
    """Return the ground of several grids as one."""
    from app.core.geos import shapely

    whole = shapely.union_all(list(drawn))
    parts = getattr(whole, "geoms", [whole])
    return shapely.MultiPolygon([shapely.geometry.polygon.orient(part) for part in parts])


def takers(
    before: Mapping[int, BaseGeometry], after: Mapping[int, BaseGeometry]
) -> list[tuple[int, int]]:
    """Return the pairs of grids of which the second has taken ground of the first."""
    from app.core.geos import shapely

    return [
        (old, new)
        for old, was in sorted(before.items())
        for new, now in sorted(after.items())
        if new != old and was.intersects(now) and area_m2(shapely.intersection(was, now)) > 1.0
    ]


def uncovered_m2(before: Iterable[BaseGeometry], after: Iterable[BaseGeometry]) -> float:
    """Return how much ground was covered and is no longer; slivers do not count."""
    from app.core.geos import shapely

    was, now = shapely.union_all(list(before)), shapely.union_all(list(after))
    missing = area_m2(shapely.difference(was, now))
    return round(missing, 1) if missing >= SMALLEST_M2 else 0.0
