"""People and their posts: list, read, make; who serves where, from when to when."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below, below_any
from app.core import policy
from app.core.actor import Actor
from app.core.cipher import Cipher
from app.core.pagination import after
from app.core.policy import Answer, Reach
from app.core.reads import MASKED, reads_of
from app.core.records import P2
from app.identity import policies, rules
from app.identity.authentication import posts_of
from app.identity.models import Post, User
from app.identity.policies import Subject
from app.identity.rules import ms_of
from sync.errors import Problem


@dataclass(frozen=True, slots=True)
class PostEntry:
    """A post as it is shown."""

    id: int
    user_id: int
    role: str
    area_id: int
    starts: datetime
    ends: datetime | None
    reason: str
    mode: str
    covers: int | None


@dataclass(frozen=True, slots=True)
class UserEntry:
    """A person as the asker may see him."""

    id: int
    name: str
    login: str | None
    active: bool
    posts: tuple[PostEntry, ...]
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class UserWish:
    """Which people to list, and where to go on."""

    area_id: int | None = None
    role: str | None = None
    limit: int = 50
    cursor: str | None = None


def subject_of(session: Session, user_id: int, now_ms: int) -> Subject:
    """Return a person with the posts that place him; of nobody there are none."""
    return Subject.of(user_id, posts_of(session, user_id), now_ms)


def in_reach(user_column: Any, reach: Reach, own_id: int, now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a person is within somebody's reach.

    Posts held now or later place a person; whoever has none left is placed by the former ones.
    """
    if reach.everything:
        return sa.true()
    condition: sa.ColumnElement[bool] = sa.false()
    if reach.paths:
        condition = user_column.in_(_placed(below_any(reach.paths), now))
    return sa.or_(condition, user_column == own_id) if reach.own else condition


def _placed(where: sa.ColumnElement[bool], now: datetime) -> Any:
    """Select the ids of the people whose posts place them in certain areas."""
    other = sa.orm.aliased(Post)
    serves = sa.exists().where(other.user_id == Post.user_id, _stands(other, now))
    return (
        sa.select(Post.user_id)
        .join(Area, Area.id == Post.area_id)
        .where(where, sa.or_(_stands(Post, now), ~serves))
    )


def _stands(post: Any, now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(post.ends.is_(None), post.ends > now)


def list_users(
    session: Session, actor: Actor, wish: UserWish, now: datetime
) -> Sequence[UserEntry]:
    """Return the people the actor may list, by id, one more than a page holds."""
    reach = policy.reach(actor, "user.list", ms_of(now))
    found = sa.select(User).where(in_reach(User.id, reach, actor.user_id, now))
    if wish.area_id is not None:
        found = found.where(User.id.in_(_placed(_in_area(session, wish.area_id), now)))
    if wish.role is not None:
        held = sa.select(Post.user_id).where(Post.role == wish.role, _stands(Post, now))
        found = found.where(User.id.in_(held))
    page = found.where(after([User.id], wish.cursor)).order_by(User.id).limit(wish.limit + 1)
    users = list(session.scalars(page))
    posts = _posts_by_user(session, [user.id for user in users])
    return [_entry(user, posts[user.id], masked=reach.masked) for user in users]


def _in_area(session: Session, area_id: int) -> sa.ColumnElement[bool]:
    path = session.execute(sa.select(Area.path).where(Area.id == area_id)).scalar()
    return below(path) if path else sa.false()


def read_user(
    session: Session, cipher: Cipher, actor: Actor, user_id: int, now: datetime
) -> UserEntry:
    """Return a person with the telephone number, as far as the actor may see it.

    Raises:
        Problem: 404 or 403.
    """
    subject = subject_of(session, user_id, ms_of(now))
    decision = policies.demand_sight(actor, subject, ms_of(now), "user.read")
    user = session.get(User, user_id)
    if user is None:
        raise Problem(404, "not_found")
    phone = cipher.open(user.phone, phone_place(user_id)) if user.phone else None
    posts = _posts_by_user(session, [user_id])[user_id]
    if phone:
        shown = MASKED if decision.answer is Answer.MASKED else P2
        reads_of(session).add("user", f"user:{user_id}", {shown})
    return _entry(user, posts, masked=decision.answer is Answer.MASKED, phone=phone)


def demand_there(session: Session, user_id: int) -> None:
    """Let pass what is about somebody; whoever may act everywhere must not act upon nobody.

    Raises:
        Problem: 404 for a number that nobody bears.
    """
    if session.get(User, user_id) is None:
        raise Problem(404, "not_found")


def phone_place(user_id: int) -> str:
    """Return the place to which a sealed telephone number is tied."""
    return f"user/phone/{user_id}"


def post_entry(post: Post) -> PostEntry:
    """Return a post as it is shown."""
    return PostEntry(
        post.id, post.user_id, post.role, post.area_id, post.starts, post.ends, post.reason,
        post.mode, post.covers,
    )  # fmt: skip


def _posts_by_user(session: Session, ids: Iterable[int]) -> dict[int, tuple[PostEntry, ...]]:
    rows: dict[int, list[PostEntry]] = defaultdict(list)
    query = sa.select(Post).where(Post.user_id.in_(list(ids))).order_by(Post.starts, Post.id)
    for post in session.scalars(query):
        rows[post.user_id].append(post_entry(post))
    return defaultdict(tuple, {user_id: tuple(posts) for user_id, posts in rows.items()})


def _entry(
    user: User, posts: tuple[PostEntry, ...], *, masked: bool, phone: str | None = None
) -> UserEntry:
    if masked:
        shown = rules.masked_phone(phone) if phone else None
        posts = tuple(replace(post, reason="") for post in posts)
        return UserEntry(user.id, rules.masked_name(user.name), None, user.active, posts, shown)
    return UserEntry(user.id, user.name, user.login, user.active, posts, phone)
