"""Borders are read from GeoJSON and GeoPackage alike, converted, checked and put in order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely

from app.areas.boundaries import FieldNames, Layer, check_features
from app.areas.datum import Datum, from_wgs84
from app.areas.flaws import FlawedFile
from app.areas.layers import read_layer
from tests.app.areas.files import write_geojson, write_geopackage

DATA = Path(__file__).parents[3] / "data"
SQUARE = [[104.0, 36.0], [104.1, 36.0], [104.1, 36.1], [104.0, 36.1], [104.0, 36.0]]
BOW_TIE = [[104.0, 36.0], [104.1, 36.1], [104.1, 36.0], [104.0, 36.1], [104.0, 36.0]]
WRITERS = [write_geojson, write_geopackage]
Writer = Callable[..., Path]


def feature(geometry: Any, code: str = "620402100208001", **more: Any) -> dict[str, Any]:
    properties = {"code": code, "name": "第1网格", "parent_code": "620402100208", **more}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def checked(path: Path, datum: Datum = Datum.WGS84) -> Layer:
    return check_features(read_layer(path), datum)


@pytest.mark.parametrize("write", WRITERS)
def test_a_polygon_becomes_a_multipolygon_with_its_properties(
    write: Writer, tmp_path: Path
) -> None:
    layer = checked(write(tmp_path, [feature(polygon(SQUARE))]))
    assert layer.flaws == ()
    (one,) = layer.features
    assert (one.row, one.code, one.name, one.parent_code) == (
        1, "620402100208001", "第1网格", "620402100208",
    )  # fmt: skip
    assert one.shape.equals(shapely.MultiPolygon([shapely.Polygon(SQUARE)]))


def test_the_county_borders_are_read_and_jingyuan_has_two_parts() -> None:
    layer = checked(DATA / "baiyin_counties.geojson", Datum.CGCS2000)
    assert layer.flaws == ()
    parts = {one.code: len(one.shape.geoms) for one in layer.features}
    assert parts == {"620402": 1, "620403": 1, "620421": 2, "620422": 1, "620423": 1}


@pytest.mark.parametrize("datum", list(Datum))
def test_a_declared_datum_is_converted_to_wgs84(datum: Datum, tmp_path: Path) -> None:
    shifted = [list(from_wgs84(lon, lat, datum)) for lon, lat in SQUARE]
    (one,) = checked(write_geojson(tmp_path, [feature(polygon(shifted))]), datum).features
    assert one.shape.equals_exact(shapely.MultiPolygon([shapely.Polygon(SQUARE)]), tolerance=2e-7)


def test_rings_are_turned_the_right_way_round(tmp_path: Path) -> None:
    hole = [[104.02, 36.02], [104.04, 36.02], [104.04, 36.04], [104.02, 36.04], [104.02, 36.02]]
    (one,) = checked(write_geojson(tmp_path, [feature(polygon(SQUARE[::-1], hole))])).features
    assert one.shape.geoms[0].exterior.is_ccw
    assert not one.shape.geoms[0].interiors[0].is_ccw


def test_heights_are_dropped(tmp_path: Path) -> None:
    high = [[lon, lat, 1700.0] for lon, lat in SQUARE]
    for write in WRITERS:
        (one,) = checked(write(tmp_path, [feature(polygon(high))])).features
        assert not one.shape.has_z


BAD_SHAPES = [
    (polygon(BOW_TIE), "self_intersection"),
    (polygon([[36.0, 104.0], [36.1, 104.0], [36.1, 104.1], [36.0, 104.0]]), "out_of_range"),
    ({"type": "Point", "coordinates": [104.0, 36.0]}, "geometry_type"),
    ({"type": "LineString", "coordinates": SQUARE}, "geometry_type"),
    (None, "geometry_missing"),
]
BAD_JSON_SHAPES = [
    *BAD_SHAPES,
    (polygon(), "geometry_missing"),
    ({"type": "Polygon"}, "geometry_missing"),
    ("Polygon", "geometry_missing"),
    (polygon(SQUARE[:-1]), "geometry_malformed"),
    (polygon(SQUARE[:2] + SQUARE[:1]), "geometry_malformed"),
    (polygon([]), "geometry_malformed"),
    (polygon(["a", "b", "c", "a"]), "geometry_malformed"),
    (polygon([[True, 36.0], [104.1, 36.0], [104.1, 36.1], [True, 36.0]]), "geometry_malformed"),
    (polygon([[10**400, 36.0], [104.1, 36.0], [104.1, 36.1], [10**400, 36.0]]), "out_of_range"),
    ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "geometry_malformed"),
]


@pytest.mark.parametrize(("geometry", "code"), BAD_JSON_SHAPES)
def test_a_bad_geojson_shape_is_named_with_its_row(
    geometry: Any, code: str, tmp_path: Path
) -> None:
    rows = [feature(polygon(SQUARE), "1"), feature(geometry, "2")]
    layer = checked(write_geojson(tmp_path, rows))
    assert [(flaw.row, flaw.code) for flaw in layer.flaws] == [(2, code)]
    assert [one.code for one in layer.features] == ["1"]


@pytest.mark.parametrize(("geometry", "code"), BAD_SHAPES)
def test_a_bad_geopackage_shape_is_named_with_its_row(
    geometry: Any, code: str, tmp_path: Path
) -> None:
    rows = [feature(polygon(SQUARE), "1"), feature(geometry, "2")]
    layer = checked(write_geopackage(tmp_path, rows))
    assert [(flaw.row, flaw.code) for flaw in layer.flaws] == [(2, code)]


def test_positions_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = write_geojson(tmp_path, [feature(polygon(SQUARE))])
    path.write_text(path.read_text(encoding="utf-8").replace("104.1", "NaN"), encoding="utf-8")
    assert [flaw.code for flaw in checked(path).flaws] == ["out_of_range"]


def test_the_second_row_of_a_code_is_refused(tmp_path: Path) -> None:
    rows = [feature(polygon(SQUARE)), feature(polygon(SQUARE))]
    layer = checked(write_geojson(tmp_path, rows))
    assert [(flaw.row, flaw.code) for flaw in layer.flaws] == [(2, "duplicate_code")]


def test_a_file_may_call_its_fields_otherwise(tmp_path: Path) -> None:
    properties = {"BM": 620402100208001.0, "MC": " 第1网格 ", "SJ": 620402100208}
    path = write_geojson(tmp_path, [{"geometry": polygon(SQUARE), "properties": properties}])
    names = FieldNames(code="BM", name="MC", parent="SJ")
    (one,) = check_features(read_layer(path), Datum.WGS84, names).features
    assert (one.code, one.name, one.parent_code) == (
        "620402100208001", "第1网格", "620402100208",
    )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"type":"FeatureCollection"}', "[" * 100_000, "\xff\xfe\x00\xd8"],
)
def test_a_file_that_is_no_feature_collection_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(FlawedFile, match="file_unreadable"):
        read_layer(path)


def test_a_feature_that_is_no_object_is_a_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "odd.geojson"
    path.write_text('{"features":[7,{"properties":3}]}', encoding="utf-8")
    codes = [(flaw.row, flaw.code) for flaw in checked(path).flaws]
    assert codes == [(1, "geometry_missing"), (2, "geometry_missing")]


def test_a_geojson_in_metres_is_refused(tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4544"}}
    path = tmp_path / "metres.geojson"
    path.write_text(json.dumps({"features": [], "crs": crs}), encoding="utf-8")
    with pytest.raises(FlawedFile, match="not_degrees"):
        read_layer(path)


def test_a_geopackage_in_metres_is_refused(tmp_path: Path) -> None:
    path = write_geopackage(tmp_path, [feature(polygon(SQUARE))], system=4544)
    with pytest.raises(FlawedFile, match="not_degrees"):
        read_layer(path)


def test_a_geopackage_in_cgcs2000_is_taken(tmp_path: Path) -> None:
    path = write_geopackage(tmp_path, [feature(polygon(SQUARE))], system=4490)
    assert len(read_layer(path)) == 1


def test_of_several_layers_one_must_be_named(tmp_path: Path) -> None:
    write_geopackage(tmp_path, [feature(polygon(SQUARE))], table="grids")
    path = write_geopackage(tmp_path, [feature(polygon(SQUARE), "7")], table='old "grids"')
    with pytest.raises(FlawedFile, match="layer_unclear"):
        read_layer(path)
    assert read_layer(path, 'old "grids"')[0].properties["code"] == "7"


def test_a_broken_geopackage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gpkg"
    path.write_bytes(b"SQLite format 3\x00" + bytes(2000))
    with pytest.raises(FlawedFile, match="file_unreadable"):
        read_layer(path)


def test_reading_a_geopackage_leaves_it_untouched(tmp_path: Path) -> None:
    path = write_geopackage(tmp_path, [feature(polygon(SQUARE))])
    before = path.read_bytes()
    read_layer(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
