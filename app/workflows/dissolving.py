"""Dissolve an area in which nothing is left: no area, no record and no post; two persons agree."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.dated import close
from app.areas.models import Area, AreaBorder, AreaVersion
from app.core import audit
from app.core.actor import Actor
from app.core.database import lock_rows
from app.core.deeds import Asked, Deed, Details
from app.core.engine import current_engine
from app.identity.models import Post
from app.identity.rules import ms_of
from app.workflows.touched import counts
from sync.errors import Problem

DISSOLVE = "org_unit.delete"
ID_DIGITS_MAX = 18


def place(session: Session, actor: Actor, subject: str, details: Details, now: datetime) -> int:
    """Return the area that is to be dissolved, by the number in ``subject``.

    Raises:
        Problem: 404, 403 for one's own area, 409 when something is left in it.
    """
    area_id = int(subject) if subject.isdecimal() and len(subject) <= ID_DIGITS_MAX else 0
    path = session.execute(
        sa.select(Area.path).where(Area.id == area_id, Area.valid_until.is_(None))
    ).scalar()
    posts = actor.posts_at(ms_of(now))
    if path is None or not any(path.startswith(post.path) for post in posts):
        raise Problem(404, "not_found")
    if any(path == post.path for post in posts):
        raise Problem(403, "above_your_level")
    _demand_empty(session, area_id, now)
    return area_id


def _demand_empty(session: Session, area_id: int, now: datetime) -> None:
    """Refuse to dissolve an area that somebody or something would miss.

    Raises:
        Problem: 409 ``area_not_empty`` with what is left.
    """
    standing = (Area.parent_id == area_id, Area.valid_until.is_(None))
    held = (Post.area_id == area_id, sa.or_(Post.ends.is_(None), Post.ends > now))
    left = {
        "areas": _count(session, sa.select(sa.func.count()).select_from(Area).where(*standing)),
        "posts": _count(session, sa.select(sa.func.count()).select_from(Post).where(*held)),
        **counts(session, current_engine(), [area_id])[area_id],
    }
    found = {name: number for name, number in left.items() if number}
    if found:
        raise Problem(409, "area_not_empty", left=found)


def _count(session: Session, query: sa.Select[Any]) -> int:
    return int(session.execute(query).scalar_one())


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Let the area end today, if it is empty still; what it was stays readable.

    Raises:
        Problem: 409 when it has ended, or something is in it by now.
    """
    if not approved:
        return
    area_id, day = asked.area_id, now.date()
    row = session.execute(lock_rows(sa.select(Area.valid_until).where(Area.id == area_id))).one()
    if row.valid_until is not None:
        raise Problem(409, "area_has_ended")
    _demand_empty(session, area_id, now)
    ended = sa.update(Area).where(Area.id == area_id).values(valid_until=day)
    session.execute(ended.execution_options(synchronize_session=False))
    close(session, AreaVersion, [area_id], day)
    close(session, AreaBorder, [area_id], day)
    audit.record(
        session, "area.dissolved", user_id=asked.asked_by.user_id, subject=f"area:{area_id}",
        approved_by=decider.user_id, approval=asked.id, reason=asked.reason,
    )  # fmt: skip


DEED = Deed(DISSOLVE, settle, place)
