"""The record of a task, and the list of kinds of task (data/task_kinds.csv)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt, UTCDateTime
from app.core.evidence import asked_from
from app.core.records import P0, P1, P2, P3, Record, synced
from app.tasks.filling import ANSWERS_ASKED
from app.tasks.rules import OPEN_STATES, RANK, REMINDED_RANK, STATES, WORKFLOW
from sync.kinds import Rule, Tell
from sync.stores.tables import uuid
from sync.values import Choice, Identity, Moment, Named, Text, Truth, Whole

WORK = "organise the work / 安排工作"
PROOF = "know which photos to await / 掌握应到照片"
RESULT = "know what was done / 了解办理结果"
REMIND = "remind in time / 及时提醒"
SAME = Tell(when="unchanged", value="confirmed_at", to="last_confirmed_at")
"""A visit that found nothing changed says so of the household too, in the same act."""


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


class TaskRule(Base):
    """A task that comes again by the calendar: in each grid of an area, or at households there."""

    __tablename__ = "task_rule"

    id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), index=True)
    task_kind: Mapped[str] = mapped_column(sa.String(40))
    title: Mapped[str] = mapped_column(sa.String(120))
    instructions: Mapped[str | None] = mapped_column(sa.String(2000))
    pattern: Mapped[str] = mapped_column(sa.String(10))
    # Days of the week (1 to 7) or of the month (1 to 31), separated by commas.
    days: Mapped[str] = mapped_column(sa.String(100), default="", server_default="")
    every: Mapped[int] = mapped_column(default=1, server_default="1")
    # What falls on a day off is done on the next working day.
    shifts: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    starts: Mapped[date]
    # The last day.
    ends: Mapped[date | None]
    due_days: Mapped[int]
    assign: Mapped[str] = mapped_column(sa.String(10))
    # Only households that nobody has looked at for so many days; None: one task for each grid.
    unseen_days: Mapped[int | None]
    made_by: Mapped[int] = mapped_column(BigInt)
    made: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    made_key: Mapped[str | None] = mapped_column(sa.String(100), unique=True)


class TaskBatch(Base):
    """Tasks that were assigned in one act; how far they have come is counted from the tasks."""

    __tablename__ = "task_batch"
    __table_args__ = (sa.UniqueConstraint("rule_id", "day"),)

    id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    way: Mapped[str] = mapped_column(sa.String(10))
    # Where the tasks lie: the area that was named, or the lowest that holds all that were named.
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), index=True)
    task_kind: Mapped[str] = mapped_column(sa.String(40))
    title: Mapped[str] = mapped_column(sa.String(120))
    tasks: Mapped[int]
    # How many of them went to the pool because nobody serves the grid.
    unserved: Mapped[int]
    rule_id: Mapped[str | None] = mapped_column(uuid(), sa.ForeignKey("task_rule.id"))
    # Of a rule: the day for which they were made, once.
    day: Mapped[date | None]
    made_by: Mapped[int] = mapped_column(BigInt)
    made: Mapped[datetime] = mapped_column(UTCDateTime)
    made_key: Mapped[str | None] = mapped_column(sa.String(100), unique=True)


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
        tells=(SAME,),
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
        Identity(), refers="incident", privacy=P1, purpose=RESULT, shown_to="incident.close"
    )  # with who did the task it names the reporter
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
    done_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=RESULT
    )
    unchanged: Mapped[bool | None] = synced(Truth(), privacy=P1, purpose=RESULT)
    confirmed_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P0, purpose=RESULT
    )
    rework_count: Mapped[int | None] = synced(
        Whole(0, 1000), rule=Rule.SERVER, privacy=P0, purpose=RESULT
    )
    pool: Mapped[bool | None] = synced(Truth(), rule=Rule.SERVER, privacy=P0, purpose=WORK)
    reminded_at: Mapped[str | None] = synced(Moment(), rule=Rule.SERVER, privacy=P0, purpose=REMIND)
    batch: Mapped[str | None] = synced(
        Identity(), rule=Rule.SERVER, index=True, privacy=P0, purpose=WORK
    )

    __table_args__ = (
        sa.Index("ix_task_grid_state", "grid", "state"),
        sa.Index("ix_task_due_at", "due_at"),
        # Numbers are counted in the index alone, grid by grid.
        sa.Index("ix_task_grid_due", "grid", "deleted", "due_at", "state", "done_at"),
        sa.Index("ix_task_grid_done", "grid", "deleted", "done_at", "rework_count"),
    )

    @staticmethod
    def rank_of(values: Mapping[str, Any]) -> int:
        """Tasks come after incidents that are urgent; those that one is reminded of, first."""
        reminded = values.get("reminded_at") and values.get("state") in OPEN_STATES
        return REMINDED_RANK if reminded else RANK
