"""What an order brings: edits of the office, all or none, and the tasks of its areas."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.engine import write_all_as_office
from app.core.moments import now_ms
from app.identity.policies import demand_place
from app.tasks.batches import AREA, Found, Wish, errand_of, kind_of, write_batch
from app.tasks.handing_out import TASKS_MAX, WORKERS, grids_of_areas, moment, planned
from app.tasks.models import Task
from sync.edits import Edit
from sync.errors import Problem

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


def hand_out_tasks(
    session: Session, actor: Actor, order: Mapping[str, Any], paths: Sequence[str],
    task: Mapping[str, Any],
) -> tuple[str, Sequence[str]]:  # fmt: skip
    """Give each grid below some areas a task, for one who serves there, as one batch of tasks.

    Returns:
        The batch and its tasks, by id.

    Raises:
        Problem: 403 or 404 where the actor may hand out no tasks, 422 for what cannot be one.
    """
    at_ms = now_ms()
    for path in paths:
        demand_place(actor, "task.create", path, at_ms)
    due = datetime.fromisoformat(task["due_at"]) if task.get("due_at") else None
    wish = Wish(task["task_kind"], WORKERS, task.get("title"), task.get("instructions"), due,
                area=order["county"])  # fmt: skip
    targets = grids_of_areas(session, paths)
    if len(targets) > TASKS_MAX:
        raise Problem(422, "too_many_tasks", most=TASKS_MAX)
    errand = errand_of(wish, kind_of(session, wish.task_kind), at_ms)
    found = Found(planned(session, targets, moment(at_ms)), errand, order["county"])
    batch = write_batch(session, actor, found, way=AREA, now_ms=at_ms)
    tasks = session.scalars(sa.select(Task.id).where(Task.batch == batch.id))
    return batch.id, list(tasks)
