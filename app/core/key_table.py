"""Where data keys are written down: a table, and a list beside the database.

A copy of the database that is put back may be older than a key, and photos lie outside of it. So
every key is in the list, on the disk, before it seals anything; and the list remembers which keys
were destroyed, which an old copy does not.
"""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt, Database, table_of
from app.core.driver import driver
from app.core.keyring import DESTROYED, OLD, KeyEntry, Source

SUFFIX = ".keys"


class FieldKey(Base):
    """One data key: how it seals, what became of it, and how far the sealing anew has come."""

    __tablename__ = "field_key"

    number: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    algorithm: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(10))
    root: Mapped[int] = mapped_column(sa.SmallInteger)
    # The key itself, wrapped by its root key; None for the first, and for a destroyed one.
    wrapped: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    # By this the key is known again; nothing can be learned from it.
    known_by: Mapped[str] = mapped_column(sa.String(16))
    made_ms: Mapped[int] = mapped_column(BigInt)
    # The approval by which it was made; a job that runs again makes no second key.
    asked: Mapped[str | None] = mapped_column(sa.String(36), unique=True)
    # How many values were to be sealed anew, how many are, and when all were.
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    done: Mapped[int] = mapped_column(default=0, server_default="0")
    resealed_ms: Mapped[int | None] = mapped_column(BigInt)
    # When it was retired or destroyed.
    ended_ms: Mapped[int | None] = mapped_column(BigInt)


keys_table = table_of(FieldKey)
_t = keys_table.c


def written_down(database: Database, place: Path) -> Source:
    """Return what reads the table, and the list, on a connection of its own.

    It must not wait for the pool: whoever holds one connection might wait for himself.
    """
    given: dict[str, Any] = {"module": driver} if database.is_sqlite else {}
    engine = sa.create_engine(database.url, poolclass=sa.NullPool, **given)
    query = sa.select(_t.number, _t.algorithm, _t.state, _t.root, _t.wrapped, _t.known_by)

    def read() -> Sequence[KeyEntry] | None:
        if database.is_sqlite and not (database.url.database and place.exists()):
            return None
        try:
            with engine.connect() as connection:
                rows = [KeyEntry(*row) for row in connection.execute(query.order_by(_t.number))]
        except sa.exc.SQLAlchemyError:
            return None
        return together(rows, read_list(list_of(place)))

    return read


def together(rows: Sequence[KeyEntry], listed: Sequence[KeyEntry]) -> list[KeyEntry]:
    """Return the keys of the table with those that only the list knows; destroyed is destroyed."""
    gone = {(one.number, one.check) for one in listed if one.state == DESTROYED}
    known = {one.number for one in rows}
    found = [destroyed(one) if (one.number, one.check) in gone else one for one in rows]
    return found + [one for one in listed if one.number not in known]


def destroyed(one: KeyEntry) -> KeyEntry:
    """Return what is left of a key that was destroyed."""
    return replace(one, state=DESTROYED, wrapped=None)


# -- the list -------------------------------------------------------------------------------------


def list_of(place: Path) -> Path:
    """Return the path of the list beside a database."""
    return place.with_name(place.name + SUFFIX)


def read_list(path: Path) -> list[KeyEntry]:
    """Return the keys of a list; a line that was cut off is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [one for one in map(_entry, lines) if one]


def write_list(path: Path, entries: Sequence[KeyEntry]) -> None:
    """Write a list; it is on the disk afterwards, and the one before it is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(_line(one) for one in entries)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def enter(path: Path, entry: KeyEntry) -> None:
    """Enter a key in a list, in place of what the list said of it before."""
    others = [one for one in read_list(path) if one.number != entry.number]
    write_list(path, [*others, entry])


def _line(one: KeyEntry) -> str:
    wrapped = base64.b64encode(one.wrapped).decode() if one.wrapped else None
    shape = {"number": one.number, "algorithm": one.algorithm, "root": one.root,
             "wrapped": wrapped, "known_by": one.check}  # fmt: skip
    return json.dumps(shape) + "\n"


def _entry(line: str) -> KeyEntry | None:
    """Read a line; a key that is not there any more, and is not the first, was destroyed."""
    try:
        shape = json.loads(line)
        wrapped = shape["wrapped"] and base64.b64decode(shape["wrapped"])
        state = OLD if wrapped else DESTROYED
        return KeyEntry(shape["number"], shape["algorithm"], state, shape["root"], wrapped,
                        shape["known_by"])  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None
