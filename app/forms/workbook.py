"""Read the sheets of an XLSX file as texts: bounded, and without what a cell could run."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import ParseError

from app.forms.flaws import Flawed

INFLATED_BYTES_MAX = 20 * 1024 * 1024
ROWS_MAX, COLUMNS_MAX, CHARACTERS_MAX = 2000, 60, 2000
_UNREADABLE = (
    zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError,
    OSError,
)  # fmt: skip
"""What openpyxl and defusedxml raise over files that are damaged or hostile."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a sheet under its heading: texts by column, empty cells left out."""

    sheet: str
    number: int
    cells: dict[str, str]


def read_sheets(content: bytes, names: Sequence[str]) -> dict[str, list[Row]]:
    """Return the rows of some sheets; one that is not there has none.

    Raises:
        Flawed: it is no workbook, or too large.
    """
    # Imported here: where numpy is installed openpyxl loads it, which servers must not.
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(one.file_size for one in archive.infolist()) > INFLATED_BYTES_MAX:
                raise Flawed(["工作簿过大 / the workbook is too large"])
        book = load_workbook(BytesIO(content), read_only=True, data_only=True)
        found = {sheet.title.strip().lower(): sheet for sheet in book.worksheets}
        rows = {name: list(_rows(found[name], name)) if name in found else [] for name in names}
        book.close()
    except _UNREADABLE:
        raise Flawed(["不是可读的 XLSX 文件 / this is no readable XLSX file"]) from None
    return rows


def _rows(sheet: Any, name: str) -> Iterator[Row]:
    lines = sheet.iter_rows(max_row=ROWS_MAX, max_col=COLUMNS_MAX, values_only=True)
    heading = [_text(cell) for cell in next(lines, ())]
    for number, line in enumerate(lines, start=2):
        cells = {column: text for column, cell in zip(heading, line, strict=False)
                 if column and (text := _text(cell))}  # fmt: skip
        if cells:
            yield Row(name, number, cells)


def _text(cell: Any) -> str:
    """Return a cell as its author sees it: 1 and not 1.0, true and not TRUE."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()[:CHARACTERS_MAX]
