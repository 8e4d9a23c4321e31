"""Marks for review: work that was closed in a burst, or at once. They lie on work, never on people.

A mark says that somebody should look at these tasks; often there is a good reason (a round of ten
doors, written down in the evening). It is not added up for anybody.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.core.records import sync_tables
from app.numbers.periods import day_of, period_of
from app.numbers.services import Wish, may_list, place_of
from app.tasks.models import Task
from sync.errors import FieldError, Problem
from sync.stores.many import among

BURST, AT_ONCE = "burst", "at_once"
BURST_COUNT = 10
BURST_WITHIN = timedelta(minutes=5)
AT_ONCE_MS = 10_000
TASKS_MAX = 10_000
TOO_WIDE = ("city", "county")

_task, _ledger = table_of(Task), sync_tables.ledger
_STEPS = sa.select(_ledger.c.edit, _ledger.c.rec, _ledger.c.ms, _ledger.c.body).where(
    among(_ledger.c.rec, "ids"), _ledger.c.kind == Task.kind, _ledger.c.op == "event"
)


@dataclass(frozen=True, slots=True)
class Done:
    """A task and when it was done."""

    id: str
    grid: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """Tasks of one grid that somebody should look at.

    Attributes:
        tasks: their ids; none for those who may not see tasks there.
    """

    mark: str
    area: int
    first: datetime
    last: datetime
    count: int
    tasks: Sequence[str]


def marks(session: Session, actor: Actor, wish: Wish, now: datetime) -> list[Mark]:
    """Return the marks of a day in a township or a part of one, by grid and time.

    Raises:
        Problem: 404 for an area out of scope, 422 for one that is too wide.
    """
    here, _ = place_of(session, actor, wish, now)
    if here.level in TOO_WIDE:
        fault = FieldError("area", "area_too_wide")
        raise Problem(422, "invalid_fields", errors=[fault.as_json()])
    period = period_of("day", wish.day or day_of(now), now)
    rows = session.execute(
        sa.select(_task.c.id, _task.c.grid, _task.c.done_at)
        .join(Area, Area.id == _task.c.grid)
        .where(below(here.path), _task.c.deleted.is_(None),
               _task.c.done_at >= period.starts, _task.c.done_at < period.ends)
        .order_by(_task.c.grid, _task.c.done_at, _task.c.id)
        .limit(TASKS_MAX)
    )  # fmt: skip
    done = [Done(row.id, row.grid, row.done_at) for row in rows]
    found = [*bursts(done), *at_once(done, _taken_ms(session, [one.id for one in done]))]
    shown = may_list(actor, "task.list", here, now)
    return [_as_mark(kind, some, shown=shown) for kind, some in
            sorted(found, key=lambda one: (one[1][0].grid, one[1][0].at, one[0]))]  # fmt: skip


def bursts(done: Sequence[Done]) -> Iterator[tuple[str, Sequence[Done]]]:
    """Yield runs of tasks of one grid of which any ten were done within five minutes.

    Args:
        done: by grid and time.
    """
    by_grid: dict[int, list[Done]] = defaultdict(list)
    for one in done:
        by_grid[one.grid].append(one)
    for tasks in by_grid.values():
        yield from ((BURST, run) for run in _runs(tasks))


def _runs(tasks: Sequence[Done]) -> Iterator[Sequence[Done]]:
    """Yield the stretches that consist of overlapping windows of ten within five minutes."""
    start = end = None
    for at in range(len(tasks) - BURST_COUNT + 1):
        last = at + BURST_COUNT
        if tasks[last - 1].at - tasks[at].at > BURST_WITHIN:
            continue
        if start is not None and end is not None and at >= end:
            yield tasks[start:end]
            start = None
        start, end = at if start is None else start, last
    if start is not None:
        yield tasks[start:end]


def at_once(
    done: Sequence[Done], taken_ms: Mapping[str, int]
) -> Iterator[tuple[str, Sequence[Done]]]:
    """Yield the tasks that were done within seconds of being taken up."""
    for one in done:
        taken = taken_ms.get(one.id)
        if taken is not None and 0 <= one.at.timestamp() * 1000 - taken <= AT_ONCE_MS:
            yield AT_ONCE, [one]


def _taken_ms(session: Session, tasks: Sequence[str]) -> dict[str, int]:
    """Return when each task was first accepted, as far as its history is still there."""
    seal = current_engine().seal
    taken: dict[str, int] = {}
    if not tasks:
        return taken
    for row in session.connection().execute(_STEPS, {"ids": list(tasks)}):
        body: Mapping[str, Any] = json.loads(seal.open(Task.kind, row.edit, row.body) or "{}")
        if (body.get("set") or {}).get("state") == "accepted":
            taken[row.rec] = max(row.ms, taken.get(row.rec, 0))
    return taken


def _as_mark(kind: str, some: Sequence[Done], *, shown: bool) -> Mark:
    ids = [one.id for one in some] if shown else []
    first, last = some[0].at.astimezone(UTC), some[-1].at.astimezone(UTC)
    return Mark(kind, some[0].grid, first, last, len(some), ids)
