"""Serve pictures: to whom they may be shown, in parts if wanted, never as anything else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask import Response, request
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.core import policy
from app.core.actor import Actor
from app.core.blobs.contract import Missing, Unreachable
from app.core.database import table_of
from app.core.moments import now_ms
from app.core.policy import Answer
from app.core.span import as_house
from app.office import reveals
from app.office.reveals import Glass
from app.photos.finishing import file_key
from app.photos.models import Photo, PhotoFile, PhotoPicture
from app.photos.pictures import picture_key
from app.photos.rules import ORIGINAL, READY
from app.photos.uploads import Lane
from sync.errors import Problem

HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Accept-Ranges": "bytes",
}
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/heic": "heic"}
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")

_photos, _files, _pictures = table_of(Photo), table_of(PhotoFile), table_of(PhotoPicture)
_SEEN = (
    sa.select(
        _photos.c.grid, _photos.c.taken_by, _photos.c.state, _files.c.id.label("file"),
        _files.c.size_bytes, _files.c.media_type, _pictures.c.version,
    )
    .select_from(
        _photos.outerjoin(_files, _files.c.id == _photos.c.file)
        .outerjoin(_pictures, _pictures.c.photo == _photos.c.id)
    )
    .where(_photos.c.deleted.is_(None))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """Bytes that may be shown to whoever asked."""

    key: str
    size: int
    media_type: str
    name: str
    disposition: str

    @property
    def etag(self) -> str:
        """Return the ETag: bytes under a key never change."""
        return f'"{self.key.rpartition("/")[2]}"'


def find(
    session: Session, lane: Lane, actor: Actor, photo: str, variant: str, action: str
) -> Shown:
    """Return what to show of a photo.

    Raises:
        Problem: 404 absent or out of scope, 403 not for this role, 409 not ready yet.
    """
    with as_house():  # one's own may lie where one served before; the table is asked right below
        row = session.execute(_SEEN.where(_photos.c.id == photo)).first()
    if row is None:
        raise Problem(404, "not_found")
    check(session, actor, row, action, photo=photo)
    if variant == ORIGINAL:
        return _original(row, photo)
    size = lane.shelf.size(session, picture_key(row.version, variant)) if row.version else None
    if row.state != READY or size is None:
        raise Problem(409, "photo_not_ready", state=row.state)
    key = picture_key(row.version, variant)
    return Shown(key, size, "image/jpeg", f"{photo}-{variant}.jpg", "inline")


def check(session: Session, actor: Actor, row: Any, action: str, *, photo: str) -> None:
    """Refuse whoever may not do this with a photo, and has not opened it for a reason either.

    Raises:
        Problem: 404 out of scope, 403 not for this role.
    """
    path = paths_of(session, [row.grid]).get(row.grid)
    own = row.taken_by == actor.user_id
    answer = policy.decide(actor, action, path=path, own=own, at_ms=now_ms()).answer
    if answer is Answer.ABSENT:
        raise Problem(404, "not_found")
    if answer is Answer.REASON and reveals.use(session, actor, Glass(Photo.kind, photo, action)):
        return
    if answer is not Answer.YES:
        raise Problem(403, answer.value, action=action)


def _original(row: Any, photo: str) -> Shown:
    if row.file is None:
        raise Problem(409, "photo_not_ready", state=row.state)
    name = f"{photo}.{ENDINGS[row.media_type]}"
    return Shown(file_key(row.file), row.size_bytes, row.media_type, name, "attachment")


def serve(lane: Lane, shown: Shown) -> Response:
    """Return the bytes, or the part of them that was asked for.

    Raises:
        Problem: 416 the part lies outside, 503 the store does not answer.
    """
    headers = {**HEADERS, "ETag": shown.etag,
               "Content-Disposition": f'{shown.disposition}; filename="{shown.name}"'}  # fmt: skip
    if request.if_none_match.contains_weak(shown.etag.strip('"')):
        return Response(status=304, headers=headers)
    span = _span(shown)
    start, end = span or (0, shown.size)
    response = Response(
        _bytes(lane, shown, start, end), status=206 if span else 200, headers=headers,
        content_type=shown.media_type, direct_passthrough=True,
    )  # fmt: skip
    response.content_length = end - start
    if span:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{shown.size}"
    return response


def _bytes(lane: Lane, shown: Shown, start: int, end: int) -> Iterator[bytes]:
    """Read the first chunk at once, so that what is missing is told by the status."""
    parts = lane.shelf.read(shown.key, shown.size, start, end)
    try:
        first = next(parts)
    except (Missing, Unreachable, InvalidTag):
        raise Problem(503, "retry") from None
    return chain([first], parts)


def _span(shown: Shown) -> tuple[int, int] | None:
    """Return the part that was asked for, from a position up to, not with, another one."""
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    unchanged = request.headers.get("If-Range", shown.etag) == shown.etag
    if found is None or not unchanged or not (found[1] or found[2]):
        return None
    if found[1]:
        start = int(found[1])
        end = min(int(found[2]) + 1 if found[2] else shown.size, shown.size)
    else:
        start, end = max(0, shown.size - int(found[2])), shown.size
    if not start < end:
        raise Problem(416, "range_not_satisfiable", size=shown.size)
    return start, end
