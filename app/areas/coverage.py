"""Find gaps and overlaps among shapes that should cover an area exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

EQUATOR_M = 6378137.0
ECCENTRICITY = 0.0818191908426215
SMALLEST_M2 = 500.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of standing areas; those on the ground have a size and a position to look at."""

    kind: str
    area_ids: tuple[int, ...]
    area_m2: float = 0.0
    lon: float | None = None
    lat: float | None = None


def overlaps(
    shapes: Mapping[int, BaseGeometry], smallest_m2: float = SMALLEST_M2
) -> Iterator[Finding]:
    """Yield where two shapes cover the same ground."""
    from app.core.geos import shapely

    ids = sorted(shapes)
    ordered = [shapes[area_id] for area_id in ids]
    pairs = shapely.STRtree(ordered).query(ordered, predicate="intersects").T.tolist()
    for first, second in sorted(pairs):
        if first < second:
            both = shapely.intersection(ordered[first], ordered[second])
            yield from _found("overlap", (ids[first], ids[second]), both, smallest_m2)


def gaps(
    shapes: Mapping[int, BaseGeometry],
    border: BaseGeometry | None,
    smallest_m2: float = SMALLEST_M2,
) -> Iterator[Finding]:
    """Yield ground that no shape covers: within a border, or else enclosed by the shapes."""
    from app.core.geos import shapely

    covered = shapely.union_all(list(shapes.values()))
    whole = _filled(covered) if border is None else border
    missing = shapely.difference(whole, covered)
    for part in shapely.get_parts(missing):
        yield from _found("gap", (), part, smallest_m2)


def _filled(shape: BaseGeometry) -> BaseGeometry:
    from app.core.geos import shapely

    parts = shapely.get_parts(shape)
    return shapely.union_all([shapely.Polygon(shapely.get_exterior_ring(part)) for part in parts])


def outside(
    shapes: Mapping[int, BaseGeometry], border: BaseGeometry, smallest_m2: float = SMALLEST_M2
) -> Iterator[Finding]:
    """Yield what lies beyond the border of the area it belongs to."""
    from app.core.geos import shapely

    shapely.prepare(border)
    for area_id in sorted(shapes):
        if not border.covers(shapes[area_id]):
            beyond = shapely.difference(shapes[area_id], border)
            yield from _found("outside", (area_id,), beyond, smallest_m2)


def _found(
    kind: str, area_ids: tuple[int, ...], shape: BaseGeometry, smallest_m2: float
) -> Iterator[Finding]:
    size = area_m2(shape)
    if size >= smallest_m2:
        point = shape.representative_point()
        yield Finding(kind, area_ids, round(size, 1), round(point.x, 6), round(point.y, 6))


def area_m2(shape: BaseGeometry) -> float:
    """Return the area on the WGS-84 ellipsoid, by Lambert's cylindrical equal-area projection."""
    from app.core.geos import shapely

    return float(shapely.transform(shape, _equal_area).area)


def _equal_area(positions: Any) -> Any:
    import numpy

    sine = ECCENTRICITY * numpy.sin(numpy.radians(positions[:, 1]))
    flat = sine / (1.0 - sine * sine) + numpy.arctanh(sine)
    north = EQUATOR_M * (1.0 - ECCENTRICITY**2) / (2.0 * ECCENTRICITY) * flat
    return numpy.column_stack((EQUATOR_M * numpy.radians(positions[:, 0]), north))
