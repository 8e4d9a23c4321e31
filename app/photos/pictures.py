"""Open the photos that have arrived, one at a time, and make what is shown of them."""

import logging
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlalchemy.orm import Session

from app.core.blobs.contract import Missing
from app.core.database import Mode, insert_into, table_of
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.decoder.headers import DAMAGED
from app.photos.decoding import Decoded, Died, decode
from app.photos.finishing import enter_picture, file_key, note
from app.photos.models import Photo, PhotoFile, PhotoPicture
from app.photos.rules import SIDE_OF, STORED
from app.photos.uploads import Lane
from app.tasks.models import Task, TaskKind
from sync.errors import Destroyed

BATCH_MAX = 8
"""So few that even the worst are done before another worker believes this one dead."""
TRIES_MAX = 3
log = logging.getLogger("wangge")

_photos, _files, _pictures = table_of(Photo), table_of(PhotoFile), table_of(PhotoPicture)
_tasks, _kinds = table_of(Task), table_of(TaskKind)
_PENDING = (
    sa.select(
        _photos.c.id, _photos.c.redactions, _files.c.id.label("file"), _files.c.size_bytes,
        sa.or_(_photos.c.incident.is_not(None), _kinds.c.needs_location).label("place_needed"),
    )
    .select_from(
        _photos.join(_files, _files.c.id == _photos.c.file)
        .outerjoin(_tasks, _tasks.c.id == _photos.c.task)
        .outerjoin(_kinds, _kinds.c.code == _tasks.c.task_kind)
        .outerjoin(_pictures, _pictures.c.photo == _photos.c.id)
    )
    .where(_photos.c.state == STORED, _photos.c.deleted.is_(None))
    .order_by(sa.func.coalesce(_pictures.c.tries, 0), _photos.c.id)
    .limit(BATCH_MAX)
)  # fmt: skip


def picture_key(version: str, variant: str) -> str:
    """Return where a derivative lies."""
    return f"picture/{version}-{SIDE_OF[variant]}"


def draw_pending(lane: Lane) -> int:
    """Open the photos that wait for it, some at a time; return how many."""
    with lane.database.transaction(Mode.READ) as session:
        pending = session.execute(_PENDING).all()
    for row in pending:
        draw(lane, row)
    return len(pending)


def draw(lane: Lane, row: Any) -> None:
    """Open one photo and keep its derivatives, or the fault that speaks against it.

    Raises:
        Unreachable: the store does not answer.
    """
    parts, key = row.redactions or [], file_key(row.file)
    try:
        raw = b"".join(lane.shelf.read(key, row.size_bytes, 0, row.size_bytes))
    except (Missing, InvalidTag, Destroyed) as error:
        # Not the photo's fault: it waits until somebody has put its bytes back.
        log.error("bytes of photo %s: %s", row.id, type(error).__name__)
        _count_try(lane, row.id)
        return
    try:
        decoded = decode(raw, parts, now_ms())
    except Died:
        if _count_try(lane, row.id) < TRIES_MAX:
            return
        decoded = Decoded({}, fault=DAMAGED)
    if decoded.fault:
        _enter_fault(lane, row.id, decoded.fault)
    else:
        decoded.facts["place_needed"] = bool(row.place_needed)
        _enter_pictures(lane, row.id, parts, decoded)


def _count_try(lane: Lane, photo: str) -> int:
    """Count a try that came to nothing; only a photo that kills the decoder thrice is at fault."""
    with lane.database.transaction(Mode.WRITE) as session:
        row = {"photo": photo, "version": None, "parts": "[]", "fault": None, "facts": "{}",
               "tries": 1}  # fmt: skip
        counted = insert_into(session, _pictures).values(**row)
        counted = counted.on_conflict_do_update(
            index_elements=["photo"], set_={"tries": _pictures.c.tries + 1}
        )
        tries: int = session.execute(counted.returning(_pictures.c.tries)).scalar_one()
    return tries


def _enter_fault(lane: Lane, photo: str, fault: str) -> None:
    def effect(session: Session) -> None:
        enter_picture(session, photo, version=None, parts=[], fault=fault, facts={})

    note(lane, photo, effect)


def _enter_pictures(lane: Lane, photo: str, parts: list[Any], decoded: Decoded) -> None:
    version = new_id()
    kept = [
        lane.shelf.keep(picture_key(version, variant), [picture], len(picture))
        for variant, picture in zip(SIDE_OF, decoded.pictures, strict=True)
    ]
    outdated: list[str] = []

    def effect(session: Session) -> None:
        before = session.scalars(
            sa.select(_pictures.c.version).where(_pictures.c.photo == photo)
        ).first()
        outdated[:] = keys_of(before)
        lane.shelf.strike(session, outdated)
        lane.shelf.enter(session, kept)
        enter_picture(session, photo, version=version, parts=parts, fault=None, facts=decoded.facts)

    note(lane, photo, effect)
    lane.shelf.discard(outdated)


def keys_of(version: str | None) -> list[str]:
    """Return where the derivatives of a version lie."""
    return [picture_key(version, variant) for variant in SIDE_OF] if version else []
