"""Give somebody a copy of all that is held of him: every row that names him, history and photos.

The tables are found by themselves: wherever a column may hold the id of one of his records, the
rows that do are copied. So a table that is added later cannot be forgotten.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Base, table_of
from app.core.engine import Engine
from app.photos.finishing import file_key
from app.photos.models import Photo, PhotoFile
from app.photos.uploads import Lane
from app.privacy.subjects import Whole, requests_about, whole_of
from sync.conflicts import CONFLICT
from sync.parking import PARKING
from sync.upkeep import Key

Row = dict[str, Any]
Tables = dict[str, list[Row]]
ID_LENGTH = 36
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/heic": "heic"}
ABOUT = """本压缩包是您的个人信息副本：person.json 包含全部内容，
tables/ 为同样内容的表格，photos/ 为照片原件。
This is the copy of the data on you: person.json holds all of it, tables/ the same as sheets,
photos/ the original photos. Delete it when you do not need it any more.
"""


def whole_with_requests(session: Session, engine: Engine, subject: Key) -> Whole:
    """Return all that hangs on somebody, with what he has asked for and what only names him."""
    whole = whole_of(session, engine, [subject])
    requests = requests_about(session, engine, whole.ids())
    linked = {(kind, name) for kind, name, _ in whole.links}
    named = {("subject_request", one) for one in requests}
    return Whole(whole.keys | linked | named, whole.links)


def tables_of(session: Session, engine: Engine, whole: Whole) -> Tables:
    """Return every row of every table that names one of somebody's records, opened."""
    ids = whole.ids()
    wanted = [*ids, *(f"{kind}:{name}" for kind, name in sorted(whole.keys))]
    found = _named(session, wanted)
    # What names his conflicts and edits: they have ids of their own.
    own = {row["id"] for row in found.get("conflict", ())}
    own |= {row["edit"] for name in ("sync_ledger", "sync_parked") for row in found.get(name, ())}
    more = _named(session, sorted(own))
    for name, rows in more.items():
        known = found.setdefault(name, [])
        known += [row for row in rows if row not in known]
    return {name: [_opened(session, engine, name, row) for row in rows]
            for name, rows in sorted(found.items()) if rows}  # fmt: skip


def _named(session: Session, wanted: Sequence[str]) -> Tables:
    if not wanted:
        return {}
    found: Tables = {}
    for table in Base.metadata.sorted_tables:
        columns = [one for one in table.columns if may_name(one)]
        uuids = [one for one in wanted if len(one) == ID_LENGTH]
        conditions = [one.in_(uuids if isinstance(one.type, sa.Uuid) else wanted)
                      for one in columns]  # fmt: skip
        if conditions:
            plain = [one for one in table.columns if not _is_geometry(one)]
            rows = session.execute(sa.select(*plain).where(sa.or_(*conditions))).mappings()
            found[table.name] = [dict(row) for row in rows]
    return found


def may_name(column: sa.Column[Any]) -> bool:
    """Tell whether a column may hold the id of a record, alone or after its kind."""
    type_ = column.type
    if isinstance(type_, sa.Uuid):
        return True
    return isinstance(type_, sa.String) and ID_LENGTH <= (type_.length or 0) <= 80


def _is_geometry(column: sa.Column[Any]) -> bool:
    return type(column.type).__module__.startswith("geoalchemy2")


def _opened(session: Session, engine: Engine, table: str, row: Row) -> Row:
    """Return a row with what is sealed in it opened, and as JSON may hold it."""
    if table in _of_kind(engine):
        kind = _of_kind(engine)[table]
        body = json.loads(engine.seal.open(kind, row["id"], row["body"]))
        row = {"id": row["id"], "rv": row["rv"], "deleted": row["deleted"],
               "marks": json.loads(row["marks"]), **body}  # fmt: skip
    elif table == "sync_ledger":
        text = row["body"] and engine.seal.open(row["kind"], row["edit"], row["body"])
        row = {**row, "body": json.loads(text) if text else None,
               "receipt": json.loads(row["receipt"])}  # fmt: skip
    elif table == "sync_parked":
        row = {**row, "body": json.loads(engine.seal.open(PARKING.name, row["edit"], row["body"]))}
    return {name: _plain(value) for name, value in row.items()}


def _of_kind(engine: Engine) -> Mapping[str, str]:
    tables = {one.table.name: name for name, one in engine.tables.items()}
    return {**tables, "conflict": CONFLICT.name}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


# -- the file -------------------------------------------------------------------------------------


def entries(
    session: Session, engine: Engine, lane: Lane, subject: Key
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the files of a copy, one after the other."""
    whole = whole_with_requests(session, engine, subject)
    tables = tables_of(session, engine, whole)
    yield "README.txt", [ABOUT.encode()]
    person = {"subject": {"kind": subject[0], "id": subject[1]}, "tables": tables}
    yield "person.json", [json.dumps(person, ensure_ascii=False, indent=1).encode()]
    for name, rows in tables.items():
        yield f"tables/{name}.csv", [_sheet(rows)]
    yield from _photos(session, lane, whole)


def _sheet(rows: Sequence[Row]) -> bytes:
    """Write rows as a sheet that no program takes for formulas."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULAS) else text


def _photos(session: Session, lane: Lane, whole: Whole) -> Iterator[tuple[str, Iterable[bytes]]]:
    photos, files = table_of(Photo), table_of(PhotoFile)
    rows = session.execute(
        sa.select(photos.c.id, files.c.id.label("file"), files.c.size_bytes, files.c.media_type)
        .join(files, files.c.id == photos.c.file)
        .where(photos.c.id.in_(whole.ids("photo")))
        .order_by(photos.c.id)
    ).all()
    for row in rows:
        suffix = SUFFIXES.get(row.media_type, "bin")
        size = row.size_bytes
        yield f"photos/{row.id}.{suffix}", lane.shelf.read(file_key(row.file), size, 0, size)


class _Sink(io.RawIOBase):
    """Takes what a packer writes, and gives it away piece by piece: nothing lies on a disk."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        """Say that it takes bytes."""
        return True

    def write(self, piece: Any) -> int:
        """Take a piece."""
        self.pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> Iterator[bytes]:
        """Give away what has come."""
        pieces, self.pieces = self.pieces, []
        yield from pieces


def zipped(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """Yield a ZIP of files as it grows."""
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for name, parts in files:
            with archive.open(name, "w", force_zip64=True) as entry:
                for part in parts:
                    entry.write(part)
                    yield from sink.taken()
            yield from sink.taken()
    yield from sink.taken()
