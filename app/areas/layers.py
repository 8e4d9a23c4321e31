"""Open GeoJSON and GeoPackage files and list their features as the files hold them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.areas.boundaries import RawFeature
from app.areas.flaws import FlawedFile
from app.core.driver import driver

FILE_BYTES_MAX = 1024 * 1024 * 1024
SQLITE_MAGIC = b"SQLite format 3\x00"
# Degrees on WGS-84 and on CGCS2000; what a file calls WGS-84 may still be shifted, so the
# datum itself is always declared by the person who imports.
DEGREE_SYSTEMS = {4326, 4490}
DEGREE_NAMES = ("CRS84", "4326", "4490")
ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
HEADER_BYTES = 8
EMPTY_FLAG = 0b10000


def read_layer(path: Path, layer: str | None = None) -> list[RawFeature]:
    """Return the features of a file; rows count from 1.

    Args:
        layer: the table of a GeoPackage that has several.

    Raises:
        FlawedFile: it cannot be read, is too large, or is not in degrees.
    """
    if path.stat().st_size > FILE_BYTES_MAX:
        raise FlawedFile("file_too_large")
    with path.open("rb") as file:
        is_sqlite = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    return _geopackage(path, layer) if is_sqlite else list(_geojson(path))


def _geojson(path: Path) -> Iterator[RawFeature]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FlawedFile("file_unreadable", str(error)[:80]) from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise FlawedFile("file_unreadable", "FeatureCollection?")
    _refuse_metres(document.get("crs"))
    for row, feature in enumerate(features, start=1):
        feature = feature if isinstance(feature, dict) else {}
        properties = feature.get("properties")
        yield RawFeature(
            row, properties if isinstance(properties, dict) else {}, feature.get("geometry")
        )


def _refuse_metres(crs: Any) -> None:
    """Refuse the old `crs` member when it names anything but degrees."""
    if crs and not any(name in json.dumps(crs) for name in DEGREE_NAMES):
        raise FlawedFile("not_degrees", json.dumps(crs)[:80])


def _geopackage(path: Path, layer: str | None) -> list[RawFeature]:
    connection = driver.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.row_factory = driver.Row
        table, column = _spatial_table(connection, layer)
        rows = connection.execute(f"SELECT * FROM {_quoted(table)}")
        return [_packed_feature(row, dict(values), column) for row, values in enumerate(rows, 1)]
    except driver.DatabaseError as error:
        raise FlawedFile("file_unreadable", str(error)[:80]) from error
    finally:
        connection.close()


def _spatial_table(connection: Any, layer: str | None) -> tuple[str, str]:
    tables = connection.execute(
        "SELECT g.table_name, g.column_name, s.organization_coordsys_id"
        " FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id"
        " ORDER BY g.table_name"
    ).fetchall()
    names = [table for table, _, _ in tables]
    chosen = [row for row in tables if layer in (None, row[0])]
    if len(chosen) != 1:
        raise FlawedFile("layer_unclear", ", ".join(names))
    table, column, system = chosen[0]
    if system not in DEGREE_SYSTEMS:
        raise FlawedFile("not_degrees", f"EPSG:{system}")
    return table, column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _packed_feature(row: int, values: dict[str, Any], column: str) -> RawFeature:
    return RawFeature(row, values, _well_known_bytes(values.pop(column, None)))


def _well_known_bytes(blob: object) -> bytes | None:
    """Cut the GeoPackage header from a geometry; None if it is empty or no geometry."""
    if not isinstance(blob, bytes) or len(blob) <= HEADER_BYTES or blob[:2] != b"GP":
        return None
    envelope = ENVELOPE_BYTES.get(blob[3] >> 1 & 0b111)
    if envelope is None or blob[3] & EMPTY_FLAG:
        return None
    return blob[HEADER_BYTES + envelope :]
