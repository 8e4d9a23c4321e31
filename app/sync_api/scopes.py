"""Which scopes somebody sees: computed from dated posts at each pull, never stored."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.areas.heirs import heirs_of
from app.areas.models import Area
from app.areas.services import ancestors_of, below_any
from app.core import policy
from app.core.actor import OFFICE_ROLES, Actor
from app.core.gate import DESK
from app.identity.policies import PHONE_ROLES


def scopes_of(session: Session, actor: Actor, now_ms: int) -> list[str]:
    """Return the scopes granted at a moment: his own, the lists, his areas, his grids.

    What is meant for one role only lies in ``area:<id>:<role>``, which nobody else pulls.
    """
    posts = actor.posts_at(now_ms)
    around = {(area, post.role) for post in posts
              for area in (*ancestors_of(post.path), post.area_id)}  # fmt: skip
    above = {area for area, _ in around}
    grids = {post.area_id for post in posts if post.level == "grid"}
    wide = [
        path
        for path in policy.reach(actor, "sync.pull", now_ms).paths
        if path not in {post.path for post in posts if post.level == "grid"}
    ]
    if wide:
        rows = session.scalars(
            select(Area.id).where(below_any(wide), Area.level == "grid", Area.valid_until.is_(None))
        )
        grids |= set(rows)
    desks = sorted({post.area_id for post in posts if post.role in OFFICE_ROLES})
    return [
        f"me:{actor.user_id}", "ref",
        *(f"area:{area}" for area in sorted(above - grids)),
        *(f"area:{area}:{role}" for area, role in sorted(around)
          if area not in grids and role in PHONE_ROLES),
        *(f"{DESK}:{area}" for area in desks),
        *(f"grid:{grid}" for grid in sorted(grids)),
    ]  # fmt: skip


def lingering(session: Session, granted: Collection[str], left: Sequence[str]) -> set[str]:
    """Return the scopes of ended grids whose ground a granted grid has taken over.

    A phone keeps what they showed until it holds what takes its place.
    """
    grids = {int(scope.removeprefix("grid:")) for scope in left if scope.startswith("grid:")}
    heirs = heirs_of(session, grids) if grids else ()
    return {f"grid:{one.old}" for one in heirs
            if one.gone and one.old in grids and f"grid:{one.new}" in granted}  # fmt: skip
