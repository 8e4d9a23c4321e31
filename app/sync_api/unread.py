"""Keep what phones sent and nobody could read, so that no faulty app can destroy work.

The phone is answered 400 as ever, with a number for the support. The bytes lie packed and
sealed, few for each phone and not many in all; the oldest make room, and none stays for long.
"""

import hashlib
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import request
from sqlalchemy import exc
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.actor import Actor, current_actor
from app.core.cipher import Cipher
from app.core.database import Base, BigInt, Database, Mode, current_database
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.web import INFLATED_BYTES_MAX, inflated
from sync.errors import Problem
from sync.parking import DAY_MS

UNREADABLE = (400, 415)
PER_PHONE_MAX, PER_PHONE_BYTES_MAX = 20, 4 * 1024 * 1024
TOTAL_MAX, TOTAL_BYTES_MAX = 5_000, 256 * 1024 * 1024
KEPT_MS = 30 * DAY_MS
SEARCHED_AT_ONCE = 50
_IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class UnreadBody(Base):
    """One body that could not be read; the same bytes again only raise ``times``."""

    __tablename__ = "sync_unread"
    __table_args__ = (sa.UniqueConstraint("enrolment", "digest"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    enrolment: Mapped[str] = mapped_column(sa.String(36))
    user_id: Mapped[int] = mapped_column(BigInt)
    path: Mapped[str] = mapped_column(sa.String(60))
    code: Mapped[str] = mapped_column(sa.String(60))
    encoding: Mapped[str] = mapped_column(sa.String(20))
    digest: Mapped[str] = mapped_column(sa.String(64))
    size_bytes: Mapped[int] = mapped_column(BigInt)
    kept_bytes: Mapped[int] = mapped_column(BigInt)
    times: Mapped[int] = mapped_column(BigInt)
    first_ms: Mapped[int] = mapped_column(BigInt)
    last_ms: Mapped[int] = mapped_column(BigInt, index=True)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)


_t: sa.Table = UnreadBody.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body as it came, and why it could not be read."""

    raw: bytes
    encoding: str
    path: str
    code: str


@contextmanager
def kept() -> Iterator[None]:
    """Keep the body of this request if it cannot be read, and tell the phone its number.

    Raises:
        Problem: the same as before, with ``support``.
    """
    try:
        yield
    except Problem as fault:
        actor = current_actor()
        if fault.status not in UNREADABLE or actor.enrolment is None:
            raise
        what = Unreadable(
            request.get_data(cache=True), request.headers.get("Content-Encoding", "")[:20],
            request.path[:60], fault.code,
        )  # fmt: skip
        number = keep(current_database(), current_engine().cipher, actor, what, now_ms())
        raise Problem(fault.status, fault.code, **fault.extra, support=number) from None


def keep(database: Database, cipher: Cipher, actor: Actor, what: Unreadable, now: int) -> str:
    """Keep a body in a transaction of its own, and return its number."""
    packed = zlib.compress(what.raw)
    try:
        return _keep(database, cipher, actor, what, packed, now)
    except exc.IntegrityError:
        # The same bytes came twice at once: now they are there, and are only counted.
        return _keep(database, cipher, actor, what, packed, now)


def _keep(
    database: Database, cipher: Cipher, actor: Actor, what: Unreadable, packed: bytes, now: int
) -> str:
    digest = hashlib.sha256(what.raw).hexdigest()
    same = (_t.c.enrolment == actor.enrolment) & (_t.c.digest == digest)
    with database.transaction(Mode.WRITE) as session:
        again = sa.update(_t).where(same).values(times=_t.c.times + 1, last_ms=now, code=what.code)
        found = session.scalar(again.returning(_t.c.id))
        if found:
            return str(found)
        _make_room(session, str(actor.enrolment), len(packed), now)
        number = new_id()
        session.execute(
            sa.insert(_t).values(
                id=number, enrolment=actor.enrolment, user_id=actor.user_id, path=what.path,
                code=what.code, encoding=what.encoding, digest=digest,
                size_bytes=len(what.raw), kept_bytes=len(packed), times=1, first_ms=now,
                last_ms=now, body=cipher.seal_bytes(packed, place(number)),
            )
        )  # fmt: skip
        return number


def place(number: str) -> str:
    """Return the place to which a body that nobody could read is tied."""
    return f"sync_unread/body/{number}"


def _make_room(session: Session, enrolment: str, size: int, now: int) -> None:
    """Delete what is too old, and the oldest of this phone and of all that is too much."""
    session.execute(sa.delete(_t).where(_t.c.last_ms < now - KEPT_MS))
    newest = sa.select(_t.c.id, _t.c.kept_bytes).order_by(_t.c.last_ms.desc(), _t.c.id.desc())
    own = session.execute(newest.where(_t.c.enrolment == enrolment)).all()
    excess = _beyond(own, PER_PHONE_MAX - 1, PER_PHONE_BYTES_MAX - size)
    count, total = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_t.c.kept_bytes), 0))
    ).one()
    if count - len(excess) >= TOTAL_MAX or total + size > TOTAL_BYTES_MAX:
        excess += _beyond(session.execute(newest).all(), TOTAL_MAX - 1, TOTAL_BYTES_MAX - size)
    if excess:
        session.execute(sa.delete(_t).where(_t.c.id.in_(excess)))


def _beyond(rows: Sequence[Any], most: int, most_bytes: int) -> list[str]:
    """Return the ids of the rows, newest first, that do not fit any more."""
    beyond, spent = [], 0
    for place, (name, size) in enumerate(rows):
        spent += size
        if place >= most or spent > most_bytes:
            beyond.append(name)
    return beyond


def listed(session: Session) -> Sequence[Any]:
    """Return what is kept, without the bodies, the newest first."""
    shown = [column for column in _t.columns if column.name not in ("body", "digest")]
    return session.execute(sa.select(*shown).order_by(_t.c.last_ms.desc()).limit(TOTAL_MAX)).all()


def found(session: Session, number: str) -> Any:
    """Return one row by its number, or by the end of it; None when not exactly one fits."""
    ending = _t.c.id.endswith(number, autoescape=True)
    rows = session.execute(sa.select(_t).where(ending).limit(2)).all()
    return rows[0] if len(rows) == 1 and number else None


def unpacked(cipher: Cipher, row: Any) -> bytes:
    """Return the bytes of a row exactly as they came."""
    return zlib.decompress(cipher.open_bytes(row.body, place(row.id)))


def opened(cipher: Cipher, row: Any) -> bytes:
    """Return the bytes of a row as the phone wrote them, inflated if they came packed."""
    raw = unpacked(cipher, row)
    if row.encoding.lower() != "gzip":
        return raw
    try:
        return inflated(raw)
    except Problem:
        return raw


def delete(session: Session, number: str) -> None:
    """Delete one row."""
    session.execute(sa.delete(_t).where(_t.c.id == number))


def forget(session: Session, cipher: Cipher, records: Collection[str]) -> int:
    """Delete the bodies that name a record erased by law; return how many.

    Only what names the id in plain letters is found, in a cut packet up to the cut. Nothing else
    ties a body that nobody could read to a record: what is missed here goes by its age.
    """
    wanted = {one.encode() for one in records}
    numbers = session.scalars(sa.select(_t.c.id)).all() if records else ()
    gone: list[str] = []
    for start in range(0, len(numbers), SEARCHED_AT_ONCE):
        portion = numbers[start : start + SEARCHED_AT_ONCE]
        for row in session.execute(sa.select(_t).where(_t.c.id.in_(portion))):
            body = _as_far_as_it_goes(unpacked(cipher, row)).lower()
            if not wanted.isdisjoint(_IDS.findall(body)):
                gone.append(row.id)
    session.execute(sa.delete(_t).where(_t.c.id.in_(gone)))
    return len(gone)


def _as_far_as_it_goes(raw: bytes) -> bytes:
    """Return bytes as they are, or inflated up to where they can be, if that is what they are."""
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, INFLATED_BYTES_MAX) or raw
    except zlib.error:
        return raw


def expire(session: Session, now: int) -> int:
    """Delete what has been kept for long enough; return how many."""
    gone = session.execute(sa.delete(_t).where(_t.c.last_ms < now - KEPT_MS).returning(_t.c.id))
    return len(gone.all())
