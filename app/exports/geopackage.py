"""Write rows as a GeoPackage (OGC 12-128r18): a SQLite file that is made in memory.

A GeoPackage cannot be written piece by piece, so the number of its rows is limited.
"""

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from app.core.driver import driver
from app.exports.formats import ROWS_A_PIECE, Sheet
from app.exports.layers import Row

ROWS_MAX = 100_000
MEMORY = Path("/dev/shm")
APPLICATION_ID, VERSION = 0x47504B47, 10300
PIECE_BYTES = 256 * 1024
SRID = 4326
WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)
_TABLES = (
    "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,"
    " organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,"
    " definition TEXT NOT NULL, description TEXT)",
    "CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT NOT NULL,"
    " identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL,"
    " min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER)",
    "CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL UNIQUE,"
    " column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,"
    " z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name))",
)
_SYSTEMS = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined", None),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
    ("WGS 84 geodetic", SRID, "EPSG", SRID, WGS84, None),
)


def as_geopackage(sheet: Sheet, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a GeoPackage with one layer; its description is the watermark."""
    with _file_in_memory() as path:
        connection = driver.connect(path, isolation_level=None)
        try:
            # A journal would be a second file, on the disk.
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA temp_store=MEMORY")
            _fill(connection, sheet, rows)
        finally:
            connection.close()
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece


@contextmanager
def _file_in_memory() -> Iterator[Path]:
    """Give a file for its owner alone that lies in memory, where the system has such a folder."""
    in_memory = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    with tempfile.NamedTemporaryFile(suffix=".gpkg", dir=in_memory) as file:
        yield Path(file.name)


def _fill(connection: Any, sheet: Sheet, rows: Iterable[Row]) -> None:
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("BEGIN")
    for statement in _TABLES:
        connection.execute(statement)
    connection.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?,?,?,?,?,?)", _SYSTEMS)
    waiting = iter(rows)
    first = list(islice(waiting, ROWS_A_PIECE))
    columns = [(name, _type_of(first, name)) for name in sheet.columns]
    declared = "".join(f', "{name}" {kind}' for name, kind in columns)
    connection.execute(
        f'CREATE TABLE "{sheet.name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,'
        f" geom GEOMETRY{declared})"
    )
    places = ",".join("?" * (len(columns) + 1))
    names = ",".join(["geom", *(f'"{name}"' for name, _ in columns)])
    box = _Box()
    connection.executemany(
        f'INSERT INTO "{sheet.name}" ({names}) VALUES ({places})',
        (_values(sheet, row, box) for row in chain(first, waiting)),
    )
    _describe(connection, sheet, box)
    connection.execute("COMMIT")


def _describe(connection: Any, sheet: Sheet, box: "_Box") -> None:
    """Write the layer into the book of contents."""
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'GEOMETRY', ?, 0, 0)",
        (sheet.name, SRID),
    )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    connection.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)",
        (sheet.name, sheet.name, sheet.watermark, now, *box.corners(), SRID),
    )


def _values(sheet: Sheet, row: Row, box: "_Box") -> tuple[Any, ...]:
    shape = None if row.geometry is None else packed(row.geometry, box)
    return (shape, *(_plain(row.values.get(name)) for name in sheet.columns))


def _plain(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def _type_of(rows: Sequence[Row], name: str) -> str:
    """Return the type of a column by the first value that is there."""
    value = next((v for row in rows if (v := row.values.get(name)) is not None), None)
    match value:
        case bool():
            return "BOOLEAN"
        case int():
            return "INTEGER"
        case float():
            return "DOUBLE"
        case _:
            return "TEXT"


class _Box:
    """What the shapes of a layer extend over."""

    def __init__(self) -> None:
        self.west = self.south = float("inf")
        self.east = self.north = float("-inf")

    def take(self, lon: float, lat: float) -> None:
        """Let the box hold a position."""
        self.west, self.east = min(self.west, lon), max(self.east, lon)
        self.south, self.north = min(self.south, lat), max(self.north, lat)

    def corners(self) -> tuple[float | None, ...]:
        """Return west, south, east, north; nothing when there is no shape."""
        if self.west > self.east:
            return (None,) * 4
        return (self.west, self.south, self.east, self.north)


def packed(shape: Mapping[str, Any], box: _Box | None = None) -> bytes:
    """Return a GeoJSON shape as a GeoPackage geometry: its header, then well-known binary."""
    header = struct.pack("<2sBBi", b"GP", 0, 0b0000_0001, SRID)
    return header + _well_known(shape["type"], shape["coordinates"], box or _Box())


def _well_known(kind: str, coordinates: Any, box: _Box) -> bytes:
    match kind:
        case "Point":
            return _head(1) + _position(coordinates, box)
        case "Polygon":
            return _head(3) + _counted(_ring(ring, box) for ring in coordinates)
        case "MultiPolygon":
            return _head(6) + _counted(_well_known("Polygon", one, box) for one in coordinates)
        case _:
            raise ValueError(f"no layer of ours holds a {kind}")


def _head(kind: int) -> bytes:
    return struct.pack("<BI", 1, kind)


def _ring(ring: Iterable[Sequence[float]], box: _Box) -> bytes:
    return _counted(_position(one, box) for one in ring)


def _counted(parts: Iterable[bytes]) -> bytes:
    every = list(parts)
    return struct.pack("<I", len(every)) + b"".join(every)


def _position(position: Sequence[float], box: _Box) -> bytes:
    lon, lat = position[0], position[1]
    box.take(lon, lat)
    return struct.pack("<dd", lon, lat)
