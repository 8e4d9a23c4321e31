"""Carry posts over from grids that end to those that take their place."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.identity.models import Post

ALL, MAIN, NONE = "all", "main", "none"
WAYS = (ALL, MAIN, NONE)


def carry_posts(
    session: Session,
    heirs: Mapping[int, Sequence[int]],
    *,
    ended: Iterable[int],
    told: Mapping[int, Sequence[int]],
    made_by: int,
    now: datetime,
) -> tuple[int, int]:
    """End the posts of grids that end, and give their holders the like where they are told to go.

    Nobody gets a post that he holds already for the same time.

    Args:
        heirs: for each former grid, the grids where its people go on, unless told otherwise.
        told: for a person, the grids where he goes on.

    Returns:
        How many posts ended, and how many were given.
    """
    sources = sorted(heirs)
    stands = sa.or_(Post.ends.is_(None), Post.ends > now)
    held = session.scalars(sa.select(Post).where(Post.area_id.in_(sources), stands)).all()
    targets = sorted({one for some in (*heirs.values(), *told.values()) for one in some})
    there = session.scalars(sa.select(Post).where(Post.area_id.in_(targets), stands)).all()
    known = {(one.user_id, one.role, one.area_id) for one in there if one.ends is None}
    made = 0
    for post in held:
        for area in told.get(post.user_id, heirs[post.area_id]):
            if (post.user_id, post.role, area) not in known:
                session.add(_like(post, area, made_by, now))
                known.add((post.user_id, post.role, area))
                made += 1
    gone = set(ended)
    ending = [post for post in held if post.area_id in gone]
    for post in ending:
        post.ends = max(post.starts, now)
    session.flush()
    return len(ending), made


def _like(post: Post, area: int, made_by: int, now: datetime) -> Post:
    return Post(
        user_id=post.user_id, role=post.role, area_id=area, starts=max(post.starts, now),
        ends=post.ends, reason=post.reason, mode=post.mode, covers=post.covers, made_by=made_by,
    )  # fmt: skip
