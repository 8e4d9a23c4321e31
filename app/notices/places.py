"""Find the grids that a circle touches: whom a notice about a place concerns."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaBorder
from app.core.spatial import within_metres
from app.notices.models import GRIDS_MAX

Circle = tuple[float, float, int]
"""Longitude, latitude, radius in metres."""


def grids_touched(
    session: Session, circles: Sequence[Circle]
) -> Mapping[Circle, Mapping[int, str]]:
    """Return for each circle the standing grids it touches with their paths; one statement.

    Of each circle one grid more than a notice may reach is read: enough to refuse it.
    """
    found: dict[Circle, dict[int, str]] = {circle: {} for circle in circles}
    parts = [_touched(place, circle) for place, circle in enumerate(circles)]
    for place, area, path in session.execute(sa.union_all(*parts)):
        found[circles[place]][area] = path
    return found


def _touched(place: int, circle: Circle) -> Any:
    number = sa.literal_column(str(place), sa.Integer)
    few = (
        sa.select(number.label("place"), Area.id, Area.path)
        .join(AreaBorder, AreaBorder.area_id == Area.id)
        .where(Area.level == GRID_LEVEL, AreaBorder.valid_until.is_(None),
               within_metres(AreaBorder.__table__.c.geom, *circle))
        .limit(GRIDS_MAX + 1)
        .subquery()
    )  # fmt: skip
    return sa.select(few)
