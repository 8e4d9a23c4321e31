"""The use cases of tasks in the office."""

import csv
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.moments import as_text, now_ms
from app.office import writing
from app.tasks.models import TaskKind
from app.tasks.rules import REASON_NEEDED, WORKFLOW

MS_PER_DAY = timedelta(days=1) // timedelta(milliseconds=1)


def kinds(session: Session) -> Sequence[TaskKind]:
    """Return all kinds of task."""
    return session.scalars(sa.select(TaskKind).order_by(TaskKind.code)).all()


def create(session: Session, actor: Actor, body: Mapping[str, Any]) -> str:
    """Assign a task, due when its kind says unless told otherwise; return its id."""
    added: dict[str, Any] = {"state": "assigned", "round": 0}
    if body.get("due_at") is None:
        body = {name: value for name, value in body.items() if name != "due_at"}
        kind = session.get(TaskKind, body["task_kind"])
        if kind:
            added["due_at"] = as_text(now_ms() + kind.default_due_days * MS_PER_DAY)
    return writing.create(session, actor, "task", body, added)


def move(session: Session, actor: Actor, task: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Take a task one step on, from the version that is there now."""
    values = {key: value for key, value in body.items() if key != "reason"}
    if body.get("reason") and body["state"] in REASON_NEEDED:
        values[REASON_NEEDED[body["state"]]] = body["reason"]
    round_ = (task["round"] or 0) + (body["state"] in WORKFLOW.new_round)
    writing.change(session, actor, "task", task["id"], values, base=task["rv"], op="event",
                   added={"round": round_})  # fmt: skip


def import_kinds(session: Session, path: Path) -> int:
    """Load the kinds of task from a CSV file over what stands; return how many."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_typed(row) for row in csv.DictReader(file)]
    session.execute(sa.delete(TaskKind))
    session.execute(sa.insert(TaskKind), rows)
    return len(rows)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    numbers = ("default_due_days", "remind_before_hours", "sensitivity")
    return {
        **row, **{name: int(row[name]) for name in numbers},
        "needs_location": row["needs_location"] == "1",
    }  # fmt: skip
