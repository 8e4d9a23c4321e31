"""What a regridding touches: records by kind and grid, workers, phones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.rules import path_ids
from app.areas.services import paths_of
from app.core.engine import Engine
from app.identity.models import Enrolment, Post
from app.identity.policies import PHONE_ROLES

Counts = Mapping[int, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Touched:
    """How much lies in some grids, and who holds copies of it.

    Attributes:
        records: by grid and kind, living ones.
        phones: enrolled phones whose scopes hold one of the grids.
        workers: people with a post there now or later.
    """

    records: Counts
    phones: int
    workers: int


def touched(session: Session, engine: Engine, grids: Iterable[int], now: datetime) -> Touched:
    """Count, with one statement for each kind and two for people."""
    ids = sorted(grids)
    above = {area for path in paths_of(session, ids).values() for area in path_ids(path)}
    stands = sa.or_(Post.ends.is_(None), Post.ends > now)
    holders = sa.select(Post.user_id).where(
        Post.area_id.in_(above), Post.role.in_(PHONE_ROLES), Post.starts <= now, stands
    )
    phones = sa.select(sa.func.count()).select_from(Enrolment).where(
        Enrolment.user_id.in_(holders), Enrolment.revoked_at.is_(None)
    )  # fmt: skip
    workers = sa.select(sa.func.count(sa.distinct(Post.user_id))).where(
        Post.area_id.in_(ids), stands
    )
    return Touched(
        counts(session, engine, ids),
        session.execute(phones).scalar_one(),
        session.execute(workers).scalar_one(),
    )


def counts(session: Session, engine: Engine, grids: Iterable[int]) -> Counts:
    """Return how many living records of each kind lie in each grid."""
    found: dict[int, dict[str, int]] = {grid: {} for grid in grids}
    for name, table in sorted(engine.tables.items()):
        if "grid" not in table.table.c:
            continue
        t = table.table.c
        rows = session.execute(
            sa.select(t.grid, sa.func.count())
            .where(t.grid.in_(list(found)), t.deleted.is_(None))
            .group_by(t.grid)
        )
        for grid, number in rows:
            found[grid][name] = number
    return found
