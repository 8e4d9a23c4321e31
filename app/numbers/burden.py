"""The burden ledger: how many fields and minutes the office asks of those who do the work.

It counts what was asked, never what a person did. Minutes are an estimate from the numbers of
fields and the stated seconds below, the same for everybody. The number of fields is that of the
form's own questions; beside it stands how many of them have an answer, so that a form whose
questions nobody answers shows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.forms.lookup import Forms, forms_of
from app.numbers.hiding import SMALLEST
from app.numbers.periods import Period, day_of, period_of
from app.numbers.services import Place, Wish, place_of
from app.tasks.models import Task, TaskKind
from sync.errors import FieldError, Problem

SECONDS_A_FIELD, SECONDS_A_PHOTO, SECONDS_A_POSITION = 15, 40, 10
FIELDS_OF_RESULT = {"form": 8, "checklist": 6, "count": 2, "receipt": 1}
"""How many fields the result of a task without a form has, by its type."""
ORDINARY_FIELDS = 2
DONE = ("done", "verified")
WIDE = ("city", "county")
"""Above a township there are too many answers to look at."""
TASKS_MAX = 50_000

_task = table_of(Task)


class Cost(NamedTuple):
    """What one task asks for."""

    fields: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What one kind of task asked in a month.

    Attributes:
        fields: all that was asked for: of a task with a form, the questions of its version.
        answered: answers in the forms of those that are done; None where it is not told.
    """

    code: str
    zh: str
    en: str
    tasks: int
    fields: int
    seconds: int
    answered: int | None

    @property
    def fields_each(self) -> int:
        """Return how many fields one of them asked for, on the average."""
        return round(self.fields / self.tasks) if self.tasks else 0

    @property
    def seconds_each(self) -> int:
        """Return how long one of them takes, on the average."""
        return round(self.seconds / self.tasks) if self.tasks else 0

    @property
    def minutes(self) -> int:
        """Return all minutes that were asked for."""
        return round(self.seconds / 60)


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
    lying = (below(here.path), due, _task.c.deleted.is_(None), _task.c.state != "cancelled")
    counted = session.execute(
        sa.select(_task.c.task_kind, _task.c.form, _task.c.form_version, sa.func.count())
        .join(Area, Area.id == _task.c.grid)
        .where(*lying)
        .group_by(_task.c.task_kind, _task.c.form, _task.c.form_version)
    ).all()
    kinds = {kind.code: kind for kind in session.scalars(sa.select(TaskKind))}
    forms = forms_of(session, {row.form for row in counted if row.form})
    answered = {} if here.level in WIDE else _answered(session, lying, forms)
    by_kind: dict[str, list[tuple[int, Cost]]] = {}
    for code, form, version, count in counted:
        questions = _questions(forms, form, version)
        by_kind.setdefault(code, []).append((count, cost(kinds.get(code), questions)))
    asked = [_asked(code, kinds.get(code), parts, answered.get(code))
             for code, parts in by_kind.items()]  # fmt: skip
    return Burden(here, period, sorted(asked, key=lambda one: (-one.minutes, one.code)))


def _questions(forms: Forms, form: str | None, version: int | None) -> int | None:
    """Return how many questions a version of a form asks; None where there is no form."""
    return len(_asked_names(forms, form, version)) or None


def _asked_names(forms: Forms, form: str | None, version: int | None) -> list[str]:
    found = forms.get(form, version) if form and version else None
    return [one.name for one in found.questions if one.asks] if found else []


def cost(kind: TaskKind | None, questions: int | None) -> Cost:
    """Return the fields and seconds that one task asks for.

    Args:
        questions: of its form; without one they are taken from the type of its result.
    """
    usual = FIELDS_OF_RESULT.get(kind.result_type, ORDINARY_FIELDS) if kind else ORDINARY_FIELDS
    fields = usual if questions is None else questions
    photos = int(kind is not None and kind.photo == "required")
    positions = int(kind is not None and bool(kind.needs_location))
    seconds = fields * SECONDS_A_FIELD + photos * SECONDS_A_PHOTO + positions * SECONDS_A_POSITION
    return Cost(fields + photos + positions, seconds)


def _answered(
    session: Session, lying: Sequence[sa.ColumnElement[bool]], forms: Forms
) -> dict[str, int]:
    """Count the answers in the forms of tasks that are done, of kinds with five of them or more."""
    rows = session.execute(
        sa.select(_task.c.id, _task.c.task_kind, _task.c.form, _task.c.form_version, _task.c.body)
        .join(Area, Area.id == _task.c.grid)
        .where(*lying, _task.c.state.in_(DONE), _task.c.form.is_not(None))
        .limit(TASKS_MAX)
    )
    seal = current_engine().seal
    found: dict[str, list[int]] = {}
    for row in rows:
        answers = json.loads(seal.open(Task.kind, row.id, row.body)).get("answers") or {}
        names = _asked_names(forms, row.form, row.form_version)
        said = sum(answers.get(name) is not None for name in names)
        found.setdefault(row.task_kind, []).append(said)
    return {code: sum(counts) for code, counts in found.items() if len(counts) >= SMALLEST}


def _asked(
    code: str, kind: TaskKind | None, parts: Sequence[tuple[int, Cost]], answered: int | None
) -> Asked:
    tasks = sum(count for count, _ in parts)
    fields = sum(count * one.fields for count, one in parts)
    seconds = sum(count * one.seconds for count, one in parts)
    names = (kind.name_zh, kind.name_en) if kind else (code, code)
    return Asked(code, *names, tasks, fields, seconds, answered)
