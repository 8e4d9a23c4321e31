"""Write rows as XLSX, piece by piece: a zip of small XML files, of which one grows.

A library would put the rows into a file on the disk first, where nothing personal may lie.
"""

import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from app.exports.formats import ROWS_A_PIECE, Sheet, table_cells, table_columns
from app.exports.layers import Row

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_FIXED_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>"
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>"
    ),
}
HEADER_CHARACTERS_MAX = 200
# What XML 1.0 cannot hold.
_FORBIDDEN = {code: None for code in range(32) if chr(code) not in "\t\n\r"}


class _Pipe:
    """A file that cannot be sought in, from which what was written is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Have nothing to flush."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def as_xlsx(sheet: Sheet, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a workbook with one sheet; the watermark also stands at the foot of printed pages."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as book:  # type: ignore[call-overload]
        for name, text in {**_FIXED_PARTS, "xl/workbook.xml": _workbook(sheet)}.items():
            book.writestr(_entry(name), _XML + text)
        with book.open(_entry("xl/worksheets/sheet1.xml"), "w") as part:
            part.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            part.write(_row(table_columns(sheet)).encode())
            for number, row in enumerate(rows):
                part.write(_row(table_cells(sheet, row)).encode())
                if number % ROWS_A_PIECE == 0:
                    yield pipe.taken()
            part.write(f"</sheetData>{_foot(sheet)}</worksheet>".encode())
    yield pipe.taken()


def _entry(name: str) -> zipfile.ZipInfo:
    moment = datetime.now(UTC)
    entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _workbook(sheet: Sheet) -> str:
    return (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name="{sheet.name}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )


def _row(cells: Iterable[Any]) -> str:
    return "<row>" + "".join(map(_cell, cells)) + "</row>"


def _cell(value: Any) -> str:
    match value:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f"<c><v>{value}</v></c>"
        case _:
            text = escape(str(value).translate(_FORBIDDEN))
            return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _foot(sheet: Sheet) -> str:
    # An ampersand begins a code in a footer, so it is written twice.
    words = escape(sheet.watermark[:HEADER_CHARACTERS_MAX].replace("&", "&&"))
    return f"<headerFooter><oddFooter>&amp;L{words}</oddFooter></headerFooter>"
