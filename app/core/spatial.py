"""Spatial filters that mean the same, and use the spatial index, on SpatiaLite and PostGIS.

SpatiaLite never consults its R-tree by itself, so each filter names it. Boxes are computed in
Python: computed in SQL they would be computed again for every row.
"""

import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

from app.core.geometry import Geometry

METRES_PER_DEGREE = 111_195.0
SRID = 4326


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


class _Filter(ColumnElement[bool]):
    """A condition on one geometry column that compiles to each engine's own words."""

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, column: Any, *numbers: float) -> None:
        self.column = sa.inspect(column).expression if hasattr(column, "expression") else column
        self.numbers = tuple(float(number) for number in numbers)

    def self_group(self, against: Any = None) -> "_Filter":
        """Stay as it is: wrapped in "= 1", SQLite could not use the index."""
        return self


class inside(_Filter):
    """True where the shape holds the position: ``inside(column, lon, lat)``."""

    inherit_cache = False


class in_box(_Filter):
    """True where the shape meets a box: ``in_box(column, west, south, east, north)``."""

    inherit_cache = False


class within_metres(_Filter):
    """True where the shape is near: ``within_metres(column, lon, lat, metres)``."""

    inherit_cache = False


class metres_to(_Filter):
    """The distance from the shape in metres: ``metres_to(column, lon, lat)``."""

    inherit_cache = False
    type = sa.Float()  # type: ignore[assignment]


def _postgres_point(numbers: tuple[float, ...]) -> str:
    return f"ST_SetSRID(ST_MakePoint({numbers[0]!r}, {numbers[1]!r}), {SRID})"


def _sqlite_point(numbers: tuple[float, ...]) -> str:
    return f"MakePoint({numbers[0]!r}, {numbers[1]!r}, {SRID})"


def _rtree(column: Any, box: tuple[float, ...]) -> str:
    table = column.table
    source = getattr(table, "element", table).name
    west, south, east, north = box
    return (
        f"{table.name}.rowid IN (SELECT pkid FROM idx_{source}_{column.name} "
        f"WHERE xmin <= {east!r} AND xmax >= {west!r} AND ymin <= {north!r} AND ymax >= {south!r})"
    )


@compiles(inside, "postgresql")
def _inside_postgres(element: inside, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    return f"ST_Contains({shape}, {_postgres_point(element.numbers)})"


@compiles(inside, "sqlite")
def _inside_sqlite(element: inside, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    lon, lat = element.numbers
    index = _rtree(element.column, (lon, lat, lon, lat))
    return f"({index} AND ST_Contains({shape}, {_sqlite_point(element.numbers)}) = 1)"


@compiles(in_box, "postgresql")
def _in_box_postgres(element: in_box, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    box = ", ".join(repr(number) for number in element.numbers)
    return f"ST_Intersects({shape}, ST_MakeEnvelope({box}, {SRID}))"


@compiles(in_box, "sqlite")
def _in_box_sqlite(element: in_box, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    box = ", ".join(repr(number) for number in element.numbers)
    index = _rtree(element.column, element.numbers)
    return f"({index} AND ST_Intersects({shape}, BuildMbr({box}, {SRID})) = 1)"


@compiles(within_metres, "postgresql")
def _within_postgres(element: within_metres, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    *position, metres = element.numbers
    box = ", ".join(repr(number) for number in box_around(position[0], position[1], metres))
    near = (
        f"ST_DWithin({shape}::geography, {_postgres_point(tuple(position))}::geography, {metres!r})"
    )
    return f"({shape} && ST_MakeEnvelope({box}, {SRID}) AND {near})"


@compiles(within_metres, "sqlite")
def _within_sqlite(element: within_metres, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    lon, lat, metres = element.numbers
    index = _rtree(element.column, box_around(lon, lat, metres))
    near = f"ST_Distance({shape}, {_sqlite_point((lon, lat))}, 1) <= {metres!r}"
    return f"({index} AND {near})"


@compiles(metres_to, "postgresql")
def _metres_postgres(element: metres_to, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    return f"ST_Distance({shape}::geography, {_postgres_point(element.numbers)}::geography)"


@compiles(metres_to, "sqlite")
def _metres_sqlite(element: metres_to, compiler: Any, **kw: Any) -> str:
    shape = compiler.process(element.column, **_raw(kw))
    return f"ST_Distance({shape}, {_sqlite_point(element.numbers)}, 1)"


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
