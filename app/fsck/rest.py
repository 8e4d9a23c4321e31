"""Checks of what lies beside the engine: areas, photos, bodies nobody could read, the audit log."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag

from app.areas.models import Area
from app.core.blobs.contract import Missing, Unreachable
from app.core.database import table_of
from app.fsck.place import Check, Place
from app.identity.models import AuthSession, Enrolment, User
from app.photos.finishing import file_key
from app.photos.lane import EXTENSION as LANE
from app.photos.models import Photo, PhotoFile
from app.photos.uploads import Lane
from app.sync_api import unread
from app.sync_api.unread import UnreadBody

AUDIT = "wangge_audit_check"
"""Under this name the audit log registers what verifies its chain: session → what is wrong."""
LEVELS = ("city", "county", "township", "village", "grid")

_area, _photo, _file = table_of(Area), table_of(Photo), table_of(PhotoFile)
_unread = table_of(UnreadBody)


def areas_hang_together(place: Place) -> Iterator[str]:
    """Each area has one parent, above it in level, and its path goes on the parent's: no circle."""
    a, parent = _area.c, _area.alias()
    beside = _area.outerjoin(parent, parent.c.id == a.parent_id)
    own = sa.cast(a.id, sa.String) + "."
    asked = sa.select(
        a.id, a.level, a.path, a.parent_id, own.label("own"), parent.c.level.label("above"),
        parent.c.path.label("trunk"),
    ).select_from(beside)  # fmt: skip
    for row in place.rows(asked):
        if row.parent_id is None:
            right = row.path == row.own
        else:
            right = row.path == (row.trunk or "") + row.own and _is_below(row.level, row.above)
        if not right:
            yield f"area {row.id}"


def _is_below(level: str, above: str | None) -> bool:
    if level not in LEVELS or above not in LEVELS:
        return above is not None
    return LEVELS.index(level) > LEVELS.index(above)


def areas_end_after_they_begin(place: Place) -> Iterator[str]:
    """No area ends before it begins."""
    for (area,) in place.rows(
        sa.select(_area.c.id).where(_area.c.valid_until < _area.c.valid_from)
    ):
        yield f"area {area}"


def photos_have_their_files(place: Place) -> Iterator[str]:
    """A photo that is stored names a file of the same hash and size."""
    p, f = _photo.c, _file.c
    beside = _photo.outerjoin(_file, f.id == p.file)
    asked = sa.select(p.id).select_from(beside).where(
        p.deleted.is_(None), p.state.in_(("stored", "ready")),
        f.id.is_(None) | (f.sha256 != p.sha256) | (f.size_bytes != p.size_bytes),
    )  # fmt: skip
    for (photo,) in place.rows(asked):
        yield f"photo {photo}"


def files_hold_their_bytes(place: Place) -> Iterator[str]:
    """Every file is where it should be, whole, and its bytes have the hash that was told."""
    lane: Lane = place.extensions[LANE]
    asked = sa.select(_file.c.id, _file.c.sha256, _file.c.size_bytes)
    for file, sha256, size in place.rows(asked.where(_file.c.unused_since_ms.is_(None))):
        if _hash_of(lane, str(file), size) != sha256:
            yield f"file {file}"


def _hash_of(lane: Lane, file: str, size: int) -> str | None:
    """Return the hash of the plain bytes of a file; None when they cannot be had."""
    digest = hashlib.sha256()
    try:
        for piece in lane.shelf.read(file_key(file), size, 0, size):
            digest.update(piece)
    except (Missing, Unreachable, InvalidTag, OSError):
        return None
    return digest.hexdigest()


def unread_bounded(place: Place) -> Iterator[str]:
    """What nobody could read is kept within its bounds, for each phone and in all."""
    u = _unread.c
    count, kept = sa.func.count(), sa.func.coalesce(sa.func.sum(u.kept_bytes), 0)
    by_phone = sa.select(u.enrolment).group_by(u.enrolment).having(
        (count > unread.PER_PHONE_MAX) | (kept > unread.PER_PHONE_BYTES_MAX)
    )  # fmt: skip
    for (enrolment,) in place.rows(by_phone):
        yield f"enrolment {enrolment}"
    total = place.session.execute(sa.select(count, kept).select_from(_unread)).one()
    if total[0] > unread.TOTAL_MAX or total[1] > unread.TOTAL_BYTES_MAX:
        yield "sync_unread"


def nobody_in_by_a_withdrawn_phone(place: Place) -> Iterator[str]:
    """No session of the office is open for one who was dismissed, none of a phone taken back."""
    s, e, u = table_of(AuthSession), table_of(Enrolment), table_of(User)
    beside = s.join(u, u.c.id == s.c.user_id).outerjoin(e, e.c.id == s.c.enrolment_id)
    office = s.c.enrolment_id.is_(None) & u.c.dismissed_at.is_not(None)
    asked = sa.select(s.c.id).select_from(beside).where(
        s.c.revoked_at.is_(None), office | e.c.revoked_at.is_not(None)
    )  # fmt: skip
    for (session,) in place.rows(asked):
        yield f"session {session}"


def audit_chain_holds(place: Place) -> Iterable[str]:
    """The chain of the audit log verifies, where the server has one."""
    verify: Callable[[Any], Iterable[str]] | None = place.extensions.get(AUDIT)
    return verify(place.session) if verify else ()


CHECKS = (
    Check("areas_hang_together", (16,), "区域层级与路径正确", "areas hang together",
          areas_hang_together),
    Check("areas_end_after_they_begin", (16,), "区域有效期正确", "areas end after they begin",
          areas_end_after_they_begin),
    Check("photos_have_their_files", (12,), "照片记录与文件一致", "photos have their files",
          photos_have_their_files),
    Check("files_hold_their_bytes", (12,), "照片文件完整", "files hold their bytes",
          files_hold_their_bytes, only_with_photos=True),
    Check("unread_bounded", (18,), "无法读取的内容未超限", "what nobody could read is bounded",
          unread_bounded),
    Check("nobody_in_by_a_withdrawn_phone", (10,), "已撤销者无有效会话", "who was withdrawn is out",
          nobody_in_by_a_withdrawn_phone),
    Check("audit_chain_holds", (14,), "审计链完整", "the audit chain holds", audit_chain_holds),
)  # fmt: skip
UNSEEN: Mapping[int, str] = {
    13: "在运行中检验 / shown while it runs: tests/prove/contract.py",
    20: "在运行中检验 / shown while it runs: tests/prove/sim.py",
}
"""Invariants that a database at rest does not show, and what shows them."""
