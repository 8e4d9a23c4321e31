"""One task for each grid of some areas, in as many statements whatever their number."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below_any
from app.core.actor import Actor
from app.core.engine import current_engine, write_all_as_office
from app.core.identifiers import new_id
from app.identity.models import Post
from sync.edits import Edit
from sync.errors import Problem

WORKER = "gw"
BATCH = 1_000


def write_all(session: Session, actor: Actor, edits: Sequence[Edit]) -> None:
    """Write edits of the office, all of them or none.

    Raises:
        Problem: 422 with the code of the first that was refused.
    """
    for start in range(0, len(edits), BATCH):
        for receipt in write_all_as_office(session, actor, edits[start : start + BATCH]):
            if receipt.get("code"):
                more = {"errors": list(receipt["errors"])} if receipt.get("errors") else {}
                raise Problem(422, receipt["code"], **more)


def fan_out(
    session: Session, actor: Actor, paths: Sequence[str], task: Mapping[str, Any]
) -> list[str]:
    """Give each grid below some areas a task, for one who serves there; return their ids."""
    kind = current_engine().kinds.by_name["task"]
    edits = [
        Edit(0, "", "create", kind.name, new_id(), schema=kind.schema,
             set={**task, "grid": grid, "assignee": worker, "state": "assigned", "round": 0})
        for grid, worker in _grids(session, paths)
    ]  # fmt: skip
    write_all(session, actor, edits)
    return [edit.rec for edit in edits]


def _grids(session: Session, paths: Sequence[str]) -> Sequence[Any]:
    """Return the standing grids with one worker each, None where nobody serves."""
    now = datetime.now(UTC)
    serving = sa.and_(
        Post.area_id == Area.id, Post.role == WORKER, Post.starts <= now,
        sa.or_(Post.ends.is_(None), Post.ends > now),
    )  # fmt: skip
    return session.execute(
        sa.select(Area.id, sa.func.min(Post.user_id))
        .select_from(Area)
        .outerjoin(Post, serving)
        .where(below_any(paths), Area.level == GRID_LEVEL, Area.valid_until.is_(None))
        .group_by(Area.id)
        .order_by(Area.id)
    ).all()
