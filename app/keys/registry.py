"""Everything that lies sealed in the database: one list, for those who seal anew, count or destroy.

Whoever seals a new column enters it here; a house test finds the one that is missing. Photos and
exports are no columns: they are listed by the shelf (``app/core/blobs/shelf.py``).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core.cipher import Cipher
from app.core.conflicts import ConflictRow
from app.core.database import table_of
from app.core.engine import Engine
from app.core.records import KindTable, sync_tables
from app.identity import factors
from app.identity.models import SecondFactor, User
from app.identity.people import phone_place
from app.privacy.answering import place_of_reason
from app.privacy.models import SubjectAnswer
from app.sync_api import unread
from app.sync_api.unread import UnreadBody
from sync.conflicts import CONFLICT
from sync.edits import Record
from sync.parking import PARKING
from sync.store import ERASED
from sync.upkeep import STRIPPED

Values = Mapping[str, Any]
BLIND = "_blind"
SEALED_BY = frozenset({
    "app/core/blobs/shelf.py", "app/core/cipher.py", "app/core/records.py", "app/core/sealed.py",
    "app/demo/staff.py", "app/identity/appointments.py", "app/photos/incoming.py",
    "app/sync_api/cupboard.py", "app/sync_api/unread.py", "app/keys/registry.py",
    "app/identity/factors.py", "app/privacy/answering.py", "app/identity/signing_in.py",
    "sync/stores/sql.py", "sync/stores/sql_upkeep.py",
})  # fmt: skip
"""The modules that seal; what each of them seals is in the list below, or is a stream or file.

Signing in only names a login that nobody has, by its keyed hash, in the audit log.
"""


@dataclass(frozen=True)
class Sealed:
    """The sealed columns of one table.

    Attributes:
        key: the column that names a row, and the order in which rows are looked at.
        columns: what is sealed, as text (base64) or as bytes.
        renew: returns the same values of a row, sealed with the current key, and their indexes.
        blinds: the indexes beside them.
        beside: the other columns that are needed for that.
        guard: the column by which is seen that somebody has written the row meanwhile.
        spared: the rows in which nothing is sealed.
        left: what stands in the columns when their key is destroyed; a column that is not named
            keeps its text, which nobody can read and which says why.
    """

    table: sa.Table
    columns: tuple[str, ...]
    renew: Callable[[Any], Values]
    key: str = "id"
    blinds: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    guard: str = "rv"
    spared: sa.ColumnElement[bool] | None = None
    left: Mapping[str, Any] = field(default_factory=dict)
    deletes: bool = False

    def is_bytes(self, name: str) -> bool:
        """Tell whether a column holds bytes instead of text."""
        return isinstance(self.table.c[name].type, sa.LargeBinary)


def registry(engine: Engine) -> Sequence[Sealed]:
    """Return all that is sealed in the database."""
    kinds = [one for name in sorted(engine.tables) if (one := _kind(engine, engine.tables[name]))]
    cipher = engine.cipher
    return (*kinds, _conflicts(engine), _ledger(engine), _parked(engine), _phones(cipher),
            _unread(cipher), *_factors(cipher), _answers(cipher))  # fmt: skip


def _kind(engine: Engine, table: KindTable) -> Sealed | None:
    """Return what is sealed of a kind: the body, the fields themselves, or only an index."""
    name = table.kind.name
    fields = tuple(one for one, declared in table.declared.items() if declared.sealed)
    blinds = tuple(one.name for one in table.table.columns if one.name.endswith(BLIND))

    def renew(row: Any) -> Values:
        body = engine.seal.open(name, row.id, row.body)
        whole = table.row(Record(name, row.id, row.rv, json.loads(body), {}))
        renewed = {one: whole[one] for one in (*fields, *blinds)}
        return {"body": engine.seal.close(name, row.id, body), **renewed}

    if not (table.kind.sealed or blinds):
        return None
    columns = ("body", *fields) if table.kind.sealed else ()
    beside = ("rv",) if columns else ("rv", "body")
    return Sealed(table.table, columns, renew, blinds=blinds, beside=beside,
                  left=dict.fromkeys((*fields, *blinds)))  # fmt: skip


def _bodies(engine: Engine, kind: str) -> Callable[[Any], Values]:
    """Return what renews the ready bodies of one kind that has no columns to seal."""

    def renew(row: Any) -> Values:
        body = engine.seal.open(kind, row[0], row.body)
        return {"body": engine.seal.close(kind, row[0], body)}

    return renew


def _conflicts(engine: Engine) -> Sealed:
    return Sealed(table_of(ConflictRow), ("body",), _bodies(engine, CONFLICT.name),
                  beside=("rv",), left={"deleted": ERASED})  # fmt: skip


def _parked(engine: Engine) -> Sealed:
    return Sealed(sync_tables.parked, ("body",), _bodies(engine, PARKING.name), key="edit",
                  guard="body", left={"state": "discarded", "code": ERASED})  # fmt: skip


def _ledger(engine: Engine) -> Sealed:
    """Return the history; edits of kinds that hold nothing personal lie open in it."""
    t = sync_tables.ledger

    def renew(row: Any) -> Values:
        body = engine.seal.open(row.kind, row.edit, row.body)
        return {"body": engine.seal.close(row.kind, row.edit, body)}

    return Sealed(t, ("body",), renew, key="edit", beside=("kind",), guard="body",
                  spared=t.c.kind.in_(sorted(engine.seal.open_kinds)),
                  left={"body": STRIPPED, "digest": STRIPPED})  # fmt: skip


def _phones(cipher: Cipher) -> Sealed:
    def renew(row: Any) -> Values:
        phone = cipher.open(row.phone, phone_place(row.id))
        return {"phone": cipher.seal(phone, phone_place(row.id)),
                "phone_blind": cipher.blind(phone, "user.phone")}  # fmt: skip

    return Sealed(table_of(User), ("phone",), renew, blinds=("phone_blind",), guard="phone",
                  left={"phone": None, "phone_blind": None})  # fmt: skip


def _factors(cipher: Cipher) -> Sequence[Sealed]:
    """Return the secrets of second factors; whose secret is destroyed sets a new one up."""
    return [
        _text(cipher, table_of(SecondFactor), name, factors.place_of, key="user_id",
              left={"secret": None, "pending": None, "confirmed_at": None})
        for name in ("secret", "pending")
    ]  # fmt: skip


def _answers(cipher: Cipher) -> Sealed:
    def place(answer: Any, _column: str) -> str:
        return place_of_reason(answer)

    return _text(cipher, table_of(SubjectAnswer), "reason", place, left={"reason": None})


def _text(
    cipher: Cipher,
    table: sa.Table,
    column: str,
    place: Callable[[Any, str], str],
    *,
    key: str = "id",
    left: Values,
) -> Sealed:
    """Return one sealed text of a plain table, whose place follows from key and column."""

    def renew(row: Any) -> Values:
        where = place(getattr(row, key), column)
        return {column: cipher.seal(cipher.open(getattr(row, column), where), where)}

    return Sealed(table, (column,), renew, key=key, guard=column, left=left)


def _unread(cipher: Cipher) -> Sealed:
    def renew(row: Any) -> Values:
        place = unread.place(row.id)
        return {"body": cipher.seal_bytes(cipher.open_bytes(row.body, place), place)}

    return Sealed(table_of(UnreadBody), ("body",), renew, guard="body", deletes=True)
