"""Find out who makes a request: two small queries, so that a withdrawal counts at once."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.core import actor as core
from app.identity.credentials import Keys, read_access
from app.identity.models import AuthSession, Enrolment, Post, User
from app.identity.rules import ms_of
from sync.errors import Problem

_STANDING = (
    sa.select(
        AuthSession.user_id, AuthSession.enrolment_id, AuthSession.revoked_at,
        AuthSession.absolute_until, User.active, User.name,
        Enrolment.revoked_at.label("phone_revoked_at"), Enrolment.wipe_asked_at,
    )
    .join(User, User.id == AuthSession.user_id)
    .join(Enrolment, Enrolment.id == AuthSession.enrolment_id, isouter=True)
    .where(AuthSession.id == sa.bindparam("session_id"))
)  # fmt: skip
_POSTS = (
    sa.select(Post.role, Post.area_id, Area.path, Area.level, Post.starts, Post.ends)
    .join(Area, Area.id == Post.area_id)
    .where(Post.user_id == sa.bindparam("user_id"))
    .order_by(Post.id)
)


def authenticate(session: Session, token: str, keys: Keys, now: datetime) -> core.Actor:
    """Return the person behind an access token, with the posts of now and of before.

    Raises:
        Problem: 401 ``invalid_token``, ``token_expired``, ``revoked``; 403 ``device_wipe``.
    """
    claims = read_access(token, keys, now)
    row = session.execute(_STANDING, {"session_id": claims.session_id}).first()
    if row is None or row.user_id != claims.user_id:
        raise Problem(401, "invalid_token")
    refuse_if_withdrawn(row, now)
    posts = posts_of(session, claims.user_id)
    return core.Actor(claims.user_id, posts, claims.session_id, row.enrolment_id, row.name)


def refuse_if_withdrawn(row: Any, now: datetime) -> None:
    """Refuse a session that has been ended, whose phone was withdrawn, or whose user left.

    Raises:
        Problem: 403 ``device_wipe`` or 401 ``revoked``.
    """
    if row.wipe_asked_at is not None:
        raise Problem(403, "device_wipe")
    gone = row.revoked_at is not None or row.phone_revoked_at is not None or not row.active
    if gone or row.absolute_until <= now:
        raise Problem(401, "revoked")


def posts_of(session: Session, user_id: int) -> tuple[core.Post, ...]:
    """Return all posts of a user, past and coming ones too."""
    rows = session.execute(_POSTS, {"user_id": user_id})
    return tuple(
        core.Post(
            row.role, row.area_id, row.path, row.level, ms_of(row.starts),
            None if row.ends is None else ms_of(row.ends),
        )
        for row in rows
    )  # fmt: skip
