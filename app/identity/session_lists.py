"""List the sessions that stand, and end one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import table_of
from app.core.pagination import after
from app.identity import policies, rules, sessions
from app.identity.models import AuthSession, Enrolment, User
from app.identity.people import in_reach, subject_of
from app.identity.rules import ms_of
from sync.errors import Problem

_sessions, _phones, _users = table_of(AuthSession), table_of(Enrolment), table_of(User)
_STANDING = (
    sa.select(_sessions, _users.c.name, _phones.c.model, _phones.c.app)
    .join(_users, _users.c.id == _sessions.c.user_id)
    .outerjoin(_phones, _phones.c.id == _sessions.c.enrolment_id)
    .where(_sessions.c.revoked_at.is_(None), _phones.c.revoked_at.is_(None), _users.c.active)
)


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session as a list shows it."""

    id: str
    user_id: int
    user_name: str
    kind: str
    enrolment_id: str | None
    model: str | None
    app: str | None
    made: datetime
    refreshed: datetime
    ends: datetime
    current: bool


def own(
    session: Session, actor: Actor, *, limit: int, cursor: str | None, now: datetime
) -> Sequence[SessionEntry]:
    """Return the actor's own sessions, the oldest first, one more than a page holds."""
    mine = _sessions.c.user_id == actor.user_id
    return _page(session, actor, mine, masked=False, limit=limit, cursor=cursor, now=now)


def listed(
    session: Session,
    actor: Actor,
    *,
    user_id: int | None,
    limit: int,
    cursor: str | None,
    now: datetime,
) -> Sequence[SessionEntry]:
    """Return the sessions that the table lets the actor list, one more than a page holds."""
    reach = policy.reach(actor, "session.list", ms_of(now))
    visible = in_reach(_sessions.c.user_id, reach, actor.user_id, now)
    if user_id is not None:
        visible = sa.and_(visible, _sessions.c.user_id == user_id)
    return _page(session, actor, visible, masked=reach.masked, limit=limit, cursor=cursor, now=now)


def _page(
    session: Session,
    actor: Actor,
    which: sa.ColumnElement[bool],
    *,
    masked: bool,
    limit: int,
    cursor: str | None,
    now: datetime,
) -> Sequence[SessionEntry]:
    standing = (_sessions.c.idle_until > now, _sessions.c.absolute_until > now)
    rows = session.execute(
        _STANDING.where(which, *standing, after([_sessions.c.id], cursor))
        .order_by(_sessions.c.id)
        .limit(limit + 1)
    )
    hide = rules.masked_name if masked else str
    return [_entry(row, hide(row.name), actor) for row in rows]


def _entry(row: Any, name: str, actor: Actor) -> SessionEntry:
    kind = "phone" if row.enrolment_id else "office"
    return SessionEntry(
        row.id, row.user_id, name, kind, row.enrolment_id, row.model, row.app, row.made,
        row.rotated_at, min(row.idle_until, row.absolute_until), row.id == actor.session_id,
    )  # fmt: skip


def end(session: Session, actor: Actor, session_id: str, now: datetime) -> None:
    """End one session, one's own or that of somebody in reach; a second time changes nothing.

    Raises:
        Problem: 404, 403.
    """
    owner = _owner(session, session_id)
    if owner != actor.user_id:
        subject = subject_of(session, owner, ms_of(now))
        policies.demand_sight(actor, subject, ms_of(now), "session.revoke")
    _end(session, actor, owner, session_id, now)


def end_own(session: Session, actor: Actor, session_id: str, now: datetime) -> None:
    """End one of one's own sessions.

    Raises:
        Problem: 404 for anybody else's.
    """
    if _owner(session, session_id) != actor.user_id:
        raise Problem(404, "not_found")
    _end(session, actor, actor.user_id, session_id, now)


def _owner(session: Session, session_id: str) -> int:
    query = sa.select(_sessions.c.user_id).where(_sessions.c.id == session_id)
    owner: int | None = session.execute(query).scalar()
    if owner is None:
        raise Problem(404, "not_found")
    return owner


def _end(session: Session, actor: Actor, owner: int, session_id: str, now: datetime) -> None:
    which = AuthSession.id == session_id
    if sessions.revoke_sessions(session, which, why="revoked", now=now):
        audit.record(session, "session.revoked", user_id=actor.user_id, subject=f"user:{owner}",
                     ended=session_id)  # fmt: skip
