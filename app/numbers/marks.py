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
from app.core.span import as_house
from app.incidents.models import Incident
from app.numbers.periods import Period, day_of, period_of
from app.numbers.services import Place, Wish, may_list, place_of
from app.tasks.models import Task
from sync.errors import FieldError, Problem
from sync.stores.many import among

BURST, AT_ONCE = "burst", "at_once"
BURST_COUNT = 10
BURST_WITHIN = timedelta(minutes=5)
AT_ONCE_MS = 10_000
TASKS_MAX = 10_000
TOO_WIDE = ("city", "county")

_task, _incident, _ledger = table_of(Task), table_of(Incident), sync_tables.ledger
_ANSWERED = sa.func.coalesce(_incident.c.answered_at, _incident.c.closed_at)
"""When a case was dealt with: answered, or settled on the spot."""
_STEPS = sa.select(_ledger.c.edit, _ledger.c.rec, _ledger.c.ms, _ledger.c.body).where(
    among(_ledger.c.rec, "ids"), _ledger.c.kind == Task.kind, _ledger.c.op == "event"
)


@dataclass(frozen=True, slots=True)
class Done:
    """A task or an incident, and when it was done or answered."""

    id: str
    grid: int
    at: datetime
    kind: str = Task.kind


@dataclass(frozen=True, slots=True)
class Mark:
    """Work of one grid that somebody should look at.

    Attributes:
        kind: tasks or incidents.
        ids: of them; none for those who may not list such records there.
    """

    mark: str
    area: int
    first: datetime
    last: datetime
    count: int
    kind: str
    ids: Sequence[str]

    @property
    def tasks(self) -> Sequence[str]:
        """Return the ids of tasks, where apps of before look for them."""
        return self.ids if self.kind == Task.kind else ()


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
    tasks = [Done(row.id, row.grid, row.at)
             for row in _done(session, here, period, _task, _task.c.done_at)]  # fmt: skip
    cases = _done(session, here, period, _incident, _ANSWERED, _incident.c.claimed_at)
    answered = [Done(row.id, row.grid, row.at, Incident.kind) for row in cases]
    claimed = {row.id: round(row.claimed_at.timestamp() * 1000)
               for row in cases if row.claimed_at}  # fmt: skip
    taken = _taken_ms(session, [one.id for one in tasks])
    found = [*bursts(tasks), *at_once(tasks, taken),
             *bursts(answered), *at_once(answered, claimed)]  # fmt: skip
    shown = {
        kind: may_list(actor, f"{kind}.list", here, now) for kind in (Task.kind, Incident.kind)
    }
    return [_as_mark(mark, some, shown=shown[some[0].kind]) for mark, some in
            sorted(found, key=lambda one: (one[1][0].grid, one[1][0].at, one[0]))]  # fmt: skip


def _done(
    session: Session, here: Place, period: Period, t: sa.Table, at: Any, *more: Any
) -> Sequence[Any]:
    """Return what of a kind was done in a period, by grid and time."""
    return session.execute(
        sa.select(t.c.id, t.c.grid, at.label("at"), *more)
        .join(Area, Area.id == t.c.grid)
        .where(below(here.path), t.c.deleted.is_(None), at >= period.starts, at < period.ends)
        .order_by(t.c.grid, at, t.c.id)
        .limit(TASKS_MAX)
    ).all()


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


@as_house()
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
    return Mark(kind, some[0].grid, first, last, len(some), some[0].kind, ids)
