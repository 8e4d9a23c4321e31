"""Grids that wait for the office: below a unit that has ended, or ended and still holding records.

The rule: a grid whose village ends stays served, by the same people, until the office merges it
into another one or an edition hangs it below a unit that stands. Nothing is moved by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import names_of
from app.core.engine import Engine
from app.identity.models import Post
from app.workflows.touched import counts

UNDER_ENDED, ENDED = "under_ended", "ended"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A grid that somebody in the office should look at.

    Attributes:
        fault: ``under_ended`` when the unit above it has ended, ``ended`` when itself.
    """

    grid: int
    name: str
    fault: str
    records: int
    workers: int


def orphans(session: Session, engine: Engine, now: datetime) -> Sequence[Orphan]:
    """Return the grids that wait for the office, by id; a constant number of statements."""
    above = aliased(Area)
    rows = session.execute(
        sa.select(Area.id, Area.valid_until)
        .join(above, above.id == Area.parent_id)
        .where(Area.level == GRID_LEVEL,
               sa.or_(Area.valid_until.is_not(None), above.valid_until.is_not(None)))
        .order_by(Area.id)
    ).all()  # fmt: skip
    faults = {grid: UNDER_ENDED if until is None else ENDED for grid, until in rows}
    records = {grid: sum(some.values()) for grid, some in counts(session, engine, faults).items()}
    workers = _workers(session, list(faults), now)
    names = names_of(session, faults)
    return [
        Orphan(grid, names.get(grid, str(grid)), fault, records[grid], workers.get(grid, 0))
        for grid, fault in faults.items()
        if fault == UNDER_ENDED or records[grid]
    ]


def _workers(session: Session, grids: Sequence[int], now: datetime) -> dict[int, int]:
    stands = sa.or_(Post.ends.is_(None), Post.ends > now)
    rows = session.execute(
        sa.select(Post.area_id, sa.func.count(sa.distinct(Post.user_id)))
        .where(Post.area_id.in_(grids), stands)
        .group_by(Post.area_id)
    )
    return dict(rows.all())
