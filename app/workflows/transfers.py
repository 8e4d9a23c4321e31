"""Move one household to another grid by one edit; what refers to it goes along."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below_any
from app.core import policy
from app.core.actor import Actor
from app.core.moments import now_ms
from app.households.models import Household
from app.office import writing
from app.office.reading import place_of_record
from sync.errors import FieldError, Problem

TRANSFER = "household.transfer"


def transfer(session: Session, actor: Actor, household: str, grid: int) -> Mapping[str, Any]:
    """Move a household from the version that is there now.

    Raises:
        Problem: 404, 403, 422.
    """
    # The right comes first: what is said of the grid must not tell of the household.
    shown, _ = place_of_record(session, actor, Household, household, TRANSFER)
    if not _is_near_standing_grid(session, actor, grid):
        fault = FieldError("grid", "not_a_standing_grid")
        raise Problem(422, "invalid_fields", errors=[fault.as_json()])
    return writing.change(session, actor, "household", household, {"grid": grid},
                          base=shown["rv"])  # fmt: skip


def _is_near_standing_grid(session: Session, actor: Actor, grid: int) -> bool:
    """Tell whether a grid stands in a township of the actor's; no other is told apart."""
    posts = [one for one in actor.posts_at(now_ms())
             if policy.table()[TRANSFER][one.role].letter != "-"]  # fmt: skip
    townships = tuple(policy.anchor(one, "t") for one in posts)
    standing = sa.select(Area.id).where(
        Area.id == grid, Area.level == GRID_LEVEL, Area.valid_until.is_(None),
        below_any(townships),
    )  # fmt: skip
    return session.execute(standing).first() is not None
