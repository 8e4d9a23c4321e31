"""Find out who makes a request: one query each time, so that a withdrawal counts at once."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.core import actor as core
from app.core import audit
from app.identity.credentials import Keys, read_access
from app.identity.models import COVER, AuthSession, Enrolment, Post, User
from app.identity.orders import is_draining, wipe_order
from app.identity.rules import ms_of, what_is_owed
from sync.errors import Problem
from sync.stores.many import among

# Plain tables, not models: half of the work, at every request.
_sessions, _users, _phones = AuthSession.__table__, User.__table__, Enrolment.__table__
_posts, _areas = Post.__table__, Area.__table__
_POST_COLUMNS = (
    _posts.c.role, _posts.c.area_id, _areas.c.path, _areas.c.level, _posts.c.starts, _posts.c.ends,
    _posts.c.mode, _posts.c.covers,
)  # fmt: skip
_ASKERS = (
    sa.select(
        _sessions.c.id,
        _sessions.c.user_id,
        _sessions.c.enrolment_id,
        _sessions.c.revoked_at,
        _sessions.c.absolute_until,
        _sessions.c.factor_at,
        _sessions.c.proven_at,
        _users.c.password_until,
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
    .order_by(_posts.c.id)
)
_ASKER = _ASKERS.where(_sessions.c.id == sa.bindparam("session_id"))
_SOME_ASKERS = _ASKERS.where(among(_sessions.c.id, "session_ids"))
_POSTS = (
    sa.select(*_POST_COLUMNS)
    .select_from(_posts.join(_areas, _areas.c.id == _posts.c.area_id))
    .where(_posts.c.user_id == sa.bindparam("user_id"))
    .order_by(_posts.c.id)
)
_POSTS_OF_MANY = (
    sa.select(_posts.c.user_id, *_POST_COLUMNS)
    .select_from(_posts.join(_areas, _areas.c.id == _posts.c.area_id))
    .where(among(_posts.c.user_id, "users"))
    .order_by(_posts.c.id)
)


def authenticate(session: Session, token: str, keys: Keys, now: datetime) -> core.Actor:
    """Return the person behind an access token, with the posts of now and of before.

    Raises:
        Problem: 401 ``invalid_token``, ``token_expired``, ``revoked``; 403 ``device_wipe``.
    """
    claims = read_access(token, keys, now)
    audit.concerning(f"session:{claims.session_id}", claims.user_id)
    actor = actor_of(session, claims.session_id, keys, now)
    if actor.user_id != claims.user_id:
        raise Problem(401, "invalid_token")
    return actor


def actor_of(session: Session, session_id: str, keys: Keys, now: datetime) -> core.Actor:
    """Return the person who signed in to a session, if that still counts.

    Raises:
        Problem: 401 ``invalid_token``, ``revoked``; 403 ``device_wipe``.
    """
    rows = session.connection().execute(_ASKER, {"session_id": session_id}).all()
    if not rows:
        raise Problem(401, "invalid_token")
    first = rows[0]
    draining = refuse_if_withdrawn(first, keys, now)
    posts = _as_posts(row for row in rows if row.role is not None)
    return core.Actor(
        first.user_id, posts, session_id, first.enrolment_id, first.name, draining,
        _owed(first), 0 if first.proven_at is None else ms_of(first.proven_at),
    )  # fmt: skip


def _owed(row: Any) -> str | None:
    """Return what somebody in the office must do before anything else; phones owe nothing."""
    if row.enrolment_id is not None:
        return None
    return what_is_owed(row.password_until, row.factor_at)


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


def standing(
    session: Session, session_ids: Iterable[str], now: datetime
) -> Mapping[str, tuple[core.Post, ...]]:
    """Return the posts behind each of these sessions that has not been ended or withdrawn."""
    rows = session.connection().execute(_SOME_ASKERS, {"session_ids": list(session_ids)})
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return {
        name: _as_posts(row for row in some if row.role is not None)
        for name, some in found.items()
        if not is_withdrawn(some[0], now)
    }


def is_withdrawn(row: Any, now: datetime) -> bool:
    """Tell whether somebody may receive nothing any more, even if his phone may still send."""
    gone = row.revoked_at is not None or row.phone_revoked_at is not None
    return gone or row.wipe_asked_at is not None or row.absolute_until <= now or not row.active


def posts_of(session: Session, user_id: int) -> tuple[core.Post, ...]:
    """Return all posts of a user, past and coming ones too."""
    return _as_posts(session.connection().execute(_POSTS, {"user_id": user_id}))


def actors_of(session: Session, users: Iterable[int]) -> dict[int, core.Actor]:
    """Return some users as those who act, with all their posts; they need no session for it."""
    found: dict[int, list[Any]] = {user: [] for user in users}
    rows = session.connection().execute(_POSTS_OF_MANY, {"users": sorted(found)})
    for row in rows:
        found[row.user_id].append(row)
    return {user: core.Actor(user, _as_posts(posts)) for user, posts in found.items()}


def _as_posts(rows: Iterable[Any]) -> tuple[core.Post, ...]:
    return tuple(
        core.Post(
            row.role,
            row.area_id,
            row.path,
            row.level,
            ms_of(row.starts),
            None if row.ends is None else ms_of(row.ends),
            row.mode == COVER,
            row.covers,
        )
        for row in rows
    )
