"""Count in the database: one statement for all numbers, one row for each grid.

Each number is an index range of each grid, so the cost follows the grids looked at and what
they hold in the period, never the size of the city.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area
from app.areas.services import below
from app.core.database import table_of
from app.core.records import Record
from app.core.span import as_house
from app.numbers.definitions import Condition, Number
from app.numbers.periods import Period

_areas = table_of(Area)


class GridCounts(NamedTuple):
    """The path of a grid, and for each number the parts of its cell, one after another."""

    path: str
    parts: tuple[int, ...]


@as_house()
def counts_by_grid(
    session: Session, path: str, numbers: Sequence[Number], period: Period
) -> list[GridCounts]:
    """Return the counts of the grids below a path, also of those that have ended."""
    columns = [column for number in numbers for column in _columns(number, period)]
    found = sa.select(_areas.c.path, *columns).where(below(path), _areas.c.level == GRID_LEVEL)
    rows = session.connection().execute(found)
    shapes = [number.met is not None for number in numbers]
    return [GridCounts(row[0], tuple(_parts(row[1:], shapes))) for row in rows]


def conditions(number: Number, period: Period) -> list[Condition]:
    """Return what a record must be to be looked at by a number."""
    return [table_of(number.model).c.deleted.is_(None), *number.of(period)]


def _columns(number: Number, period: Period) -> list[sa.ScalarSelect[Any]]:
    """Return the counts of one grid: of what is looked at and, unless plain, of what is met."""
    every = conditions(number, period)
    columns = [_count(number.model, every)]
    if number.met is not None:
        columns.append(_count(number.model, [*every, number.met(period)]))
    return columns


def _count(model: type[Record], wanted: Sequence[Condition]) -> sa.ScalarSelect[Any]:
    table = table_of(model)
    return (
        sa.select(sa.func.count())
        .select_from(table)
        .where(table.c.grid == _areas.c.id, *wanted)
        .correlate(_areas)
        .scalar_subquery()
    )


def _parts(row: Sequence[int], with_met: Sequence[bool]) -> list[int]:
    """Return the parts of all cells of a row: met and not met, or the plain count."""
    parts: list[int] = []
    values = iter(row)
    for has_met in with_met:
        every = next(values)
        if has_met:
            met = next(values)
            parts += [met, every - met]
        else:
            parts.append(every)
    return parts
