"""Write rows as CSV and GeoJSON, piece by piece."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from app.exports.layers import Row

BOM = b"\xef\xbb\xbf"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
ROWS_A_PIECE = 200


@dataclass(frozen=True, slots=True)
class Sheet:
    """What every format is told.

    Attributes:
        watermark: who took it out, when, and why.
    """

    name: str
    columns: Sequence[str]
    watermark: str


One = TypeVar("One")
Write = Callable[[Sheet, Iterable[Row]], Iterator[bytes]]


def as_cell(value: Any) -> Any:
    """Return a value as a cell of a table: no text of it is taken for a formula."""
    if isinstance(value, list | tuple | Mapping):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def table_columns(sheet: Sheet) -> list[str]:
    """Return the columns of a plain table: the position as two numbers, the watermark last."""
    return [*sheet.columns, "lon", "lat", "watermark"]


def table_cells(sheet: Sheet, row: Row) -> list[Any]:
    """Return the cells of a row of a plain table; borders do not fit into one."""
    shape = row.geometry or {}
    lon, lat = shape["coordinates"] if shape.get("type") == "Point" else (None, None)
    cells = [as_cell(row.values.get(name)) for name in sheet.columns]
    return [*cells, lon, lat, as_cell(sheet.watermark)]


def as_csv(sheet: Sheet, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a CSV as spreadsheets in China open it: UTF-8 with its mark."""
    yield BOM + _lines([table_columns(sheet)])
    for some in _pieces(table_cells(sheet, row) for row in rows):
        yield _lines(some)


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def as_geojson(sheet: Sheet, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a FeatureCollection of RFC 7946, with the watermark beside its features."""
    head = json.dumps({"type": "FeatureCollection", "name": sheet.name,
                       "watermark": sheet.watermark}, ensure_ascii=False)  # fmt: skip
    yield f'{head[:-1]}, "features": ['.encode()
    first = True
    for some in _pieces(_feature(sheet, row) for row in rows):
        yield (("" if first else ",") + "\n" + ",\n".join(some)).encode()
        first = False
    yield b"\n]}\n"


def _feature(sheet: Sheet, row: Row) -> str:
    values = {name: row.values.get(name) for name in sheet.columns}
    feature = {"type": "Feature", "geometry": row.geometry, "properties": values}
    return json.dumps(feature, ensure_ascii=False, separators=(",", ":"))


def _pieces(rows: Iterable[One]) -> Iterator[list[One]]:
    some: list[One] = []
    for row in rows:
        some.append(row)
        if len(some) == ROWS_A_PIECE:
            yield some
            some = []
    if some:
        yield some
