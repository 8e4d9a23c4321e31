"""Draw borders: the standing one is closed by its day and the new one stored with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.dated import close, insert
from app.areas.flaws import FlawedFile
from app.areas.models import AreaBorder
from app.core.spatial import SRID

if TYPE_CHECKING:
    from shapely import MultiPolygon

EQUAL_WITHIN_DEGREES = 1e-9


@dataclass(frozen=True, slots=True)
class Origin:
    """Where borders come from: the datum of the file, how exact it is, and who made it."""

    datum: str
    source: str
    accuracy_m: float | None = None


def write_borders(
    session: Session, shapes: Mapping[int, MultiPolygon], day: date, origin: Origin
) -> int:
    """Draw borders from a day on and return how many differ from those that stood.

    Raises:
        FlawedFile: one of the areas has a border of a later day.
    """
    standing = _current_borders(session, list(shapes))
    if any(since > day for since, _ in standing.values()):
        raise FlawedFile("edition_older", day.isoformat())
    drawn = [area_id for area_id, shape in shapes.items() if _differs(shape, standing.get(area_id))]
    close(session, AreaBorder, [area_id for area_id in drawn if area_id in standing], day)
    insert(
        session, AreaBorder, [_border(area_id, shapes[area_id], day, origin) for area_id in drawn]
    )
    return len(drawn)


def _current_borders(session: Session, ids: list[int]) -> dict[int, tuple[date, bytes]]:
    shape = sa.func.ST_AsBinary(AreaBorder.geom, type_=sa.LargeBinary)
    found = sa.select(AreaBorder.area_id, AreaBorder.valid_from, shape).where(
        AreaBorder.area_id.in_(ids), AreaBorder.valid_until.is_(None)
    )
    return {area_id: (since, bytes(wkb)) for area_id, since, wkb in session.execute(found)}


def _differs(shape: MultiPolygon, standing: tuple[date, bytes] | None) -> bool:
    from app.core.geos import shapely

    if standing is None:
        return True
    before = shapely.from_wkb(standing[1])
    return not shape.equals_exact(before, tolerance=EQUAL_WITHIN_DEGREES)


def _border(area_id: int, shape: MultiPolygon, day: date, origin: Origin) -> dict[str, Any]:
    from app.core.geos import shapely

    return {
        "area_id": area_id,
        "valid_from": day,
        "geom": f"SRID={SRID};{shapely.to_wkt(shape, rounding_precision=-1)}",
        "datum_in": origin.datum,
        "accuracy_m": origin.accuracy_m,
        "source": origin.source,
    }
