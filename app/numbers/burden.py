"""The burden ledger: how many fields and minutes the office asks of those who do the work.

It counts what was asked, never what a person did. Minutes are an estimate from the numbers of
fields and the stated seconds below, the same for everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below
from app.core.actor import Actor
from app.core.database import table_of
from app.numbers.periods import Period, day_of, period_of
from app.numbers.services import Place, Wish, place_of
from app.tasks.models import Task, TaskKind
from sync.errors import FieldError, Problem

SECONDS_A_FIELD, SECONDS_A_PHOTO, SECONDS_A_POSITION = 15, 40, 10
FIELDS_OF_RESULT = {"form": 8, "checklist": 6, "count": 2, "receipt": 1}
"""How many fields the result of a task has, by its type."""
ORDINARY_FIELDS = 2

_task = table_of(Task)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one kind of task asked in a month."""

    code: str
    zh: str
    en: str
    tasks: int
    fields_each: int
    seconds_each: int

    @property
    def fields(self) -> int:
        """Return all fields that were asked for."""
        return self.tasks * self.fields_each

    @property
    def minutes(self) -> int:
        """Return all minutes that were asked for."""
        return round(self.tasks * self.seconds_each / 60)


@dataclass(frozen=True, slots=True)
class Burden:
    """What was asked in an area for a month."""

    area: Place
    period: Period
    kinds: Sequence[Asked]

    @property
    def minutes(self) -> int:
        """Return the minutes of all kinds."""
        return sum(one.minutes for one in self.kinds)


def burden(session: Session, actor: Actor, wish: Wish, now: datetime) -> Burden:
    """Return what was asked by tasks due in a month, kind by kind, the greatest part first.

    Raises:
        Problem: 404 for an area out of scope, 422 for a grid: its work may be one person's.
    """
    here, _ = place_of(session, actor, wish, now)
    if here.level == GRID_LEVEL:
        fault = FieldError("area", "area_too_small")
        raise Problem(422, "invalid_fields", errors=[fault.as_json()])
    period = period_of("month", wish.day or day_of(now), now)
    due = sa.and_(_task.c.due_at >= period.starts, _task.c.due_at < period.ends)
    counted = (
        sa.select(_task.c.task_kind, sa.func.count())
        .join(Area, Area.id == _task.c.grid)
        .where(below(here.path), due, _task.c.deleted.is_(None), _task.c.state != "cancelled")
        .group_by(_task.c.task_kind)
    )
    kinds = {kind.code: kind for kind in session.scalars(sa.select(TaskKind))}
    asked = [_asked(code, count, kinds.get(code)) for code, count in session.execute(counted)]
    return Burden(here, period, sorted(asked, key=lambda one: (-one.minutes, one.code)))


def _asked(code: str, count: int, kind: TaskKind | None) -> Asked:
    if kind is None:
        seconds = ORDINARY_FIELDS * SECONDS_A_FIELD
        return Asked(code, code, code, count, ORDINARY_FIELDS, seconds)
    fields = FIELDS_OF_RESULT.get(kind.result_type, ORDINARY_FIELDS)
    photos, positions = int(kind.photo == "required"), int(kind.needs_location)
    seconds = fields * SECONDS_A_FIELD + photos * SECONDS_A_PHOTO + positions * SECONDS_A_POSITION
    return Asked(code, kind.name_zh, kind.name_en, count, fields + photos + positions, seconds)
