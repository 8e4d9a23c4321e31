"""What lies of people outside their records: bytes of photos, uploads, exports and copies."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import table_of
from app.core.moments import now_ms
from app.exports.layers import GRIDS
from app.exports.models import EXPIRED, READY, Export, key_of
from app.identity.rules import moment_of
from app.photos.finishing import file_key
from app.photos.lane import current_lane
from app.photos.models import Photo, PhotoFile, PhotoPicture, Upload
from app.photos.pictures import keys_of
from app.privacy.models import SubjectAnswer
from app.privacy.subjects import Whole

_photos, _files, _pictures = table_of(Photo), table_of(PhotoFile), table_of(PhotoPicture)
_uploads, _exports, _answers = table_of(Upload), table_of(Export), table_of(SubjectAnswer)


@dataclass
class Gone:
    """What has been struck out of the books and is to be removed after the commit."""

    keys: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)

    def clear(self) -> None:
        """Forget it all: the transaction begins anew."""
        self.keys.clear()
        self.uploads.clear()


def answer_key(answer: str) -> str:
    """Return where the file of an answer lies."""
    return f"rights/{answer}.zip"


def strike(session: Session, whole: Whole, requests: list[str], gone: Gone) -> None:
    """Strike out all that lies of some people; their records are still there."""
    photos = whole.ids("photo")
    if photos:
        _strike_photos(session, photos, gone)
    strike_answers(session, requests, gone)
    strike_exports(session, now_ms(), gone)


def _strike_photos(session: Session, photos: list[str], gone: Gone) -> None:
    mine = sa.select(_photos.c.file).where(_photos.c.id.in_(photos))
    others = sa.select(_photos.c.file).where(
        _photos.c.id.not_in(photos), _photos.c.deleted.is_(None), _photos.c.file.is_not(None)
    )
    unshared = sa.and_(_files.c.id.in_(mine), _files.c.id.not_in(others))
    files = session.scalars(sa.delete(_files).where(unshared).returning(_files.c.id)).all()
    drawn = sa.delete(_pictures).where(_pictures.c.photo.in_(photos))
    versions = session.scalars(drawn.returning(_pictures.c.version)).all()
    under_way = sa.delete(_uploads).where(_uploads.c.photo.in_(photos))
    session.execute(under_way)
    keys = [file_key(one) for one in files] + [key for one in versions for key in keys_of(one)]
    gone.uploads += photos
    _strike_keys(session, keys, gone)


def strike_answers(session: Session, requests: list[str], gone: Gone) -> None:
    """Strike out the files of answers, and why they were given."""
    if not requests:
        return
    left = sa.or_(_answers.c.reason.is_not(None), _answers.c.size_bytes.is_not(None))
    mine = sa.and_(_answers.c.request.in_(requests), left)
    ready = sa.select(_answers.c.id).where(mine, _answers.c.size_bytes.is_not(None))
    keys = [answer_key(one) for one in session.scalars(ready)]
    emptied = sa.update(_answers).where(mine).values(reason=None, size_bytes=None)
    session.execute(emptied)
    _strike_keys(session, keys, gone)


def strike_exports(session: Session, before_ms: int, gone: Gone) -> None:
    """Strike out the exports that may show somebody: all that were asked for before a moment."""
    showing = sa.and_(_exports.c.state == READY, _exports.c.layer != GRIDS,
                      _exports.c.asked_at <= moment_of(before_ms))  # fmt: skip
    found = session.scalars(sa.select(Export).where(showing)).all()
    keys = [key_of(one) for one in found]
    ids = [one.id for one in found]
    session.execute(sa.update(_exports).where(_exports.c.id.in_(ids)).values(state=EXPIRED))
    _strike_keys(session, keys, gone)


def _strike_keys(session: Session, keys: list[str], gone: Gone) -> None:
    current_lane().shelf.strike(session, keys)
    gone.keys += keys


def discard(gone: Gone) -> None:
    """Remove the bytes of what has been struck out."""
    lane = current_lane()
    lane.shelf.discard(gone.keys)
    for upload in gone.uploads:
        lane.incoming.discard(upload)
