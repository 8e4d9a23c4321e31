"""Spatial filters that mean the same, and use the spatial index, on SpatiaLite and PostGIS.

SpatiaLite never consults its R-tree by itself, so each filter names it. Boxes are computed in
Python: computed in SQL they would be computed again for every row.
"""

import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal

from app.core.geometry import Geometry

METRES_PER_DEGREE = 111_195.0
SRID = 4326
HALF_A_STEP = 0.5e-7
"""Half of the last decimal to which positions are kept, in degrees."""


def point_type() -> Geometry:
    """Return the column type of one position."""
    return Geometry("POINT", srid=SRID, spatial_index=True)


def multipolygon_type() -> Geometry:
    """Return the column type of a border."""
    return Geometry("MULTIPOLYGON", srid=SRID, spatial_index=True)


def ewkt_point(lon: float, lat: float) -> str:
    """Write a position the way a geometry column takes it."""
    return f"SRID={SRID};POINT({lon:.7f} {lat:.7f})"


def box_around(lon: float, lat: float, metres: float) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a box that holds a circle."""
    d_lat = metres / METRES_PER_DEGREE
    d_lon = metres / (METRES_PER_DEGREE * max(0.01, math.cos(math.radians(lat))))
    return lon - d_lon, lat - d_lat, lon + d_lon, lat + d_lat


def with_area(
    west: float, south: float, east: float, north: float
) -> tuple[float, float, float, float]:
    """Return a box with an area, so that a line or a point holds what lies on it on both engines.

    The engines do not agree on shapes without an area; half of the last decimal of a position
    gives it one and takes in nothing else.
    """
    return west - HALF_A_STEP, south - HALF_A_STEP, east + HALF_A_STEP, north + HALF_A_STEP


class _Filter(ColumnElement[bool]):
    """A condition on one geometry column that compiles to each engine's own words.

    Its numbers are bound parameters, so that a statement is compiled once for all positions;
    they may be given as parameters by name, too.
    """

    inherit_cache = True
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement),
        ("numbers", InternalTraversal.dp_clauseelement_tuple),
    ]
    type = sa.Boolean()

    def __init__(self, column: Any, *numbers: Any) -> None:
        self.column = sa.inspect(column).expression if hasattr(column, "expression") else column
        self.numbers = tuple(_bound(number) for number in numbers)

    def self_group(self, against: Any = None) -> "_Filter":
        """Stay as it is: wrapped in "= 1", SQLite could not use the index."""
        return self


def _bound(number: Any) -> ColumnElement[Any]:
    if isinstance(number, ColumnElement):
        return number
    return sa.literal(float(number), sa.Float())


class inside(_Filter):
    """True where the shape holds the position: ``inside(column, lon, lat)``."""

    inherit_cache = True


class in_box(_Filter):
    """True where the shape meets a box: ``in_box(column, west, south, east, north)``."""

    inherit_cache = True


class within_metres(_Filter):
    """True where the shape is near: ``within_metres(column, lon, lat, metres)``."""

    inherit_cache = True

    def __init__(self, column: Any, lon: float, lat: float, metres: float) -> None:
        super().__init__(column, lon, lat, metres, *box_around(lon, lat, metres))


class metres_to(_Filter):
    """The distance from the shape in metres: ``metres_to(column, lon, lat)``."""

    inherit_cache = True
    type = sa.Float()  # type: ignore[assignment]


def _words(element: _Filter, compiler: Any, kw: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the column and the numbers of a filter in the words of an engine."""
    raw = _raw(kw)
    column = compiler.process(element.column, **raw)
    return column, [compiler.process(number, **raw) for number in element.numbers]


def _postgres_point(lon: str, lat: str) -> str:
    return f"ST_SetSRID(ST_MakePoint({lon}, {lat}), {SRID})"


def _sqlite_point(lon: str, lat: str) -> str:
    return f"MakePoint({lon}, {lat}, {SRID})"


def _rtree(column: Any, box: list[str]) -> str:
    table = column.table
    source = getattr(table, "element", table).name
    west, south, east, north = box
    return (
        f"{table.name}.rowid IN (SELECT pkid FROM idx_{source}_{column.name} "
        f"WHERE xmin <= {east} AND xmax >= {west} AND ymin <= {north} AND ymax >= {south})"
    )


@compiles(inside, "postgresql")
def _inside_postgres(element: inside, compiler: Any, **kw: Any) -> str:
    shape, (lon, lat) = _words(element, compiler, kw)
    return f"ST_Contains({shape}, {_postgres_point(lon, lat)})"


@compiles(inside, "sqlite")
def _inside_sqlite(element: inside, compiler: Any, **kw: Any) -> str:
    shape, (lon, lat) = _words(element, compiler, kw)
    index = _rtree(element.column, [lon, lat, lon, lat])
    return f"({index} AND ST_Contains({shape}, {_sqlite_point(lon, lat)}) = 1)"


@compiles(in_box, "postgresql")
def _in_box_postgres(element: in_box, compiler: Any, **kw: Any) -> str:
    shape, box = _words(element, compiler, kw)
    envelope = f"ST_MakeEnvelope({', '.join(box)}, {SRID})"
    # The operator by itself: it alone may use an index below row-level security (ADR 33).
    return f"({shape} && {envelope} AND ST_Intersects({shape}, {envelope}))"


@compiles(in_box, "sqlite")
def _in_box_sqlite(element: in_box, compiler: Any, **kw: Any) -> str:
    shape, box = _words(element, compiler, kw)
    index = _rtree(element.column, box)
    return f"({index} AND ST_Intersects({shape}, BuildMbr({', '.join(box)}, {SRID})) = 1)"


@compiles(within_metres, "postgresql")
def _within_postgres(element: within_metres, compiler: Any, **kw: Any) -> str:
    shape, (lon, lat, metres, *box) = _words(element, compiler, kw)
    point = _postgres_point(lon, lat)
    near = f"ST_DWithin({shape}::geography, {point}::geography, {metres})"
    return f"({shape} && ST_MakeEnvelope({', '.join(box)}, {SRID}) AND {near})"


@compiles(within_metres, "sqlite")
def _within_sqlite(element: within_metres, compiler: Any, **kw: Any) -> str:
    shape, (lon, lat, metres, *box) = _words(element, compiler, kw)
    near = f"ST_Distance({shape}, {_sqlite_point(lon, lat)}, 1) <= {metres}"
    return f"({_rtree(element.column, box)} AND {near})"


@compiles(metres_to, "postgresql")
def _metres_postgres(element: metres_to, compiler: Any, **kw: Any) -> str:
    shape, (lon, lat) = _words(element, compiler, kw)
    return f"ST_Distance({shape}::geography, {_postgres_point(lon, lat)}::geography)"


@compiles(metres_to, "sqlite")
def _metres_sqlite(element: metres_to, compiler: Any, **kw: Any) -> str:
    shape, (lon, lat) = _words(element, compiler, kw)
    return f"ST_Distance({shape}, {_sqlite_point(lon, lat)}, 1)"


def _raw(kw: dict[str, Any]) -> dict[str, Any]:
    """Ask for the bare column: inside a filter it is an argument, not a result to be wrapped."""
    return {**kw, "within_columns_clause": False, "add_to_result_map": None}


def is_ours(name: str | None, kind: str, metadata: sa.MetaData) -> bool:
    """Tell the tables of this product from those that the spatial extensions keep."""
    if kind == "table":
        return name in metadata.tables
    if kind == "index":
        return not (name or "").startswith("idx_")
    return True
