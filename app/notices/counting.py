"""How far a notice has come: taps by area, and of an alarm who has not acknowledged it yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import LEVELS
from app.areas.models import Area
from app.areas.services import below_any, names_of
from app.core import policy
from app.core.actor import Actor
from app.core.moments import now_ms
from app.core.policy import Reach
from app.identity.models import Post, User
from app.identity.rules import masked_name
from app.notices import rules
from app.notices.models import NoticeAck, NoticeExplained
from sync.errors import Problem

Values = Mapping[str, Any]
ACTION = "notice.receipts"


@dataclass(frozen=True, slots=True)
class Ask:
    """Of which notice, within which areas, by which level of area."""

    notice: Values
    reach: Reach
    level: str


def reach_of(actor: Actor) -> Reach:
    """Return where an actor may see how far notices have come.

    Raises:
        Problem: 403.
    """
    reach = policy.reach(actor, ACTION, now_ms())
    if not (reach.paths or reach.everything):
        raise Problem(403, "not_allowed", action=ACTION)
    return reach


def by_area(session: Session, ask: Ask) -> list[dict[str, Any]]:
    """Return for each area of a level how often the notice was explained; of an alarm also how
    many of its addressees there are, and how many have acknowledged it. One grouped statement.
    """  # fmt: skip
    counted = [_explained(ask)]
    if ask.notice["urgency"] == rules.EMERGENCY:
        counted.append(_asked(ask))
    every = sa.union_all(*counted).subquery()
    sums = [sa.func.sum(every.c[name]).label(name) for name in ("times", "people", "acknowledged")]
    rows = session.execute(
        sa.select(every.c.area, *sums).group_by(every.c.area).order_by(every.c.area)
    ).all()
    names = names_of(session, [row.area for row in rows])
    return [{"area": row.area, "name": names.get(row.area, ""), "times": int(row.times),
             "addressees": int(row.people), "acknowledged": int(row.acknowledged)}
            for row in rows]  # fmt: skip


def _at(here: Any, level: str) -> tuple[Any, Any]:
    """Return from where to read the area of a level above (or at) an area, and its id.

    An area of a higher level than the one asked for stands for itself.
    """
    source, area, found = here, here, here.c.id
    for _ in LEVELS[LEVELS.index(level) + 1 :]:
        above = Area.__table__.alias()
        source = source.outerjoin(above, above.c.id == area.c.parent_id)
        found = sa.case((_depth(area) > LEVELS.index(level), above.c.id), else_=found)
        area = above
    return source, found


def _depth(area: Any) -> Any:
    return sa.case({name: place for place, name in enumerate(LEVELS)}, value=area.c.level, else_=-1)


def _within(area: Any, reach: Reach) -> sa.ColumnElement[bool]:
    """Return the condition that an area lies where the actor may look."""
    if reach.everything:
        return sa.true()
    return area.c.id.in_(sa.select(Area.id).where(below_any(reach.paths)))


def _explained(ask: Ask) -> sa.Select[Any]:
    grid, told = Area.__table__.alias("grid"), NoticeExplained.__table__
    source, area = _at(grid, ask.level)
    zero = sa.literal(0)
    return (
        sa.select(area.label("area"), told.c.times.label("times"), zero.label("people"),
                  zero.label("acknowledged"))
        .select_from(source.join(told, told.c.grid == grid.c.id))
        .where(told.c.notice == ask.notice["id"], told.c.deleted.is_(None))
        .where(_within(grid, ask.reach))
    )  # fmt: skip


def _asked(ask: Ask) -> sa.Select[Any]:
    """Select everybody an alarm is for, in each area once, however many posts he holds there."""
    place, post, user = Area.__table__.alias("place"), Post.__table__, User.__table__
    source, area = _at(place, ask.level)
    has = sa.case((_acknowledged(post.c.user_id, ask.notice), 1), else_=0)
    each = (
        sa.select(area.label("area"), post.c.user_id, has.label("acknowledged"))
        .select_from(source.join(post, post.c.area_id == place.c.id)
                     .join(user, user.c.id == post.c.user_id))
        .where(_addressed(ask.notice), _within(place, ask.reach), user.c.active)
        .distinct()
        .subquery()
    )  # fmt: skip
    return sa.select(each.c.area, sa.literal(0), sa.literal(1), each.c.acknowledged)


def _addressed(notice: Values) -> sa.ColumnElement[bool]:
    """Return the condition that a post is one of those a notice is for, now."""
    now, post = datetime.now(UTC), Post.__table__.c
    areas = sa.select(Area.id).where(below_any(rules.split(notice["paths"])))
    return sa.and_(
        post.area_id.in_(areas), post.role.in_(notice.get("roles") or rules.ROLES),
        post.starts <= now, sa.or_(post.ends.is_(None), post.ends > now),
    )  # fmt: skip


def _acknowledged(user: Any, notice: Values) -> sa.ColumnElement[bool]:
    ack = NoticeAck.__table__.c
    return sa.exists().where(
        ack.notice == notice["id"], ack.worker == user, ack.version >= notice["version"],
        ack.deleted.is_(None),
    )  # fmt: skip


def missing(
    session: Session, notice: Values, reach: Reach, *, after: int, limit: int
) -> Sequence[dict[str, Any]]:
    """Return who has not acknowledged the present version of an alarm, by user id.

    Args:
        after: the user after whom to go on.

    Raises:
        Problem: 409 when the notice is no alarm: nobody is listed by name for anything else.
    """
    if notice["urgency"] != rules.EMERGENCY:
        raise Problem(409, "not_an_emergency")
    place, post, user = Area.__table__, Post.__table__.c, User.__table__.c
    rows = session.execute(
        sa.select(user.id, user.name, sa.func.min(post.role), sa.func.min(post.area_id))
        .select_from(Post.__table__.join(User.__table__, user.id == post.user_id)
                     .join(place, place.c.id == post.area_id))
        .where(_addressed(notice), _within(place, reach), user.active, user.id > after)
        .where(~_acknowledged(post.user_id, notice))
        .group_by(user.id, user.name)
        .order_by(user.id)
        .limit(limit)
    )  # fmt: skip
    shown = masked_name if reach.masked else str
    return [{"user": row[0], "name": shown(row[1]), "role": row[2], "area": row[3]}
            for row in rows]  # fmt: skip
