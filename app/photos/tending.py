"""Keep the lane in order: what has no purpose, no owner or no future any more goes."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.core.database import Mode, table_of
from app.core.engine import write_as_office
from app.photos.finishing import file_key
from app.photos.house import HOUSE
from app.photos.models import Photo, PhotoFile, PhotoPicture, Upload, UploadDay
from app.photos.pictures import keys_of
from app.photos.rules import CLOSED_TASKS, DOCUMENT
from app.photos.uploads import Lane
from app.tasks.models import Task
from sync.edits import Edit

BATCH_MAX = 100
UNUSED_MS = timedelta(minutes=10) // timedelta(milliseconds=1)
"""Longer than any push takes: a photo that was registered over a file just then is seen."""
STRAY_MS = timedelta(hours=12) // timedelta(milliseconds=1)
DAYS_KEPT = 7

_photos, _files, _pictures = table_of(Photo), table_of(PhotoFile), table_of(PhotoPicture)
_uploads, _days, _tasks = table_of(Upload), table_of(UploadDay), table_of(Task)
_in_use = sa.exists().where(_photos.c.file == _files.c.id, _photos.c.deleted.is_(None))


def tend(lane: Lane, now_ms: int) -> None:
    """Do all of it."""
    delete_documents(lane)
    drop_pictures(lane)
    drop_files(lane, now_ms)
    expire_uploads(lane, now_ms)


def delete_documents(lane: Lane) -> None:
    """Delete the documents of errands that are closed; each is an edit like any other."""
    with lane.database.transaction(Mode.READ) as session:
        found = session.execute(
            sa.select(_photos.c.id, _photos.c.rv)
            .join(_tasks, _tasks.c.id == _photos.c.task)
            .where(_photos.c.purpose == DOCUMENT, _photos.c.deleted.is_(None),
                   _tasks.c.state.in_(CLOSED_TASKS))
            .limit(BATCH_MAX)
        ).all()  # fmt: skip
    for photo, rv in found:
        with lane.database.transaction(Mode.WRITE) as session:
            write_as_office(session, HOUSE, Edit(0, "", "delete", "photo", photo, base=rv))


def drop_pictures(lane: Lane) -> None:
    """Drop what was made of photos that are deleted."""
    gone = sa.select(_pictures.c.photo, _pictures.c.version).join(
        _photos, _photos.c.id == _pictures.c.photo
    )
    with lane.database.transaction(Mode.WRITE) as session:
        rows = session.execute(gone.where(_photos.c.deleted.is_not(None)).limit(BATCH_MAX)).all()
        keys = [key for row in rows for key in keys_of(row.version)]
        lane.shelf.strike(session, keys)
        photos = [row.photo for row in rows]
        session.execute(sa.delete(_pictures).where(_pictures.c.photo.in_(photos)))
    lane.shelf.discard(keys)


def drop_files(lane: Lane, now_ms: int) -> None:
    """Drop the files that no living photo needs: first mark them, a while later delete them."""
    with lane.database.transaction(Mode.WRITE) as session:
        marked = sa.update(_files).values(unused_since_ms=now_ms)
        session.execute(marked.where(_files.c.unused_since_ms.is_(None), ~_in_use))
        back = sa.update(_files).values(unused_since_ms=None)
        session.execute(back.where(_files.c.unused_since_ms.is_not(None), _in_use))
        old = _files.c.unused_since_ms < now_ms - UNUSED_MS
        gone = session.scalars(sa.select(_files.c.id).where(old).limit(BATCH_MAX)).all()
        session.execute(sa.delete(_files).where(_files.c.id.in_(gone)))
        keys = [file_key(one) for one in gone]
        lane.shelf.strike(session, keys)
    lane.shelf.discard(keys)


def expire_uploads(lane: Lane, now_ms: int) -> None:
    """Give up the uploads that nobody has added to for days, and bytes that belong to none."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    oldest = (today - timedelta(days=DAYS_KEPT)).isoformat()
    with lane.database.transaction(Mode.WRITE) as session:
        session.execute(sa.delete(_uploads).where(_uploads.c.expires_ms <= now_ms))
        session.execute(sa.delete(_days).where(_days.c.day < oldest))
        alive = set(session.scalars(sa.select(_uploads.c.photo)))
    for upload, touched_ms in lane.incoming.uploads():
        if upload not in alive and touched_ms < now_ms - STRAY_MS:
            lane.incoming.discard(upload)
