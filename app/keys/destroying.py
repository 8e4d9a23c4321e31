"""Destroy a key, and with it everything that it sealed, here and in every copy.

One transaction takes the key away, empties what can be empty, and writes the certificate into the
audit log. Of the records themselves the sealed text stays: nobody can read it, and it tells why.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Database, Mode
from app.core.engine import Engine
from app.core.key_table import keys_table
from app.core.keyring import DESTROYED, FIRST
from app.keys import looking
from app.keys.making import Keys
from app.keys.registry import Sealed, registry
from app.photos.uploads import Lane
from sync.errors import Problem

SUBJECT = "key:{}"


class Certificate(NamedTuple):
    """What was destroyed with a key: of which column or shelf how many, and when."""

    number: int
    known_by: str
    at_ms: int
    counts: Mapping[str, int]

    def sha256(self) -> str:
        """Return the digest of all that it says."""
        lines = [f"{name}={self.counts[name]}" for name in sorted(self.counts)]
        text = "\n".join([f"key {self.number} {self.known_by} {self.at_ms}", *lines])
        return hashlib.sha256(text.encode()).hexdigest()


def destroy(
    database: Database, engine: Engine, lane: Lane, place: Path, *, number: int, now_ms: int
) -> Certificate:
    """Destroy a key.

    Raises:
        Problem: 404, or 409 for the key that seals, and for the first as long as its root key
            still wraps others: then it would be in the environment, and not destroyed.
    """
    with database.transaction(Mode.WRITE) as session:
        keys, sealed = Keys(session, engine.cipher.ring, place), registry(engine)
        if number == FIRST:
            _demand_no_root(session, keys)
        counts = dict(looking.of_key(looking.counts(session, sealed), number))
        if things := lane.shelf.sealed(session).get(number):
            counts["blob"] = things
        known_by = keys.end(number, DESTROYED, now_ms).known_by
        for one in sealed:
            _empty(session, one, number)
        certificate = Certificate(number, known_by, now_ms, counts)
        audit.record(
            session, "key.destroyed", user_id=None, subject=SUBJECT.format(number),
            known_by=known_by, counts=counts, sha256=certificate.sha256(),
        )  # fmt: skip
    engine.cipher.ring.look()
    _overwrite(database, sealed)
    return certificate


def _demand_no_root(session: Session, keys: Keys) -> None:
    """Refuse to destroy the first key while its secret is needed for others."""
    wrapped = sa.select(sa.func.count()).where(
        keys_table.c.root == FIRST, keys_table.c.wrapped.is_not(None)
    )
    if keys.ring.roots.current == FIRST or session.scalar(wrapped):
        raise Problem(409, "key_is_root", key=FIRST)


def _empty(session: Session, one: Sealed, number: int) -> None:
    """Take out of the rows sealed with a key whatever can be empty."""
    this = looking.sealed_with(one, [number])
    if one.deletes:
        session.execute(sa.delete(one.table).where(this))
    elif one.left:
        session.execute(sa.update(one.table).where(this).values(dict(one.left)))


def _overwrite(database: Database, sealed: Sequence[Sealed]) -> None:
    """Have the key, and what was emptied, overwritten where it lay."""
    names = ", ".join(f'"{name}"' for name in sorted({one.table.name for one in sealed}))
    words = [f"VACUUM FULL {keys_table.name}", f"VACUUM {names}"]
    if database.is_sqlite:
        words = ["PRAGMA wal_checkpoint(TRUNCATE)"]
    engine = database.engine if database.is_sqlite else sa.create_engine(database.migrate_url)
    by_itself: Any = engine.execution_options(isolation_level="AUTOCOMMIT")
    with by_itself.connect() as connection:
        for word in words:
            connection.exec_driver_sql(word)
    if not database.is_sqlite:
        engine.dispose()
