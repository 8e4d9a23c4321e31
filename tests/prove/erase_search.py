"""Search for canaries everywhere: rows as they lie, what is sealed opened, and all files."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.blobs.shelf import BlobRow
from app.core.database import Base, Database, Mode, table_of
from app.core.engine import Engine
from app.photos.lane import current_lane
from app.privacy.answering import place_of_reason
from sync.stores.tables import SyncTables

Found = list[str]


def forms_of(canary: str) -> list[bytes]:
    """Return how a canary may stand in bytes: plain, escaped as JSON, in base64, wide."""
    plain = canary.encode()
    escaped = json.dumps(canary)[1:-1].encode()
    packed = [base64.b64encode(b"\0" * shift + plain)[4:-4] for shift in range(3)]
    return list(dict.fromkeys([plain, escaped, *(one for one in packed if len(one) > 5),
                               canary.encode("utf-16-le")]))  # fmt: skip


def holds(raw: bytes, canaries: Sequence[str]) -> bool:
    """Tell whether bytes hold one of the canaries in any form."""
    return any(form in raw for canary in canaries for form in forms_of(canary))


def rows(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield every row of every table as it lies there: what a dump holds."""
    for table in Base.metadata.sorted_tables:
        columns = [one for one in table.columns
                   if not type(one.type).__module__.startswith("geoalchemy2")]  # fmt: skip
        for row in session.execute(sa.select(*columns)):
            text = json.dumps([one if isinstance(one, str | int | float | None) else str(one)
                               for one in row], ensure_ascii=False)  # fmt: skip
            yield table.name, text.encode()


def opened(session: Session, engine: Engine, tables: SyncTables) -> Iterator[tuple[str, bytes]]:
    """Yield all that is sealed in the tables, opened."""
    for name, kind in {**engine.store(session).kinds}.items():
        t = kind.table.c
        for row in session.execute(sa.select(t.id, t.body)):
            yield f"{name} body", engine.seal.open(name, row.id, row.body).encode()
    for name, table in engine.tables.items():
        sealed = [field for field, one in table.declared.items() if one.sealed]
        for field in sealed:
            column = table.table.c[field]
            query = sa.select(table.table.c.id, column).where(column.is_not(None))
            for record, text in session.execute(query):
                place = f"{table.table.name}/{field}/{record}"
                yield f"{name}.{field}", engine.cipher.open(text, place).encode()
    for row in session.execute(sa.select(tables.ledger)):
        if row.body:
            yield "ledger body", engine.seal.open(row.kind, row.edit, row.body).encode()
    for row in session.execute(sa.select(tables.parked)):
        yield "parked body", engine.seal.open("parked", row.edit, row.body).encode()
    answers = Base.metadata.tables["subject_answer"].c
    for name, reason in session.execute(sa.select(answers.id, answers.reason)):
        if reason:
            yield "answer reason", engine.cipher.open(reason, place_of_reason(name)).encode()


def shelf(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes in the books, opened; ZIP files are unpacked by their reader."""
    blobs, lane = table_of(BlobRow), current_lane()
    for key, size in session.execute(sa.select(blobs.c.key, blobs.c.size)).all():
        yield f"blob {key}", _unpacked(b"".join(lane.shelf.read(key, size, 0, size)))


def _unpacked(raw: bytes) -> bytes:
    if not raw.startswith(b"PK"):
        return raw
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder as it lies: the database with its log, and all others."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"file {path.relative_to(folder)}", path.read_bytes()


def strays(session: Session, folder: Path) -> Found:
    """Return the sealed files that are in no book: nobody may keep them."""
    blobs = table_of(BlobRow)
    known = set(session.scalars(sa.select(blobs.c.key)))
    stores = [one for one in (folder / "blobs", folder / "photos") if one.exists()]
    return [f"stray {path.name}" for store in stores for path in store.rglob("*")
            if path.is_file() and not any(str(path).endswith(key) for key in known)]  # fmt: skip


def search(
    database: Database, engine: Engine, folder: Path, canaries: Sequence[str]
) -> dict[str, int]:
    """Return where a canary was found, with how often."""
    places: dict[str, int] = {}
    with database.transaction(Mode.READ) as session:
        tables: Any = engine.store(session).tables
        for source in (rows(session), opened(session, engine, tables), shelf(session),
                       files(folder)):  # fmt: skip
            for place, raw in source:
                if holds(raw, canaries):
                    places[place] = places.get(place, 0) + 1
        for place in strays(session, folder):
            places[place] = places.get(place, 0) + 1
    for path in (folder / "snapshots").glob("*/*"):
        places[f"ready-made copy {path.parent.name}"] = 1
    return places
