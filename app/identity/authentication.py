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
from app.identity.orders import is_draining, wipe_order
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
        _phones.c.drain_until,
        _phones.c.wiped_at,
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
    rows = session.connection().execute(_ASKER, {"session_id": claims.session_id}).all()
    if not rows or rows[0].user_id != claims.user_id:
        raise Problem(401, "invalid_token")
    first = rows[0]
    draining = refuse_if_withdrawn(first, keys, now)
    posts = _as_posts(row for row in rows if row.role is not None)
    return core.Actor(
        first.user_id, posts, claims.session_id, first.enrolment_id, first.name, draining
    )


def refuse_if_withdrawn(row: Any, keys: Keys, now: datetime) -> bool:
    """Refuse a session that has been ended, whose phone was withdrawn, or whose user left.

    Returns:
        Whether the phone is to erase itself and may only send what it holds until then.

    Raises:
        Problem: 403 ``device_wipe`` or 401 ``revoked``.
    """
    draining = row.wiped_at is None and is_draining(row.wipe_asked_at, row.drain_until, now)
    if row.wipe_asked_at is not None and not draining:
        raise wipe_order(keys, row.enrolment_id)
    gone = row.revoked_at is not None or row.phone_revoked_at is not None
    if gone or row.absolute_until <= now or not (row.active or draining):
        raise Problem(401, "revoked")
    return draining


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
