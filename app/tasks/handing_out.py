"""Hand out many tasks in one act: to whom, where, and all of them as one batch of edits.

However many there are, it takes the same few statements: the targets, who serves their grids, and
one push. Each grid learns of its tasks by one row of its feed for each of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below, below_any
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.forms.lookup import forms_of
from app.identity.models import PERMANENT, Post
from app.tasks.asking import has_declined
from app.tasks.filling import FORM, VERSION
from app.tasks.house import WholeGate, write_together
from app.tasks.models import Task
from app.tasks.rules import OPEN_STATES
from app.tasks.standing import WORKER
from sync.edits import Edit
from sync.gate import Work
from sync.stores.many import among

WORKERS, POOL = "worker", "pool"
TASKS_MAX = 10_000
"""More than the grids of the largest city we know; beyond, nobody could follow what came of it."""
SAID = frozenset({
    "grid", "household", "task_kind", "title", "instructions", "assignee", "due_at", "state",
    "round",
})  # fmt: skip

_posts, _tasks = table_of(Post), table_of(Task)
_SERVING = (
    sa.select(_posts.c.area_id, _posts.c.user_id)
    .where(
        among(_posts.c.area_id, "grids"),
        _posts.c.role == WORKER,
        _posts.c.starts <= sa.bindparam("now"),
        sa.or_(_posts.c.ends.is_(None), _posts.c.ends > sa.bindparam("now")),
    )
    .order_by(_posts.c.mode != PERMANENT, _posts.c.starts, _posts.c.id)
)


class Target(NamedTuple):
    """One thing about which a task is to be done: a grid, or a household in it."""

    grid: int
    household: str | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """What everybody is asked to do.

    Attributes:
        assign: to the worker of each grid, or to the pool.
    """

    task_kind: str
    title: str
    assign: str
    due_at: str | None = None
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Which tasks there would be, and for whom.

    Attributes:
        workers: who gets the tasks of each grid; grids that nobody serves are left out.
    """

    targets: Sequence[Target]
    workers: Mapping[int, int] = field(default_factory=dict)

    @property
    def grids(self) -> int:
        """Return in how many grids there is something to do."""
        return len({target.grid for target in self.targets})

    @property
    def unserved(self) -> int:
        """Return how many tasks lie in grids that nobody serves."""
        return sum(target.grid not in self.workers for target in self.targets)


def grids_of_area(session: Session, path: str) -> list[Target]:
    """Return all standing grids below a path, one more at most than may be handed out."""
    return grids_of_areas(session, [path])


def grids_of_areas(session: Session, paths: Sequence[str]) -> list[Target]:
    """Return all standing grids below some paths, one more at most than may be handed out."""
    found = sa.select(Area.id).where(
        below_any(paths), Area.level == GRID_LEVEL, Area.valid_until.is_(None)
    )
    return [Target(one) for one in session.scalars(found.order_by(Area.id).limit(TASKS_MAX + 1))]


def unseen_households(
    session: Session, path: str, *, task_kind: str, days: int, now: datetime
) -> list[Target]:
    """Return the households below a path that nobody has looked at for so many days.

    Those at which a task of this kind is open already are left out, and those that have just said
    no to what it asks for.
    """
    t = _households().c
    asked = sa.exists().where(
        _tasks.c.household == t.id, _tasks.c.task_kind == task_kind,
        _tasks.c.state.in_(OPEN_STATES), _tasks.c.deleted.is_(None),
    )  # fmt: skip
    long_ago = sa.or_(t.last_confirmed_at.is_(None),
                      t.last_confirmed_at < now - timedelta(days=days))  # fmt: skip
    found = (
        sa.select(t.grid, t.id)
        .join(Area, Area.id == t.grid)
        .where(
            below(path),
            t.deleted.is_(None),
            t.restricted.is_(None),
            long_ago,
            ~asked,
            ~has_declined(t.id, task_kind, now),
        )
    )
    rows = session.execute(found.order_by(t.grid, t.id).limit(TASKS_MAX + 1))
    return [Target(row.grid, row.id) for row in rows]


def households_named(session: Session, ids: Iterable[str]) -> list[Target]:
    """Return the living households of these ids, with their grids; others are left out."""
    t = _households().c
    found = (
        sa.select(t.grid, t.id)
        .where(among(t.id, "ids"), t.deleted.is_(None), t.restricted.is_(None))
        .order_by(t.id)
    )
    return [Target(row.grid, row.id) for row in session.execute(found, {"ids": list(ids)})]


def _households() -> Any:
    """Return the table of households, which belong to another feature."""
    return current_engine().tables["household"].table


def planned(session: Session, targets: Sequence[Target], now: datetime) -> Plan:
    """Say who serves the grids: who has his post for good and longest, else who covers."""
    grids = sorted({target.grid for target in targets})
    workers: dict[int, int] = {}
    for grid, user in session.connection().execute(_SERVING, {"grids": grids, "now": now}):
        workers.setdefault(grid, user)
    return Plan(targets, workers)


def hand_out(
    session: Session,
    actor: Actor,
    plan: Plan,
    errand: Errand,
    *,
    batch: str,
    by: int,
    now_ms: int,
) -> None:
    """Write all tasks of a plan as one batch; the right to it has been judged as a whole.

    Args:
        actor: through whose office device they are written.
        by: who assigns them.
    """
    edits = [
        Edit(0, "", "create", "task", new_id(), set=_said(plan, target, errand))
        for target in plan.targets
    ]

    version = forms_of(session, [errand.task_kind]).current.get(errand.task_kind)
    form = {FORM: errand.task_kind, VERSION: version} if version else {}

    def adds(one: Work) -> Mapping[str, Any]:
        free = one.edit.set.get("assignee") is None
        return {"assigned_by": by, "pool": free, "batch": batch, **form}

    if edits:
        write_together(session, actor, edits, WholeGate("create", SAID, adds), now_ms)


def _said(plan: Plan, target: Target, errand: Errand) -> dict[str, Any]:
    said: dict[str, Any] = {
        "grid": target.grid, "household": target.household, "task_kind": errand.task_kind,
        "title": errand.title, "instructions": errand.instructions, "due_at": errand.due_at,
        "assignee": plan.workers.get(target.grid) if errand.assign == WORKERS else None,
        "state": "assigned", "round": 0,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def moment(now_ms: int) -> datetime:
    """Return a moment in ms as the columns hold it."""
    return datetime.fromtimestamp(now_ms / 1000, UTC)
