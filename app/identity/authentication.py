"""Find out who makes a request: one query each time, so that a withdrawal counts at once."""

from collections.abc import Iterable
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

# Plain tables, not models: half of the work, at every request.
_sessions, _users, _phones = AuthSession.__table__, User.__table__, Enrolment.__table__
_posts, _areas = Post.__table__, Area.__table__
_POST_COLUMNS = (
    _posts.c.role, _posts.c.area_id, _areas.c.path, _areas.c.level, _posts.c.starts, _posts.c.ends
)  # fmt: skip
_ASKER = (
    sa.select(
        _sessions.c.user_id,
        _sessions.c.enrolment_id,
        _sessions.c.revoked_at,
        _sessions.c.absolute_until,
        _users.c.active,
        _users.c.name,
        _phones.c.revoked_at.label("phone_revoked_at"),
        _phones.c.wipe_asked_at,
        *_POST_COLUMNS,
    )
    .select_from(
        _sessions.join(_users, _users.c.id == _sessions.c.user_id)
        .outerjoin(_phones, _phones.c.id == _sessions.c.enrolment_id)
        .outerjoin(_posts, _posts.c.user_id == _sessions.c.user_id)
        .outerjoin(_areas, _areas.c.id == _posts.c.area_id)
    )
    .where(_sessions.c.id == sa.bindparam("session_id"))
    .order_by(_posts.c.id)
)
_POSTS = (
    sa.select(*_POST_COLUMNS)
    .select_from(_posts.join(_areas, _areas.c.id == _posts.c.area_id))
    .where(_posts.c.user_id == sa.bindparam("user_id"))
    .order_by(_posts.c.id)
)


def authenticate(session: Session, token: str, keys: Keys, now: datetime) -> core.Actor:
    """Return the person behind an access token, with the posts of now and of before.

    Raises:
        Problem: 401 ``invalid_token``, ``token_expired``, ``revoked``; 403 ``device_wipe``.
    """
    claims = read_access(token, keys, now)
    actor = actor_of(session, claims.session_id, now)
    if actor.user_id != claims.user_id:
        raise Problem(401, "invalid_token")
    return actor


def actor_of(session: Session, session_id: str, now: datetime) -> core.Actor:
    """Return the person who signed in to a session, if that still counts.

    Raises:
        Problem: 401 ``invalid_token``, ``revoked``; 403 ``device_wipe``.
    """
    rows = session.connection().execute(_ASKER, {"session_id": session_id}).all()
    if not rows:
        raise Problem(401, "invalid_token")
    first = rows[0]
    refuse_if_withdrawn(first, now)
    posts = _as_posts(row for row in rows if row.role is not None)
    return core.Actor(first.user_id, posts, session_id, first.enrolment_id, first.name)


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
    return _as_posts(session.connection().execute(_POSTS, {"user_id": user_id}))


def _as_posts(rows: Iterable[Any]) -> tuple[core.Post, ...]:
    return tuple(
        core.Post(
            row.role,
            row.area_id,
            row.path,
            row.level,
            ms_of(row.starts),
            None if row.ends is None else ms_of(row.ends),
        )
        for row in rows
    )
