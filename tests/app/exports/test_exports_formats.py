"""Each format holds the same rows, harms no spreadsheet, and is read by others' programs."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exports.formats import BOM, FORMULA_STARTS, Sheet, as_cell, as_csv, as_geojson
from app.exports.geopackage import as_geopackage
from app.exports.layers import LAYERS, Row, columns_of
from app.exports.making import WRITERS
from app.exports.spreadsheet import as_xlsx
from tests.app.exports import gdal
from tests.house.test_house_no_ranking import PERSON

SHEET = Sheet(
    "incidents", ("number", "category", "photo_count", "text"), "张三 · 2026-11-25 · 核查"
)
POINT = {"type": "Point", "coordinates": [104.123, 36.5]}
SQUARE = {"type": "MultiPolygon", "coordinates": [[[[104, 36], [105, 36], [105, 37], [104, 36]]]]}
ROWS = [
    Row({"number": 1, "category": "0401", "photo_count": 2, "text": '井盖<破>损&"危险"'}, POINT),
    Row({"number": 2, "category": "0103", "photo_count": None, "text": "=1+1"}, None),
    Row({"number": 3, "category": "0103", "photo_count": 0, "text": "两行\n文字，逗号,"}, SQUARE),
]


def _written(tmp_path: Path, ending: str, rows: list[Row] = ROWS) -> Path:
    path = tmp_path / f"incidents.{ending}"
    path.write_bytes(b"".join(WRITERS[ending](SHEET, rows)))
    return path


def test_a_csv_opens_as_utf8_with_its_mark_and_holds_every_row() -> None:
    raw = b"".join(as_csv(SHEET, ROWS))
    assert raw.startswith(BOM)
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    assert [row["text"] for row in rows] == ['井盖<破>损&"危险"', "'=1+1", "两行\n文字，逗号,"]
    assert (rows[0]["lon"], rows[0]["lat"], rows[2]["lon"]) == ("104.123", "36.5", "")
    assert {row["watermark"] for row in rows} == {SHEET.watermark}


@given(st.text(max_size=20))
def test_no_text_of_a_cell_begins_a_formula(text: str) -> None:
    cell = as_cell(text)
    assert not cell.startswith(FORMULA_STARTS)
    assert cell.removeprefix("'") == text or cell == text


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_what_a_spreadsheet_would_compute_is_a_text(start: str) -> None:
    assert as_cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert as_cell(-5) == -5, "a number is no formula"
    named = b"".join(as_csv(Sheet("tasks", ("number",), f"{start}1"), ROWS[:1])).decode()
    assert f"'{start}1" in named, "nor is somebody's name in the watermark"


def test_geojson_is_a_feature_collection_with_a_watermark() -> None:
    found = json.loads(b"".join(as_geojson(SHEET, ROWS)))
    assert found["type"] == "FeatureCollection" and found["watermark"] == SHEET.watermark
    assert [one["geometry"] for one in found["features"]] == [POINT, None, SQUARE]
    assert json.loads(b"".join(as_geojson(SHEET, [])))["features"] == []


def test_a_workbook_is_a_sound_zip_of_sound_xml() -> None:
    book = zipfile.ZipFile(io.BytesIO(b"".join(as_xlsx(SHEET, ROWS))))
    assert book.testzip() is None
    for name in book.namelist():
        ElementTree.fromstring(book.read(name))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "'=1+1" in sheet and "<f>" not in sheet
    assert f"&amp;L{SHEET.watermark}" in sheet, "the foot of printed pages"


@pytest.mark.parametrize("ending", ["geojson", "gpkg"])
def test_gdal_reads_maps_with_their_shapes(tmp_path: Path, ending: str) -> None:
    found = gdal.features(_written(tmp_path, ending))
    assert gdal.values(found, "number") == [1, 2, 3]
    assert gdal.values(found, "text") == [row.values["text"] for row in ROWS]
    assert [(one["geometry"] or {}).get("type") for one in found] == [
        "Point", None, "MultiPolygon",
    ]  # fmt: skip
    assert found[0]["geometry"]["coordinates"] == [104.123, 36.5]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_gdal_reads_tables_row_by_row(tmp_path: Path, ending: str) -> None:
    found = gdal.features(_written(tmp_path, ending), None, "-oo", "HEADERS=FORCE") \
        if ending == "xlsx" else gdal.features(_written(tmp_path, ending))  # fmt: skip
    assert [int(value) for value in gdal.values(found, "number")] == [1, 2, 3]
    assert gdal.values(found, "text") == [as_cell(row.values["text"]) for row in ROWS]


def test_a_geopackage_says_where_it_comes_from_and_in_which_system(tmp_path: Path) -> None:
    told = gdal.summary(_written(tmp_path, "gpkg"), "incidents")
    assert SHEET.watermark in told and 'ID["EPSG",4326]' in told
    assert "Extent: (104.000000, 36.000000) - (105.000000, 37.000000)" in told
    assert "Feature Count: 3" in told


def test_a_geopackage_may_be_empty(tmp_path: Path) -> None:
    assert gdal.features(_written(tmp_path, "gpkg", [])) == []


def _many(count: int) -> Iterator[Row]:
    """Yield rows and tell whether anybody gathers them."""
    for number in range(count):
        yield Row(
            {"number": number, "category": "0401", "photo_count": 1, "text": "甲" * 50}, POINT
        )


@pytest.mark.parametrize("write", [as_csv, as_geojson, as_xlsx])
def test_rows_flow_through_in_pieces(write) -> None:
    """What is yielded at once stays small however many rows there are."""
    longest = max(len(part) for part in write(SHEET, _many(20_000)))
    assert longest < 300_000


def test_a_geopackage_of_more_rows_than_one_piece_loses_none() -> None:
    whole = b"".join(as_geopackage(SHEET, _many(450)))
    assert whole.startswith(b"SQLite format 3\x00") and whole[68:72] == b"GPKG"


@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_names_those_who_did_the_work(name: str) -> None:
    assert [one for one in columns_of(name, personal=True) if PERSON.search(one)] == []


@pytest.mark.parametrize("name", LAYERS)
def test_fields_without_identifiers_are_open_ones_and_hold_no_free_text(name: str) -> None:
    layer = LAYERS[name]
    declared = {c.name: c.info["synced"] for c in layer.model.__table__.columns
                if "synced" in c.info}  # fmt: skip
    for field in layer.fields:
        one = declared[field]
        assert one.privacy in ("P0", "P1") and not one.sealed and one.refers is None
        assert getattr(one.type, "most", 0) is None or getattr(one.type, "least", 0) is not None
    assert not set(layer.fields) & set(layer.personal)
    texts = {field for field in layer.fields if type(declared[field].type).__name__ == "Text"}
    assert texts <= {"task_kind", "category"}, "codes of lists"
