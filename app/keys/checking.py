"""The check before a server starts: every key that the database needs is there, and is the one."""

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask import Flask
from sqlalchemy.orm import Session

from app.core.algorithms import AES
from app.core.database import Database, Mode
from app.core.engine import Engine
from app.core.key_table import FieldKey
from app.core.keyring import CURRENT, DESTROYED, FIRST, KeyRing, UnknownKey
from app.core.moments import now_ms
from app.core.settings import Settings, SettingsError
from app.keys import looking
from app.keys.making import Keys, Wish, entry_of
from app.keys.registry import registry
from app.sync_api.epochs import place_of

WHERE = "FIELD_KEY, FIELD_KEYS: docs/keys.md"


class MissingKey(SettingsError):
    """The database holds what no key of the environment opens; the message says what to do."""


def check(app: Flask) -> None:
    """Refuse to serve when something is sealed that could not be opened.

    Raises:
        MissingKey: with what to do.
    """
    settings: Settings = app.extensions["wangge_settings"]
    database: Database = app.extensions["wangge_database"]
    engine: Engine = app.extensions["wangge_engine"]
    ring = engine.cipher.ring
    if not sa.inspect(database.engine).has_table(FieldKey.__tablename__):
        return  # it is to be upgraded first, and says so itself
    ring.look()
    with database.transaction(Mode.WRITE) as session:
        if FIRST in ring.roots.secrets and FIRST not in ring.written_down:
            _try_first(session, engine)
        keys = Keys(session, ring, place_of(settings))
        rows = keys.rows().values()
        faults = [fault for row in rows if row.state != DESTROYED and (fault := _fault(ring, row))]
        if faults:
            raise MissingKey("; ".join(faults))
        if not any(row.state == CURRENT for row in rows):
            keys.make(Wish(AES), now_ms())
    ring.look()


def _try_first(session: Session, engine: Engine) -> None:
    """See that ``FIELD_KEY`` opens what was sealed before it was written down which key it is.

    Raises:
        MissingKey: it does not.
    """
    for one in registry(engine):
        if not one.columns:
            continue
        names = dict.fromkeys((one.key, one.guard, *one.beside, *one.columns))
        query = sa.select(*(one.table.c[name] for name in names))
        row = session.execute(query.where(looking.sealed_with(one, [FIRST])).limit(1)).first()
        try:
            if row:
                one.renew(row)
        except InvalidTag:
            raise MissingKey(
                f"FIELD_KEY 不是密封 {one.table.name} 的密钥，请改回原来的 / FIELD_KEY is not the "
                f"key that sealed {one.table.name}: set the one that did ({WHERE})"
            ) from None


def _fault(ring: KeyRing, row: FieldKey) -> str | None:
    """Return what is wrong with a key, None when it can be used."""
    entry = entry_of(row)
    try:
        ring.roots.unwrap(entry)
    except UnknownKey:
        root = "FIELD_KEY" if entry.root == FIRST else f"FIELD_KEYS: {entry.root}"
        return (
            f"密钥 {entry.number} 打不开：环境中缺少或改动了 {root}，请恢复 / key {entry.number} "
            f"cannot be used: {root} is missing or another one; put it back ({WHERE})"
        )
    return None
