"""Write small GeoJSON and GeoPackage files for the tests."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely

from app.core.driver import driver

HEAD = """
CREATE TABLE IF NOT EXISTS gpkg_spatial_ref_sys(
    srs_id INTEGER PRIMARY KEY, organization_coordsys_id INTEGER);
CREATE TABLE IF NOT EXISTS gpkg_geometry_columns(
    table_name TEXT, column_name TEXT, srs_id INTEGER);
"""
BOX = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def write_geojson(folder: Path, features: Sequence[dict[str, Any]]) -> Path:
    """Write a FeatureCollection and return its path."""
    path = folder / "borders.geojson"
    document = {"type": "FeatureCollection", "features": list(features)}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def write_geopackage(
    folder: Path, features: Sequence[dict[str, Any]], table: str = "grids", system: int = 4326
) -> Path:
    """Add a layer to a GeoPackage as the standard lays it out, and return its path."""
    path = folder / "borders.gpkg"
    quoted = '"' + table.replace('"', '""') + '"'
    connection = driver.connect(str(path))
    connection.executescript(HEAD)
    connection.execute("INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?)", (system, system))
    connection.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?)", (table, system))
    connection.execute(f"CREATE TABLE {quoted}(code TEXT, name TEXT, parent_code TEXT, geom BLOB)")
    for one in features:
        texts = [one["properties"][name] for name in ("code", "name", "parent_code")]
        row = (*texts, packed(one["geometry"], system))
        connection.execute(f"INSERT INTO {quoted} VALUES (?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    return path


def packed(geometry: dict[str, Any] | None, system: int) -> bytes | None:
    """Return a geometry with the header of GeoPackage, with the envelope of its box."""
    if geometry is None:
        return None
    shape = shapely.from_geojson(json.dumps(geometry))
    west, south, east, north = shape.bounds
    header = b"GP\x00\x03" + struct.pack("<i4d", system, west, east, south, north)
    return header + shapely.to_wkb(shape)
