"""Take the bytes of photos: create, hold, add, finish, abort. The row of an upload is its lock."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.core import jobs, policy
from app.core.actor import Actor
from app.core.blobs.shelf import MB, Shelf
from app.core.database import Database, Mode, insert_into, lock_rows, table_of
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.identity.rules import ms_of
from app.photos.incoming import Incoming
from app.photos.models import Photo, Upload, UploadDay
from app.photos.rules import ARRIVED, REJECTED
from sync.errors import Problem

FINISH = "photos.finish"
FINISH_LATER_MS = 15_000
KEPT_MS = timedelta(days=7) // timedelta(milliseconds=1)
CHINA_MS = timedelta(hours=8) // timedelta(milliseconds=1)
DAY_MS = timedelta(days=1) // timedelta(milliseconds=1)

_uploads, _photos, _days = table_of(Upload), table_of(Photo), table_of(UploadDay)
_SEEN = (_photos.c.taken_by, _photos.c.grid, _photos.c.state, _photos.c.fault,
         _photos.c.size_bytes, _photos.c.registered_at)  # fmt: skip


@dataclass(frozen=True)
class Lane:
    """What all uploads share."""

    database: Database
    shelf: Shelf
    incoming: Incoming
    day_bytes_max: int


@dataclass(frozen=True, slots=True)
class Status:
    """How far an upload is; a photo that is stored needs none and is complete."""

    photo: str
    received: int
    length: int
    expires_ms: int | None = None


# -- beginning --------------------------------------------------------------------------------


def create(session: Session, lane: Lane, actor: Actor, photo: str, length: int) -> Status:
    """Open the upload of a photo, or return the one that is under way.

    Raises:
        Problem: 404 no such photo of this author; 403; 422 another length, or rejected before;
            503 no room just now.
    """
    seen = _own_photo(session, actor, photo)
    _check_right(session, actor, seen)
    if seen.state == REJECTED:
        raise Problem(422, seen.fault)
    if length != seen.size_bytes:
        raise Problem(422, "wrong_length", size_bytes=seen.size_bytes)
    if seen.state in ARRIVED:
        return Status(photo, length, length)
    lane.shelf.check_room(session)
    row = {"photo": photo, "user_id": actor.user_id, "length": length, "received": 0,
           "holder": new_id(), "parts": "[]", "expires_ms": now_ms() + KEPT_MS}  # fmt: skip
    session.execute(insert_into(session, _uploads).values(**row).on_conflict_do_nothing())
    return _status(session, actor, photo)


def _own_photo(session: Session, actor: Actor, photo: str) -> Any:
    seen = session.execute(
        sa.select(*_SEEN).where(_photos.c.id == photo, _photos.c.deleted.is_(None))
    ).first()
    if seen is None or seen.taken_by != actor.user_id:
        raise Problem(404, "not_found")
    return seen


def _check_right(session: Session, actor: Actor, seen: Any) -> None:
    """Whoever had the right when he registered the photo may still bring its bytes."""
    path = paths_of(session, [seen.grid]).get(seen.grid)
    moments = (now_ms(), ms_of(seen.registered_at))
    for at_ms in moments:
        if policy.decide(actor, "upload.create", path=path, own=True, at_ms=at_ms).allowed:
            return
    raise Problem(403, "not_allowed", action="upload.create")


# -- looking ----------------------------------------------------------------------------------


def status(session: Session, actor: Actor, photo: str) -> Status:
    """Return how far one's own upload is.

    Raises:
        Problem: 404 there is none, 410 it has expired, 422 the photo was rejected.
    """
    seen = _own_photo(session, actor, photo)
    if seen.state == REJECTED:
        raise Problem(422, seen.fault)
    if seen.state in ARRIVED:
        return Status(photo, seen.size_bytes, seen.size_bytes)
    return _status(session, actor, photo)


def _status(session: Session, actor: Actor, photo: str) -> Status:
    row = _own_row(session, actor, _uploads_of(photo))
    return Status(photo, row.received, row.length, row.expires_ms)


def _uploads_of(photo: str) -> sa.Select[Any]:
    return sa.select(_uploads).where(_uploads.c.photo == photo)


def _own_row(session: Session, actor: Actor, statement: sa.Select[Any]) -> Any:
    row = session.execute(statement).first()
    if row is None or row.user_id != actor.user_id:
        raise Problem(404, "not_found")
    if row.expires_ms <= now_ms():
        raise Problem(410, "upload_expired")
    return row


# -- adding -----------------------------------------------------------------------------------


@dataclass
class Hold:
    """The right of one request to add to an upload, until a newer request takes it."""

    lane: Lane
    photo: str
    sender: str
    holder: str
    at: int
    length: int

    def keep(self, piece: bytes) -> None:
        """Add a piece: the bytes first, then the row, in one step with the day's account.

        Raises:
            Problem: 409 a newer request has taken over, 429 enough for today; the piece is
                not counted then.
        """
        self.lane.incoming.append(self.photo, self.holder, self.at, piece)
        self.count(len(piece))

    def count(self, size: int) -> None:
        """Count bytes that are safe on the disk.

        Raises:
            Problem: as :meth:`keep`.
        """
        with self.lane.database.transaction(Mode.WRITE) as session:
            mine = (_uploads.c.photo == self.photo, _uploads.c.holder == self.holder)
            added = session.execute(
                sa.update(_uploads).where(*mine)
                .values(received=_uploads.c.received + size, expires_ms=now_ms() + KEPT_MS)
                .returning(_uploads.c.received)
            ).scalar()  # fmt: skip
            if added != self.at + size:
                raise Problem(409, "upload_taken_over")
            _account(session, self.lane, self.sender, size)
            if added == self.length:
                # in case this request dies before it has decided about the photo
                jobs.ask_for(session, FINISH, self.photo, at_ms=now_ms() + FINISH_LATER_MS)
        self.at += size


def hold(session: Session, lane: Lane, actor: Actor, photo: str, offset: int) -> Hold:
    """Take an upload over: from now on only this request may add to it.

    Raises:
        Problem: 404, 410 as :func:`status`; 409 the offset is not where the bytes end;
            503 no room just now.
    """
    row = _own_row(session, actor, lock_rows(_uploads_of(photo)))
    if offset != row.received:
        raise Problem(409, "wrong_offset", offset=row.received)
    lane.shelf.check_room(session)
    sender = actor.enrolment or f"user {actor.user_id}"
    _account(session, lane, sender, 0)
    holder = new_id()
    parts = [part for part in json.loads(row.parts) if part[0] < offset] + [[offset, holder]]
    session.execute(
        sa.update(_uploads)
        .where(_uploads.c.photo == photo)
        .values(holder=holder, parts=json.dumps(parts))
    )
    return Hold(lane, photo, sender, holder, offset, row.length)


def _account(session: Session, lane: Lane, sender: str, size: int) -> None:
    """Count bytes on today's account of a phone, which ends at midnight in China.

    Raises:
        Problem: 429 when it is full.
    """
    now = now_ms()
    day = datetime.fromtimestamp((now + CHINA_MS) / 1000, UTC).date().isoformat()
    insertion = insert_into(session, _days).values(sender=sender, day=day, bytes=size)
    total = session.execute(
        insertion.on_conflict_do_update(
            index_elements=["sender", "day"], set_={"bytes": _days.c.bytes + size}
        ).returning(_days.c.bytes)
    ).scalar_one()
    if total > lane.day_bytes_max:
        left_s = (DAY_MS - (now + CHINA_MS) % DAY_MS) // 1000 + 1
        raise Problem(429, "upload_quota", most_mb=lane.day_bytes_max // MB, retry_after_s=left_s)


# -- ending -----------------------------------------------------------------------------------


def abort(session: Session, actor: Actor, photo: str) -> None:
    """Give an upload up; its bytes go with it.

    Raises:
        Problem: 404, 410 as :func:`status`.
    """
    _own_row(session, actor, lock_rows(_uploads_of(photo)))
    session.execute(sa.delete(_uploads).where(_uploads.c.photo == photo))


@dataclass(frozen=True, slots=True)
class Whole:
    """An upload all of whose bytes are here, and what its photo said of them."""

    photo: str
    grid: int
    sha256: str
    length: int
    parts: tuple[tuple[int, str], ...]
    holder: str

    def bytes(self, lane: Lane) -> Iterator[bytes]:
        """Yield the bytes."""
        return lane.incoming.read(self.photo, self.parts, self.length)


def whole(session: Session, photo: str) -> Whole | None:
    """Return an upload if all of its bytes are here and nobody has finished it yet."""
    row = session.execute(
        sa.select(_uploads, _photos.c.grid, _photos.c.sha256)
        .join(_photos, _photos.c.id == _uploads.c.photo)
        .where(_uploads.c.photo == photo, _uploads.c.received == _uploads.c.length)
    ).first()
    if row is None:
        return None
    parts = tuple((start, holder) for start, holder in json.loads(row.parts))
    return Whole(photo, row.grid, row.sha256, row.length, parts, row.holder)


def begin_again(session: Session, one: Whole) -> None:
    """Forget the bytes of an upload that turned out wrong."""
    session.execute(
        sa.update(_uploads)
        .where(_uploads.c.photo == one.photo, _uploads.c.holder == one.holder)
        .values(received=0, parts="[]", holder=new_id())
    )


class Superseded(Exception):
    """Somebody else has decided about the photo meanwhile, or begun its upload again."""


def close(session: Session, one: Whole) -> None:
    """Close an upload whose photo's fate is decided.

    Raises:
        Superseded: it is not what it was.
    """
    this = (_uploads.c.photo == one.photo, _uploads.c.holder == one.holder)
    gone = session.execute(sa.delete(_uploads).where(*this).returning(_uploads.c.photo))
    if gone.first() is None:
        raise Superseded(one.photo)
