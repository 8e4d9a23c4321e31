"""Write down security events and reads of personal data, in the transaction they belong to.

A row is written once and never changed; it bears a code (``mac``) of its own content from the
first moment, made with a key that the database does not know. A moment later the sealer of
``app/audit`` links it into the chain. ``docs/audit.md`` tells what that finds, and what not.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app, g, has_request_context, request
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.audit_verifier import canonical
from app.core.cipher import derive_key
from app.core.database import Base, BigInt, UTCDateTime, table_of
from app.core.identifiers import new_id

DONE, REFUSED = "done", "refused"
READ, ACCESS, ACT, SYSTEM = "read", "access", "act", "system"
OWN_WORK = "own_work"
EXTENSION = "wangge_audit"
REASON_MAX, SUBJECT_MAX, ADDRESS_MAX = 200, 80, 64
_SORTS = {"auth": ACCESS, "audit": SYSTEM, "system": SYSTEM, "job": SYSTEM, "key": SYSTEM}


class AuditEvent(Base):
    """One event: who did what to what, from where and why; never personal values."""

    __tablename__ = "audit_event"
    __table_args__ = (
        sa.Index("ix_audit_event_at", "at"),
        sa.Index("ix_audit_event_enrolment", "enrolment", "at"),
        sa.Index("ix_audit_event_uid", "uid", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    # The server's own time; what a phone says of the time stands in phone_ms and decides nothing.
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    event: Mapped[str] = mapped_column(sa.String(60), index=True)
    user_id: Mapped[int | None] = mapped_column(BigInt, index=True)
    subject: Mapped[str | None] = mapped_column(sa.String(SUBJECT_MAX))
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    # None only in rows that are older than these columns.
    uid: Mapped[str | None] = mapped_column(sa.String(36))
    sort: Mapped[str | None] = mapped_column(sa.String(10))
    session_id: Mapped[str | None] = mapped_column(sa.String(36))
    enrolment: Mapped[str | None] = mapped_column(sa.String(36))
    device: Mapped[str | None] = mapped_column(sa.String(36))
    scope: Mapped[str | None] = mapped_column(sa.String(60))
    reason: Mapped[str | None] = mapped_column(sa.String(REASON_MAX))
    result: Mapped[str | None] = mapped_column(sa.String(10))
    address: Mapped[str | None] = mapped_column(sa.String(ADDRESS_MAX))
    phone_ms: Mapped[int | None] = mapped_column(BigInt)
    mac: Mapped[str | None] = mapped_column(sa.String(64))


_events = table_of(AuditEvent)


@dataclass(frozen=True)
class Pen:
    """What writes rows and signs anchors: two keys of one secret, neither of them in the database.

    Attributes:
        row_key: makes the code of a row.
        signer: signs anchors; its public half is all that a verifier needs.
    """

    row_key: bytes
    signer: Ed25519PrivateKey

    @classmethod
    def of(cls, secret: str) -> "Pen":
        """Return the pen of a secret."""
        seed = derive_key(secret, "wangge audit anchors")
        return cls(
            derive_key(secret, "wangge audit rows"), Ed25519PrivateKey.from_private_bytes(seed)
        )

    @property
    def public_key(self) -> str:
        """Return the public key that a verifier is given, in hex."""
        return self.signer.public_key().public_bytes_raw().hex()

    def code(self, row: Mapping[str, Any]) -> str:
        """Return the code of a row as it is exported."""
        return hmac.new(self.row_key, canonical(row), sha256).hexdigest()


def current_pen() -> Pen:
    """Return the pen of the running application."""
    pen: Pen = current_app.extensions[EXTENSION]
    return pen


def moment_text(at: datetime) -> str:
    """Write a moment to the microsecond, always in the same form."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shape_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table as it is hashed and exported."""
    shape = {name: row[name] for name in _SHAPED}
    return {**shape, "at": moment_text(row["at"]), "sort": row["sort"] or ACT}


_SHAPED = (
    "uid", "event", "user_id", "session_id", "enrolment", "device", "subject", "scope", "reason",
    "result", "address", "phone_ms", "details", "mac",
)  # fmt: skip


class Event(NamedTuple):
    """What is to be written down; the circumstances are added by :func:`record_all`.

    Attributes:
        scope: where: ``grid:<id>``, ``area:<id>``.
        why: the purpose or the reason that was stated.
        phone_ms: what the phone says of the time at which it was done.
    """

    event: str
    user_id: int | None
    subject: str | None = None
    scope: str | None = None
    why: str | None = None
    result: str = DONE
    sort: str | None = None
    device: str | None = None
    phone_ms: int | None = None
    details: Mapping[str, Any] = {}


def record(
    session: Session,
    event: str,
    *,
    user_id: int | None,
    subject: str | None = None,
    scope: str | None = None,
    why: str | None = None,
    result: str = DONE,
    sort: str | None = None,
    device: str | None = None,
    phone_ms: int | None = None,
    **details: Any,
) -> None:
    """Write an event down; it stands or falls with the caller's transaction.

    Args:
        details: counts, codes and ids, never personal values. A ``reason`` among them counts as
            the reason of the event.
    """
    record_all(session, [Event(event, user_id, subject, scope, why, result, sort, device, phone_ms,
                               details)])  # fmt: skip


def record_all(session: Session, events: Sequence[Event]) -> None:
    """Write events down in one statement."""
    if events:
        pen, around, at = current_pen(), _circumstances(), datetime.now(UTC)
        session.execute(sa.insert(_events), [_row(pen, one, around, at) for one in events])


def _row(pen: Pen, one: Event, around: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    details = json.loads(json.dumps(one.details))
    why = details.get("reason") if one.why is None else one.why
    row = {
        **around, "uid": new_id(), "at": at, "event": one.event, "user_id": one.user_id,
        "sort": one.sort or _SORTS.get(one.event.partition(".")[0], ACT),
        "device": one.device, "subject": _cut(one.subject, SUBJECT_MAX), "scope": one.scope,
        "reason": _cut(why, REASON_MAX), "result": one.result, "phone_ms": one.phone_ms,
        "details": details, "mac": None,
    }  # fmt: skip
    return {**row, "mac": pen.code(shape_of(row))}


def _cut(text: str | None, most: int) -> str | None:
    return None if text is None else str(text)[:most]


def _circumstances() -> dict[str, Any]:
    """Return on which session, from which phone and which address the request came."""
    if not has_request_context():
        return {"session_id": None, "enrolment": None, "address": None}
    actor = g.get("actor")
    return {
        "session_id": actor.session_id if actor else None,
        "enrolment": actor.enrolment if actor else None,
        "address": _cut(request.remote_addr, ADDRESS_MAX),
    }


# -- what a refused request was about ---------------------------------------------------------


def concerning(subject: str, user_id: int | None = None) -> None:
    """Say whom or what the request is about, in case that it is refused."""
    if has_request_context():
        g.audit_about = (subject, user_id)


def concerned() -> tuple[str | None, int | None]:
    """Return what the request is about, and whose it is, as far as it is known."""
    about: tuple[str | None, int | None] = g.get("audit_about", (None, None))
    actor = g.get("actor")
    return (about[0], actor.user_id) if actor else about
