"""The record of a task, and the list of kinds of task (data/task_kinds.csv)."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base
from app.core.evidence import asked_from
from app.core.records import P0, P1, P2, P3, Record, synced
from app.tasks.filling import ANSWERS_ASKED
from app.tasks.rules import STATES, WORKFLOW
from sync.kinds import Rule
from sync.values import Choice, Identity, Moment, Named, Text, Whole

WORK = "organise the work / 安排工作"
PROOF = "know which photos to await / 掌握应到照片"
RESULT = "know what was done / 了解办理结果"
RANK = 30


class TaskKind(Base):
    """What workers are asked to do: a code list that each county may change."""

    __tablename__ = "task_kind"

    code: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    name_zh: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(80))
    pattern: Mapped[str] = mapped_column(sa.String(20))
    target: Mapped[str] = mapped_column(sa.String(20))
    default_due_days: Mapped[int]
    remind_before_hours: Mapped[int]
    result_type: Mapped[str] = mapped_column(sa.String(20))
    needs_location: Mapped[bool]
    sensitivity: Mapped[int]
    photo: Mapped[str] = mapped_column(sa.String(10))
    note: Mapped[str] = mapped_column(sa.String(200))


class Task(Record):
    """Something a worker is asked to do in one grid."""

    __tablename__ = "task"
    kind = "task"
    upcasters = (asked_from("done"), ANSWERS_ASKED)
    workflow = WORKFLOW

    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.OFFICE, required=True, privacy=P0, purpose=WORK
    )
    task_kind: Mapped[str | None] = synced(
        Text(40, 1), rule=Rule.OFFICE, required=True, privacy=P0, purpose=WORK
    )
    title: Mapped[str | None] = synced(
        Text(120, 1), rule=Rule.OFFICE, required=True, privacy=P1, purpose=WORK
    )
    instructions: Mapped[str | None] = synced(
        Text(2000), rule=Rule.OFFICE, privacy=P1, purpose=WORK
    )
    assignee: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.OFFICE, privacy=P1, purpose=WORK, index=True
    )
    due_at: Mapped[str | None] = synced(Moment(), rule=Rule.OFFICE, privacy=P0, purpose=WORK)
    household: Mapped[str | None] = synced(
        Identity(),
        rule=Rule.OFFICE,
        refers="household",
        follows=("grid",),
        index=True,
        privacy=P1,
        purpose=WORK,
    )
    incident: Mapped[str | None] = synced(
        Identity(),
        rule=Rule.OFFICE,
        refers="incident",
        follows=("grid",),
        index=True,
        privacy=P1,
        purpose=WORK,
    )
    form: Mapped[str | None] = synced(
        Text(40, 1), rule=Rule.OFFICE, group="form", privacy=P0, purpose=WORK
    )
    form_version: Mapped[int | None] = synced(
        Whole(1, 1_000_000), rule=Rule.OFFICE, group="form", privacy=P0, purpose=WORK
    )
    state: Mapped[str | None] = synced(
        Choice(STATES),
        rule=Rule.WORKFLOW,
        group="progress",
        required=True,
        privacy=P0,
        purpose=WORK,
    )
    round: Mapped[int | None] = synced(
        Whole(0, 1000), rule=Rule.WORKFLOW, group="progress", privacy=P0, purpose=WORK
    )
    report_text: Mapped[str | None] = synced(
        Text(2000), rule=Rule.TEXT, privacy=P2, purpose=RESULT, retention="24 months"
    )
    report_count: Mapped[int | None] = synced(
        Whole(0, 100_000), rule=Rule.COUNTER, privacy=P0, purpose=RESULT
    )
    photo_count: Mapped[int | None] = synced(Whole(0, 20), privacy=P0, purpose=PROOF)
    no_photo_reason: Mapped[str | None] = synced(Text(200), privacy=P1, purpose=PROOF)
    answers: Mapped[str | None] = synced(
        Named(200, 32_768),
        rule=Rule.OPEN,
        sealed=True,
        privacy=P3,
        purpose=RESULT,
        retention="24 months",
    )
    no_answers_reason: Mapped[str | None] = synced(Text(200), privacy=P1, purpose=RESULT)
    raised_incident: Mapped[str | None] = synced(
        Identity(), refers="incident", privacy=P1, purpose=RESULT
    )
    decline_reason: Mapped[str | None] = synced(Text(500), privacy=P1, purpose=WORK)
    return_reason: Mapped[str | None] = synced(
        Text(500), rule=Rule.OFFICE, privacy=P1, purpose=WORK
    )
    cancel_reason: Mapped[str | None] = synced(
        Text(500), rule=Rule.OFFICE, privacy=P1, purpose=WORK
    )
    assigned_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=WORK
    )
    done_at: Mapped[str | None] = synced(Moment(), rule=Rule.SERVER, privacy=P0, purpose=RESULT)

    __table_args__ = (
        sa.Index("ix_task_grid_state", "grid", "state"),
        sa.Index("ix_task_due_at", "due_at"),
        # Numbers are counted in the index alone, grid by grid.
        sa.Index("ix_task_grid_due", "grid", "deleted", "due_at", "state", "done_at"),
        sa.Index("ix_task_grid_done", "grid", "deleted", "done_at", "return_reason"),
    )

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Tasks come right after urgent incidents."""
        return RANK
