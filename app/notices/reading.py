"""Which notices somebody may read: what is meant for him, and for the office all of its area."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.rules import path_ids
from app.core import policy
from app.core.actor import OFFICE_ROLES, Actor, Post
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.core.pagination import after
from app.identity.rules import RANK
from app.notices import rules
from app.notices.models import Notice
from sync.errors import Problem

Values = Mapping[str, Any]


def _above(path: str) -> list[str]:
    """Return the paths of an area and of all areas above it."""
    ids = path_ids(path)
    return ["".join(f"{one}." for one in ids[:depth]) for depth in range(1, len(ids) + 1)]


def _meant_for(role: str) -> sa.ColumnElement[bool]:
    """Return the condition that a notice is for this role or for those it leads, or for all."""
    roles = sa.cast(Notice.roles, sa.String)
    led = [one for one in rules.ROLES if role in RANK and RANK[one] <= RANK[role]]
    return sa.or_(
        roles.is_(None), roles.in_(("null", "[]")),
        *(roles.contains(f'"{one}"') for one in led),
    )  # fmt: skip


def _visible_to(post: Post, action: str) -> sa.ColumnElement[bool]:
    """Return the condition that the holder of a post may read a notice."""
    cell = policy.table()[action][post.role]
    if cell.letter == "A":
        return sa.true()
    if cell.letter == "-":
        return sa.false()
    paths = Notice.paths
    here = paths.contains(f",{policy.anchor(post, cell.letter)}")
    for_him = sa.or_(here, *(paths.contains(f",{path},") for path in _above(post.path)))
    if post.role in OFFICE_ROLES:
        return sa.or_(here, sa.and_(for_him, _meant_for(post.role)))
    return sa.and_(for_him, _meant_for(post.role))


def visible(actor: Actor, action: str) -> sa.ColumnElement[bool]:
    """Return the condition that an actor may read a notice.

    A worker reads it from its first moment on; the office also what is only planned.
    """
    posts = actor.posts_at(now_ms())
    office = any(post.role in OFFICE_ROLES for post in posts)
    begun = sa.true() if office else Notice.state != rules.SCHEDULED
    return sa.and_(begun, sa.or_(sa.false(), *(_visible_to(post, action) for post in posts)))


def list_notices(
    session: Session, actor: Actor, *, state: str | None, limit: int, cursor: str | None
) -> list[dict[str, Any]]:
    """Return notices by id (which is by time), one more than a page holds."""
    rows = session.execute(
        _bodies()
        .where(visible(actor, "notice.list"), after([Notice.id], cursor))
        .where(Notice.state == state if state else sa.true())
        .order_by(Notice.id)
        .limit(limit + 1)
    )
    return [shown(row) for row in rows]


def read_notice(
    session: Session, actor: Actor, notice: str, action: str = "notice.read"
) -> dict[str, Any]:
    """Return one notice.

    Raises:
        Problem: 404 absent, or not for this actor.
    """
    row = session.execute(_bodies().where(Notice.id == notice, visible(actor, action))).first()
    if row is None:
        raise Problem(404, "not_found")
    return shown(row)


def _bodies() -> Any:
    return sa.select(Notice.id, Notice.rv, Notice.body).where(Notice.deleted.is_(None))


def shown(row: Any) -> dict[str, Any]:
    """Return a notice from its row."""
    body = current_engine().seal.open(Notice.kind, row.id, row.body)
    return {"id": row.id, "rv": row.rv, **json.loads(body)}


def due(session: Session, now: Any, limit: int) -> Sequence[Any]:
    """Return the notices whose dates have come: to be published, or to leave the phones."""
    begins = sa.and_(Notice.state == rules.SCHEDULED, Notice.valid_from <= now)
    ends = sa.and_(Notice.state != rules.EXPIRED, Notice.valid_until <= now)
    return session.execute(
        _bodies().where(sa.or_(begins, ends)).order_by(Notice.id).limit(limit)
    ).all()
