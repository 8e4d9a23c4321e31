"""The use cases of tasks that are assigned in one act: preview, create, cancel, roll up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.rules import path_ids
from app.areas.services import below, below_any, names_of, paths_of
from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import lock_rows
from app.core.engine import office_device
from app.core.identifiers import new_id
from app.core.moments import as_text, now_ms
from app.core.pagination import after
from app.core.span import as_house
from app.identity.policies import demand_place
from app.tasks.asking import declining
from app.tasks.handing_out import (
    TASKS_MAX,
    Errand,
    Plan,
    Target,
    grids_of_area,
    hand_out,
    households_named,
    moment,
    planned,
    unseen_households,
)
from app.tasks.house import WholeGate, write_together
from app.tasks.models import Task, TaskBatch, TaskKind
from app.tasks.rules import OPEN_STATES, STATES
from sync.edits import Edit
from sync.errors import FieldError, Problem

GRIDS, HOUSEHOLDS, AREA, UNSEEN = "grids", "households", "area", "unseen"
WAYS = (GRIDS, HOUSEHOLDS, AREA, UNSEEN)
CANCELLABLE = (*OPEN_STATES, "declined")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of whom; exactly one of area, grids and households says where.

    Attributes:
        unseen_days: within the area, only the households that nobody has seen for so long.
    """

    task_kind: str
    assign: str
    title: str | None = None
    instructions: str | None = None
    due_at: datetime | None = None
    area: int | None = None
    grids: tuple[int, ...] = ()
    households: tuple[str, ...] = ()
    unseen_days: int | None = None

    @property
    def way(self) -> str:
        """Return by which of the ways the tasks are found."""
        if self.area is None:
            return GRIDS if self.grids else HOUSEHOLDS
        return AREA if self.unseen_days is None else UNSEEN


@dataclass(frozen=True, slots=True)
class Found:
    """Where the tasks of a wish would be, and what they would be."""

    plan: Plan
    errand: Errand
    area_id: int


def preview(session: Session, actor: Actor, wish: Wish) -> Mapping[str, int]:
    """Count the tasks that a wish would make, and make none.

    Raises:
        Problem: 404, 403 or 422, as when they are made.
    """
    plan = _found(session, actor, wish, now_ms()).plan
    return {"tasks": len(plan.targets), "grids": plan.grids, "unserved": plan.unserved}


def create(session: Session, actor: Actor, wish: Wish, *, key: str | None) -> TaskBatch:
    """Hand out all tasks of a wish; the same key again returns the same batch.

    Raises:
        Problem: 404, 403, 409 or 422.
    """
    made_key = f"{actor.user_id}:{key}" if key else None
    # One person's requests wait for each other here, so a key is never taken twice at once.
    office_device(session, actor)
    known = _known(session, made_key)
    if known is not None:
        if (known.way, known.task_kind) != (wish.way, wish.task_kind):
            raise Problem(409, "edit_id_reused")
        return known
    at_ms = now_ms()
    found = _found(session, actor, wish, at_ms)
    batch = write_batch(session, actor, found, way=wish.way, now_ms=at_ms, made_key=made_key)
    audit.record(session, "tasks.assigned", user_id=actor.user_id, subject=f"batch:{batch.id}",
                 area=found.area_id, tasks=batch.tasks)  # fmt: skip
    return batch


def write_batch(
    session: Session,
    actor: Actor,
    found: Found,
    *,
    way: str,
    now_ms: int,
    by: int | None = None,
    made_key: str | None = None,
    rule: str | None = None,
    day: date | None = None,
) -> TaskBatch:
    """Write a batch with its tasks, in a constant number of statements.

    Args:
        actor: through whose office device the tasks are written.
        by: who assigns them, when that is somebody else.
    """
    by = actor.user_id if by is None else by
    plan, errand = found.plan, found.errand
    batch = TaskBatch(
        id=new_id(), way=way, area_id=found.area_id, task_kind=errand.task_kind,
        title=errand.title, tasks=len(plan.targets), unserved=plan.unserved,
        rule_id=rule, day=day, made_by=by, made=moment(now_ms), made_key=made_key,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    hand_out(session, actor, plan, errand, batch=batch.id, by=by, now_ms=now_ms)
    return batch


def _known(session: Session, made_key: str | None) -> TaskBatch | None:
    if made_key is None:
        return None
    return session.scalars(sa.select(TaskBatch).where(TaskBatch.made_key == made_key)).first()


# -- finding -----------------------------------------------------------------------------------


def _found(session: Session, actor: Actor, wish: Wish, at_ms: int) -> Found:
    kind = kind_of(session, wish.task_kind)
    targets, paths = _targets(session, actor, wish, moment(at_ms))
    if len(targets) > TASKS_MAX:
        raise Problem(422, "too_many_tasks", most=TASKS_MAX)
    if not targets:
        raise Problem(422, "nothing_to_assign")
    return Found(
        planned(session, targets, moment(at_ms)), errand_of(wish, kind, at_ms), _common(paths)
    )


def errand_of(wish: Wish, kind: TaskKind, at_ms: int) -> Errand:
    """Return what everybody is asked to do; what the wish leaves open, the kind of task says."""
    due = wish.due_at or moment(at_ms) + timedelta(days=kind.default_due_days)
    due_text = as_text(int(due.timestamp() * 1000))
    return Errand(kind.code, wish.title or kind.name_zh, wish.assign, due_text, wish.instructions)


def targets_of_area(session: Session, path: str, wish: Wish, now: datetime) -> list[Target]:
    """Return the targets of a wish below a path."""
    if wish.unseen_days is None:
        return grids_of_area(session, path)
    return unseen_households(session, path, task_kind=wish.task_kind, days=wish.unseen_days,
                             now=now)  # fmt: skip


def _targets(
    session: Session, actor: Actor, wish: Wish, now: datetime
) -> tuple[list[Target], list[str]]:
    """Return the targets with the paths that hold them, if the actor may assign tasks there."""
    at_ms = int(now.timestamp() * 1000)
    if wish.area is not None:
        path = paths_of(session, [wish.area]).get(wish.area)
        demand_place(actor, "task.create", path, at_ms)
        assert path is not None, "nobody may act in an area that is not there"
        return targets_of_area(session, path, wish, now), [path]
    if wish.households:
        targets = households_named(session, wish.households)
        missing = len(set(wish.households)) - len(targets)
    else:
        targets, missing = [Target(one) for one in sorted(set(wish.grids))], 0
    grids = _standing(session, {target.grid for target in targets})
    _demand_all(actor, targets, grids, at_ms)
    if missing:
        raise Problem(404, "not_found")
    targets = _willing(session, targets, wish.task_kind, now)
    return targets, sorted(set(grids.values()))


def _willing(
    session: Session, targets: list[Target], task_kind: str, now: datetime
) -> list[Target]:
    """Leave out the households that have just said no to what a kind of task asks for.

    Raises:
        Problem: 422 ``households_declined``: none is left.
    """
    homes = [(one.household, task_kind) for one in targets if one.household]
    no = {household for household, _ in declining(session, homes, now)}
    willing = [one for one in targets if one.household not in no]
    if targets and not willing:
        raise Problem(422, "households_declined", households=len(no))
    return willing


def _standing(session: Session, grids: set[int]) -> dict[int, str]:
    """Return the paths of those areas that are standing grids."""
    rows = session.execute(
        sa.select(Area.id, Area.path).where(
            Area.id.in_(grids), Area.level == "grid", Area.valid_until.is_(None)
        )
    )
    return {row.id: row.path for row in rows}


def _demand_all(
    actor: Actor, targets: Sequence[Target], paths: Mapping[int, str], at_ms: int
) -> None:
    for grid in {target.grid for target in targets}:
        demand_place(actor, "task.create", paths.get(grid), at_ms)


def _common(paths: Sequence[str]) -> int:
    """Return the lowest area that holds all of these paths."""
    ids = [path_ids(path) for path in paths]
    shared = [level[0] for level in zip(*ids, strict=False) if len(set(level)) == 1]
    return shared[-1]


def kind_of(session: Session, code: str) -> TaskKind:
    """Return a kind of task.

    Raises:
        Problem: 422, there is none of this code.
    """
    kind = session.get(TaskKind, code)
    if kind is None:
        errors = [FieldError("task_kind", "unknown_code").as_json()]
        raise Problem(422, "invalid_fields", errors=errors)
    return kind


# -- taking back -------------------------------------------------------------------------------


def cancel(session: Session, actor: Actor, batch_id: str, reason: str) -> int:
    """Cancel the tasks of a batch that nobody has done yet; return how many.

    Raises:
        Problem: 404 or 403.
    """
    batch = session.get(TaskBatch, batch_id)
    path = paths_of(session, [batch.area_id]).get(batch.area_id) if batch else None
    demand_place(actor, "task.cancel", path, now_ms())
    # The device before the tasks, as every push takes its locks.
    office_device(session, actor)
    waiting: Any = sa.select(Task.id, Task.rv, Task.round).where(
        Task.batch == batch_id, Task.state.in_(CANCELLABLE), Task.deleted.is_(None)
    )
    with as_house():  # to lock is to write, which nobody does in his own span
        rows = session.execute(lock_rows(waiting.order_by(Task.id))).all()
    edits = [
        Edit(0, "", "event", "task", row.id, row.rv,
             {"state": "cancelled", "round": row.round or 0, "cancel_reason": reason})
        for row in rows
    ]  # fmt: skip
    if edits:
        gate = WholeGate("event", frozenset({"state", "round", "cancel_reason"}))
        write_together(session, actor, edits, gate, now_ms())
    audit.record(session, "tasks.cancelled", user_id=actor.user_id, subject=f"batch:{batch_id}",
                 tasks=len(edits))  # fmt: skip
    return len(edits)


# -- looking -----------------------------------------------------------------------------------


def listed(session: Session, actor: Actor, *, limit: int, cursor: str | None) -> list[TaskBatch]:
    """Return the batches that lie where the actor may list tasks, one more than a page holds."""
    reach = policy.reach(actor, "task.list", now_ms())
    where = sa.true() if reach.everything else TaskBatch.area_id.in_(
        sa.select(Area.id).where(below_any(reach.paths))
    )  # fmt: skip
    found = sa.select(TaskBatch).where(where, after([TaskBatch.id], cursor))
    return list(session.scalars(found.order_by(TaskBatch.id).limit(limit + 1)))


def rolled_up(session: Session, actor: Actor, batch_id: str, area: int | None) -> Mapping[str, Any]:
    """Say how far the tasks of a batch have come: by state, for each area right below one.

    Args:
        area: whose children are shown; without it, the area of the batch itself.

    Raises:
        Problem: 404 or 403.
    """
    batch = session.get(TaskBatch, batch_id)
    whole = batch.area_id if batch else 0
    place = whole if area is None else area
    paths = paths_of(session, [place, whole])
    path, at_ms = paths.get(place), now_ms()
    demand_place(actor, "task.list", path, at_ms)
    counts = _counts(session, batch_id, path) if batch and path else {}
    if batch is None or not (counts or _reaches(actor, paths.get(whole), at_ms)):
        raise Problem(404, "not_found")
    names = names_of(session, counts)
    rows: list[dict[str, Any]] = [
        {"area_id": child, "name": names.get(child, ""), "states": states,
         "tasks": sum(states.values())}
        for child, states in sorted(counts.items())
    ]  # fmt: skip
    total = {state: sum(row["states"].get(state, 0) for row in rows) for state in STATES}
    return {"batch": batch, "area_id": place, "below": rows,
            "states": {state: number for state, number in total.items() if number}}  # fmt: skip


def _reaches(actor: Actor, path: str | None, at_ms: int) -> bool:
    """Tell whether all of an area lies where somebody may list tasks."""
    reach = policy.reach(actor, "task.list", at_ms)
    return reach.everything or (path or "").startswith(reach.paths)


def _counts(session: Session, batch_id: str, path: str) -> dict[int, dict[str, int]]:
    """Count tasks by the area right below a path that holds them, and by state: one statement."""
    position = sa.func.instr if session.info["database"].is_sqlite else sa.func.strpos
    rest = sa.func.substr(Area.path, len(path) + 1)
    child = sa.case((rest == "", ""), else_=sa.func.substr(rest, 1, position(rest, ".") - 1))
    each = (
        sa.select(child.label("child"), Task.state)
        .join(Area, Area.id == Task.grid)
        .where(Task.batch == batch_id, Task.deleted.is_(None), below(path))
        .subquery()
    )
    rows = session.execute(
        sa.select(each.c.child, each.c.state, sa.func.count()).group_by(each.c.child, each.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for name, state, number in rows:
        found.setdefault(int(name or path_ids(path)[-1]), {})[state] = number
    return found
