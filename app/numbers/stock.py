"""The stock of a past moment: what was open then, reconstructed from the ledger.

What counts is when each step was taken, as far as the server believes it, not when it arrived: a
report that came in late has left the stock when it was made. Most records have had no step since
the moment asked for: they stood then as they stand now, and only the others' histories are read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.core.records import sync_tables
from app.core.settings import current_settings
from app.core.span import as_house
from app.numbers import services
from app.numbers.counting import GridCounts
from app.numbers.definitions import BY_CODE, NOT_WAITING, Number
from app.numbers.marks import TOO_WIDE
from app.numbers.periods import day_of, period_of
from app.numbers.services import Place, Table, Wish
from app.office.reading import list_records
from app.tasks.rules import OPEN_STATES as OPEN_TASKS
from sync.errors import FieldError, Problem
from sync.stores.many import among

CODES = ("tasks_open", "incidents_open")
CHANGES_MAX = 20_000
_ledger = sync_tables.ledger
_HISTORY = sa.select(
    _ledger.c.edit, _ledger.c.rec, _ledger.c.op, _ledger.c.kind, _ledger.c.ms, _ledger.c.body
).where(among(_ledger.c.rec, "ids"), _ledger.c.kind == sa.bindparam("kind"))


@dataclass(frozen=True, slots=True)
class Stood:
    """A record as it stood at the moment asked for."""

    id: str
    grid: int
    path: str
    open: bool


def is_open(code: str, state: str | None) -> bool:
    """Tell whether a record in a state is part of the stock that a number counts."""
    if code == "tasks_open":
        return state in OPEN_TASKS
    return state is not None and state not in NOT_WAITING


def state_at(entries: Sequence[tuple[int, str, Mapping[str, Any]]], at_ms: int) -> str | None:
    """Return the state that a record had at a moment; None before it was there.

    Args:
        entries: when, by which kind of edit, and the body of each entry of its history.
    """
    steps = [
        (ms, place, body["set"]["state"])
        for place, (ms, op, body) in enumerate(entries)
        if body.get("set", {}).get("state") is not None and _took_effect(op, body)
    ]
    before = [(ms, place, state) for ms, place, state in steps if ms <= at_ms]
    return max(before)[2] if before else None


def _took_effect(op: str, body: Mapping[str, Any]) -> bool:
    """Tell whether an edit changed the state: a step that came too late did not."""
    return op == "create" or "state" in (body.get("before") or {})


def table(session: Session, actor: Actor, wish: Wish, at: datetime, now: datetime) -> Table:
    """Return the stocks of an area and of its children at a moment: open, of all that was there.

    Raises:
        Problem: 404 for an area out of scope, 422 for one that is too wide, or a moment that lies
            ahead or before what the ledger still knows.
    """
    here, smallest, chain, places = services.frame(session, actor, wish, now)
    _check(here, at, now)
    numbers = [replace(BY_CODE[code], met=_never_asked) for code in wish.codes or CODES]
    stood = [_stood(session, one, chain[0].path, at) for one in numbers]
    rows = _grids(session, chain[0].path, stood)
    lines = services.lines(actor, here, places, chain, rows, numbers, smallest, now)
    return Table(here, period_of("day", day_of(at), at), smallest, lines)


def rows(
    session: Session, actor: Actor, wish: Wish, at: datetime, now: datetime,
    *, limit: int, cursor: str | None,
) -> tuple[str, list[dict[str, Any]]]:  # fmt: skip
    """Return kind and records of the stock of a moment, as their own list shows them.

    Raises:
        Problem: as for the table, and 403 for whoever may see sums only.
    """
    here, _ = services.place_of(session, actor, wish, now)
    _check(here, at, now)
    number = BY_CODE[wish.codes[0]]
    ids = [one.id for one in _stood(session, number, here.path, at) if one.open]
    t = table_of(number.model)
    found = list_records(
        session, actor, number.model, number.list_action, limit=limit, cursor=cursor,
        filters=[t.c.id.in_(ids)],
    )  # fmt: skip
    return number.model.kind, found


def _never_asked(_period: Any) -> sa.ColumnElement[bool]:
    """Stand where a share has its condition: this one is not found in the records."""
    return sa.true()


def _check(here: Place, at: datetime, now: datetime) -> None:
    kept = timedelta(days=current_settings().history_days)
    if here.level in TOO_WIDE:
        raise _refused(FieldError("area", "area_too_wide"))
    if not now - kept <= at <= now:
        raise _refused(FieldError("at", "beyond_history"))


def _refused(fault: FieldError) -> Problem:
    return Problem(422, "invalid_fields", errors=[fault.as_json()])


@as_house()
def _stood(session: Session, number: Number, path: str, at: datetime) -> list[Stood]:
    """Return all records of a number below a path that were there at a moment."""
    kind, at_ms = number.model.kind, round(at.timestamp() * 1000)
    t = table_of(number.model)
    lying = (
        sa.select(t.c.id, t.c.grid, Area.path, t.c.state, _last(t, kind).label("last"))
        .join(Area, Area.id == t.c.grid)
        .where(below(path), Area.level == GRID_LEVEL, t.c.deleted.is_(None))
    )
    there = session.execute(lying).all()
    changed = [row.id for row in there if (row.last or 0) > at_ms]
    if len(changed) > CHANGES_MAX:
        raise _refused(FieldError("at", "too_many_changes"))
    past = _states(session, kind, changed, at_ms)
    return [
        Stood(row.id, row.grid, row.path, is_open(number.code, state))
        for row in there
        if (state := past.get(row.id, row.state)) is not None
    ]


def _last(t: sa.Table, kind: str) -> sa.ScalarSelect[Any]:
    return (
        sa.select(sa.func.max(_ledger.c.ms))
        .where(_ledger.c.rec == t.c.id, _ledger.c.kind == kind)
        .correlate(t)
        .scalar_subquery()
    )


def _states(
    session: Session, kind: str, records: Sequence[str], at_ms: int
) -> dict[str, str | None]:
    if not records:
        return {}
    seal = current_engine().seal
    found: dict[str, list[tuple[int, str, Mapping[str, Any]]]] = {one: [] for one in records}
    for row in session.connection().execute(_HISTORY, {"ids": list(records), "kind": kind}):
        body = json.loads(seal.open(kind, row.edit, row.body) or "{}")
        found[str(row.rec)].append((row.ms, row.op, body))
    return {record: state_at(entries, at_ms) for record, entries in found.items()}


def _grids(session: Session, path: str, stood: Sequence[Sequence[Stood]]) -> list[GridCounts]:
    """Return for each grid the parts of all stocks: open and not."""
    found = sa.select(Area.path).where(below(path), Area.level == GRID_LEVEL)
    parts = {one: [0] * (2 * len(stood)) for one in session.scalars(found)}
    for place, records in enumerate(stood):
        for one in records:
            parts[one.path][2 * place + (not one.open)] += 1
    return [GridCounts(one, tuple(counts)) for one, counts in parts.items()]
