"""Read borders from GeoJSON and GeoPackage files, converted to WGS-84 and checked by row.

Shapely is imported inside the functions: only commands read borders, and it would cost every
worker process of the server 28 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.areas.datum import Datum, to_wgs84
from app.areas.flaws import Flaw

if TYPE_CHECKING:
    from shapely import MultiPolygon
    from shapely.geometry.base import BaseGeometry

# Seven decimals are a centimetre: finer than any survey, and the same text on both engines.
DECIMALS = 7


@dataclass(frozen=True, slots=True)
class RawFeature:
    """A feature as its file holds it: a GeoJSON geometry, or well-known bytes."""

    row: int
    properties: Mapping[str, Any]
    geometry: Any


@dataclass(frozen=True, slots=True)
class FieldNames:
    """What a file calls the three properties that we read."""

    code: str = "code"
    name: str = "name"
    parent: str = "parent_code"


@dataclass(frozen=True, slots=True)
class Feature:
    """A checked border: WGS-84, valid, outer rings counter-clockwise."""

    row: int
    code: str
    name: str
    parent_code: str
    shape: MultiPolygon


@dataclass(frozen=True, slots=True)
class Layer:
    """The good features of a file and the flaws of the others."""

    features: tuple[Feature, ...]
    flaws: tuple[Flaw, ...]


class BadGeometry(ValueError):
    """The geometry of a row cannot be used; the first argument is the code of the flaw."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code, self.detail = code, detail
        super().__init__(code)


def check_features(
    raw_features: Iterable[RawFeature], datum: Datum, names: FieldNames = FieldNames()
) -> Layer:
    """Separate the usable borders from the faulty ones; codes must be unique."""
    features: dict[str, Feature] = {}
    flaws = []
    for raw in raw_features:
        code, name, parent_code = (
            _text(raw.properties.get(key)) for key in (names.code, names.name, names.parent)
        )
        subject = f"{code} {name}".strip()
        try:
            shape = to_shape(raw.geometry, datum)
        except BadGeometry as bad:
            flaws.append(Flaw(raw.row, bad.code, f"{subject} {bad.detail}".strip()))
            continue
        if code in features:
            flaws.append(Flaw(raw.row, "duplicate_code", subject))
        else:
            features[code] = Feature(raw.row, code, name, parent_code, shape)
    return Layer(tuple(features.values()), tuple(flaws))


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def to_shape(geometry: Any, datum: Datum) -> MultiPolygon:
    """Return a valid WGS-84 MultiPolygon from a GeoJSON geometry or from well-known bytes.

    Raises:
        BadGeometry: with the code of the flaw.
    """
    from app.core.geos import shapely

    shape = _from_bytes(geometry) if isinstance(geometry, bytes) else _from_json(geometry)
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise BadGeometry("geometry_type", shape.geom_type)
    if shape.is_empty:
        raise BadGeometry("geometry_missing")
    _refuse_far_positions(shape)
    shape = shapely.transform(shape, lambda positions: _convert(positions, datum))
    if not shape.is_valid:
        raise BadGeometry("self_intersection", shapely.is_valid_reason(shape))
    parts = getattr(shape, "geoms", [shape])
    return shapely.MultiPolygon([shapely.geometry.polygon.orient(part) for part in parts])


def _from_bytes(geometry: bytes) -> BaseGeometry:
    from app.core.geos import shapely

    try:
        return shapely.force_2d(shapely.from_wkb(geometry))
    except shapely.errors.ShapelyError as error:
        raise BadGeometry("geometry_malformed", str(error)[:80]) from error


def _from_json(geometry: Any) -> BaseGeometry:
    from app.core.geos import shapely

    if not isinstance(geometry, dict) or not geometry.get("coordinates"):
        raise BadGeometry("geometry_missing")
    kind, coordinates = geometry.get("type"), geometry["coordinates"]
    if kind not in ("Polygon", "MultiPolygon"):
        raise BadGeometry("geometry_type", str(kind)[:40])
    polygons = [coordinates] if kind == "Polygon" else coordinates
    parts = [list(_rings(polygon)) for polygon in _filled_list(polygons)]
    return shapely.MultiPolygon([(rings[0], rings[1:]) for rings in parts])


def _rings(polygon: Any) -> Iterator[list[tuple[float, float]]]:
    for ring in _filled_list(polygon):
        positions = [_position(position) for position in _filled_list(ring)]
        if len(positions) < 4 or positions[0] != positions[-1]:
            raise BadGeometry("geometry_malformed")
        yield positions


def _filled_list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadGeometry("geometry_malformed")
    return value


def _position(value: Any) -> tuple[float, float]:
    numbers = _filled_list(value)
    if not 2 <= len(numbers) <= 4 or any(type(number) not in (int, float) for number in numbers):
        raise BadGeometry("geometry_malformed")
    lon, lat = numbers[:2]
    # Compared, not computed: a number may be too long for a float, infinite or no number.
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadGeometry("out_of_range")
    return float(lon), float(lat)


def _refuse_far_positions(shape: BaseGeometry) -> None:
    from app.core.geos import shapely

    for lon, lat in shapely.get_coordinates(shape).tolist():
        if not (math.isfinite(lon) and abs(lon) <= 180 and math.isfinite(lat) and abs(lat) <= 90):
            raise BadGeometry("out_of_range", f"{lon} {lat}")


def _convert(positions: Any, datum: Datum) -> Any:
    """Convert an array of positions; shared corners of neighbours stay shared."""
    import numpy

    converted = [to_wgs84(lon, lat, datum) for lon, lat in positions.tolist()]
    return numpy.round(numpy.array(converted), DECIMALS)
