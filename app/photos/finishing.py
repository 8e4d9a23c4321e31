"""Decide about a photo whose bytes are all here: the hash first, then the header, then the shelf.

The request that brings the last byte decides at once; if it dies over it, a job does the same.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import jobs
from app.core.blobs.contract import Missing
from app.core.database import Mode, insert_into, lock_rows, table_of
from app.core.engine import ATTEMPTS_MAX, write_as_office
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.span import as_house
from app.decoder.headers import HEIC, TYPE, Unfit, read_header
from app.photos import uploads
from app.photos.decoding import heic_is_welcome
from app.photos.house import HOUSE
from app.photos.models import Photo, PhotoFile, PhotoPicture
from app.photos.uploads import Lane, Superseded, Whole
from sync.edits import Edit
from sync.errors import Problem, Stale

PICTURES = "photos.pictures"
HEAD_BYTES = 2 * 1024 * 1024
"""Far enough for the size of a JPEG that carries a megabyte of other things before it."""

_photos, _files, _pictures = table_of(Photo), table_of(PhotoFile), table_of(PhotoPicture)
Effect = Callable[[Session], None]


def file_key(file: str) -> str:
    """Return where the bytes of a file lie."""
    return f"original/{file}"


@as_house()
def finish(lane: Lane, photo: str) -> None:
    """Decide about a photo; nothing happens when that has been done already.

    Raises:
        Problem: 422 the bytes are others than announced or no longer here (the upload begins
            again), or no picture that we take (nothing is kept).
    """
    with lane.database.transaction(Mode.READ) as session:
        one = uploads.whole(session, photo)
    if one is None:
        return
    try:
        digest, head = _looked_at(lane, one)
    except Missing:
        # A database that outlived the files beside it: they are not in its backup, for instance.
        digest, head = "", b""
    if digest != one.sha256:
        _begin_again(lane, one)
        raise Problem(422, "wrong_bytes")
    try:
        media_type = _media_type(head)
    except Unfit as unfit:
        _reject(lane, one, unfit.code)
        raise Problem(422, unfit.code) from None
    _store(lane, one, media_type)


def _looked_at(lane: Lane, one: Whole) -> tuple[str, bytes]:
    """Return the hash of the bytes and their beginning."""
    digest, head = hashlib.sha256(), bytearray()
    for piece in one.bytes(lane):
        digest.update(piece)
        if len(head) < HEAD_BYTES:
            head += piece
    return digest.hexdigest(), bytes(head)


def _media_type(head: bytes) -> str:
    header = read_header(head)
    if header.media_type == HEIC and not heic_is_welcome():
        raise Unfit(TYPE)
    return header.media_type


def _begin_again(lane: Lane, one: Whole) -> None:
    with lane.database.transaction(Mode.WRITE) as session:
        uploads.begin_again(session, one)
    lane.incoming.drop(one.photo, one.parts)


def _reject(lane: Lane, one: Whole, fault: str) -> None:
    def effect(session: Session) -> None:
        uploads.close(session, one)
        enter_picture(session, one.photo, version=None, parts=[], fault=fault, facts={})

    with suppress(Superseded):
        note(lane, one.photo, effect)
        lane.incoming.discard(one.photo)


def _store(lane: Lane, one: Whole, media_type: str) -> None:
    """Keep the bytes, then say so: whoever reads `stored` finds them, also after a power cut."""
    file = new_id()
    kept = lane.shelf.keep(file_key(file), one.bytes(lane), one.length)
    entered: list[str] = []

    def effect(session: Session) -> None:
        uploads.close(session, one)
        entered[:] = [_enter_file(session, one, file, media_type)]
        if entered == [file]:
            lane.shelf.enter(session, [kept])
        jobs.ask_for(session, PICTURES, at_ms=now_ms())

    with suppress(Superseded):
        note(lane, one.photo, effect)
        lane.incoming.discard(one.photo)
    if entered != [file]:
        lane.shelf.discard([kept.key])


def _enter_file(session: Session, one: Whole, file: str, media_type: str) -> str:
    """Enter a file and return its id, or that of the same bytes in the same scope.

    The photo is locked: moved between here and its own edit, it would not find its file.
    """
    here = lock_rows(sa.select(_photos.c.grid).where(_photos.c.id == one.photo))
    grid = session.scalars(here).first() or one.grid
    row = {"id": file, "scope": f"grid:{grid}", "sha256": one.sha256,
           "size_bytes": one.length, "media_type": media_type}  # fmt: skip
    entered = insert_into(session, _files).values(**row)
    entered = entered.on_conflict_do_update(
        index_elements=["scope", "sha256"], set_={"unused_since_ms": None}
    )
    found: str = session.execute(entered.returning(_files.c.id)).scalar_one()
    return found


def enter_picture(
    session: Session,
    photo: str,
    *,
    version: str | None,
    parts: list[Any],
    fault: str | None,
    facts: dict[str, Any],
) -> None:
    """Enter what came of opening a photo, over what was known before."""
    row = {"photo": photo, "version": version, "parts": json.dumps(parts), "fault": fault,
           "facts": json.dumps(facts), "tries": 0}  # fmt: skip
    insertion = insert_into(session, _pictures).values(**row)
    changed = {name: insertion.excluded[name] for name in row if name != "photo"}
    session.execute(insertion.on_conflict_do_update(index_elements=["photo"], set_=changed))


def note(lane: Lane, photo: str, effect: Effect) -> None:
    """Do something about a photo and let its record tell of it, in one transaction.

    The record is written by an edit of the server's own, which says only "look again": what it
    then shows follows from the tables. A photo deleted meanwhile stays deleted.

    Raises:
        Problem: 503 when others were quicker again and again.
    """
    for _ in range(ATTEMPTS_MAX):
        try:
            with lane.database.transaction(Mode.WRITE) as session:
                effect(session)
                look_again(session, photo)
                return
        except Stale:
            continue
    raise Problem(503, "retry")


def look_again(session: Session, photo: str) -> None:
    """Bring the record of a photo up to date with what is known of it."""
    rv = session.scalars(
        sa.select(_photos.c.rv).where(_photos.c.id == photo, _photos.c.deleted.is_(None))
    ).first()
    if rv is not None:
        edit = Edit(0, "", "event", "photo", photo, base=rv)
        receipt = write_as_office(session, HOUSE, edit)
        assert "code" not in receipt, f"the server's own edit was refused: {receipt['code']}"
