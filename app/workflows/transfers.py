"""Move one household to another grid by one edit; what refers to it goes along."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.core.actor import Actor
from app.core.records import living
from app.households.models import Household
from app.office import writing
from sync.errors import FieldError, Problem


def transfer(session: Session, actor: Actor, household: str, grid: int) -> Mapping[str, Any]:
    """Move a household from the version that is there now.

    Raises:
        Problem: 404, 403, 422.
    """
    rv = session.execute(
        sa.select(Household.rv).where(Household.id == household, living(Household))
    ).scalar()
    if rv is None:
        raise Problem(404, "not_found")
    standing = session.execute(
        sa.select(Area.id).where(
            Area.id == grid, Area.level == GRID_LEVEL, Area.valid_until.is_(None)
        )
    ).first()
    if standing is None:
        fault = FieldError("grid", "not_a_standing_grid")
        raise Problem(422, "invalid_fields", errors=[fault.as_json()])
    return writing.change(session, actor, "household", household, {"grid": grid}, base=rv)
