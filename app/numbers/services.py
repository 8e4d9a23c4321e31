"""The use case of numbers: one table for an area and a period, as the asker may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaVersion
from app.areas.rules import ancestors
from app.areas.services import below
from app.core import policy
from app.core.actor import Actor
from app.core.database import table_of
from app.core.policy import Answer
from app.numbers.counting import GridCounts, conditions, counts_by_grid
from app.numbers.definitions import BY_CODE, NUMBERS, Number
from app.numbers.folding import Cells, Sums, cells_at_top, cells_below, fold
from app.numbers.hiding import SMALLEST, SMALLEST_FOR_SUMS_ONLY, Cell
from app.numbers.periods import Period, day_of, period_of
from app.office.reading import list_records
from sync.errors import Problem

STATS = "stats.read"
TOGETHER = "county"
"""Below this level what one table hides is also hidden by the tables of its parts."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which numbers of which area and period."""

    area: int | None
    kind: str
    day: date | None
    codes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """An area of a table."""

    id: int
    name: str
    level: str
    path: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell as it is shown: all of it, or that it is hidden."""

    area: Place
    hidden: bool
    numerator: int | None
    denominator: int | None
    value: float | None
    rows: bool | str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A number with its total and its cells."""

    number: Number
    total: Shown
    areas: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Table:
    """The answer."""

    area: Place
    period: Period
    smallest: int
    numbers: Sequence[Any]


def table(session: Session, actor: Actor, wish: Wish, now: datetime) -> Table:
    """Return numbers of an area and of its children.

    Raises:
        Problem: 404 for an area that is out of scope or absent.
    """
    here, smallest, chain, places = frame(session, actor, wish, now)
    period = period_of(wish.kind, wish.day or day_of(now), now)
    numbers = [BY_CODE[code] for code in wish.codes] or list(NUMBERS)
    rows = counts_by_grid(session, chain[0].path, numbers, period)
    found = lines(actor, here, places, chain, rows, numbers, smallest, now)
    return Table(here, period, smallest, found)


def frame(
    session: Session, actor: Actor, wish: Wish, now: datetime
) -> tuple[Place, int, list[Place], dict[int, Place]]:
    """Return the area of a wish, the smallest cell to be shown, its chain, and the areas around it.

    Raises:
        Problem: 404 for an area that is out of scope or absent.
    """
    area = _own_area(actor, now) if wish.area is None else wish.area
    places = _places(session, area)
    here, smallest = _demand_sums(actor, places.get(area), now)
    return here, smallest, _chain(here, places), places


def lines(
    actor: Actor,
    here: Place,
    places: dict[int, Place],
    chain: Sequence[Place],
    rows: Sequence[GridCounts],
    numbers: Sequence[Number],
    smallest: int,
    now: datetime,
) -> list[Line]:
    """Return the lines of a table from the counts of all grids, hiding what must be hidden."""
    return [
        _line(number, here, places, cells, may_list(actor, number.list_action, here, now))
        for number, cells in _cells(chain, rows, numbers, smallest)
    ]


def place_of(session: Session, actor: Actor, wish: Wish, now: datetime) -> tuple[Place, int]:
    """Return the area of a wish, and from which count on its cells may be shown to the actor.

    Raises:
        Problem: 404 for an area that is out of scope or absent.
    """
    area = _own_area(actor, now) if wish.area is None else wish.area
    return _demand_sums(actor, _places(session, area).get(area), now)


def _demand_sums(actor: Actor, place: Place | None, now: datetime) -> tuple[Place, int]:
    at_ms = int(now.timestamp() * 1000)
    decision = policy.decide_sums(actor, STATS, path=place.path if place else None, at_ms=at_ms)
    if place is None or decision is None:
        raise Problem(404, "not_found")
    return place, SMALLEST if decision is Answer.YES else SMALLEST_FOR_SUMS_ONLY


def _own_area(actor: Actor, now: datetime) -> int:
    """Return the widest area that the actor serves and may see sums of."""
    at_ms = int(now.timestamp() * 1000)
    posts = [
        post
        for post in actor.posts_at(at_ms)
        if policy.decide_sums(actor, STATS, path=post.path, at_ms=at_ms)
    ]
    return min(posts, key=lambda post: (post.path.count("."), post.path)).area_id


def _places(session: Session, area: int) -> dict[int, Place]:
    """Return an area, those above it, and its children, with their names of today."""
    path = session.execute(sa.select(Area.path).where(Area.id == area)).scalar()
    if path is None:
        return {}
    latest = (
        sa.select(sa.func.max(AreaVersion.valid_from))
        .where(AreaVersion.area_id == Area.id)
        .correlate(Area)
        .scalar_subquery()
    )
    wanted = sa.or_(Area.id.in_([*ancestors(path), area]), Area.parent_id == area)
    found = (
        sa.select(Area.id, AreaVersion.name, Area.level, Area.path)
        .join(AreaVersion, AreaVersion.area_id == Area.id)
        .where(wanted, AreaVersion.valid_from == latest)
        .order_by(AreaVersion.code)
    )
    return {row.id: Place(*row) for row in session.execute(found)}


def _chain(here: Place, places: dict[int, Place]) -> list[Place]:
    """Return the areas in which the rules of hiding hold together, down to the one asked for."""
    line = [places[area] for area in [*ancestors(here.path), here.id]]
    first = next((at for at, one in enumerate(line) if one.level == TOGETHER), None)
    return line[-1:] if first is None else line[first:]


def _cells(
    chain: Sequence[Place], rows: Sequence[GridCounts], numbers: Sequence[Number], smallest: int
) -> list[tuple[Number, Cells]]:
    widths = [1 if number.met is None else 2 for number in numbers]
    folded = [(one.id, fold(rows, one.path, sum(widths))) for one in chain]
    found, start = [], 0
    for number, width in zip(numbers, widths, strict=True):
        part = slice(start, start + width)
        start += width
        mine = [(area, sums.of(part)) for area, sums in folded]
        found.append((number, _one(chain, mine, smallest)))
    return found


def _one(chain: Sequence[Place], sums: Sequence[tuple[int, Sums]], smallest: int) -> Cells:
    if chain[0].level == TOGETHER or len(chain) > 1:
        return cells_below(sums, smallest=smallest)
    return cells_at_top(sums[0][1], smallest=smallest)


def _line(
    number: Number, here: Place, places: dict[int, Place], cells: Cells, may_list: bool
) -> Line:
    children = [one for one in places.values() if one.path != here.path
                and one.path.startswith(here.path)]  # fmt: skip
    zero: Cell = (0,) * len(cells.sums.total)
    return Line(
        number,
        _shown(here, cells.sums.total, shown=cells.total_shown, rows=may_list),
        [_shown(one, cells.sums.children.get(one.id, zero),
                shown=one.id not in cells.hidden, rows=may_list)
         for one in children],
    )  # fmt: skip


def _shown(area: Place, cell: Cell, *, shown: bool, rows: bool) -> Shown:
    if not shown:
        return Shown(area, True, None, None, None, rows)
    if len(cell) == 1:
        return Shown(area, False, cell[0], None, None, rows)
    met, of = cell[0], sum(cell)
    return Shown(area, False, met, of, round(met / of, 4) if of else None, rows)


def may_list(actor: Actor, action: str, here: Place, now: datetime) -> bool:
    """Tell whether the actor may see all rows of a place, masked or whole."""
    reach = policy.reach(actor, action, int(now.timestamp() * 1000))
    return reach.everything or any(here.path.startswith(p) for p in reach.paths)


def number_of(code: str) -> Number:
    """Return a number by its code.

    Raises:
        Problem: 404.
    """
    if code not in BY_CODE:
        raise Problem(404, "not_found")
    return BY_CODE[code]


def rows(
    session: Session,
    actor: Actor,
    wish: Wish,
    now: datetime,
    *,
    of: str,
    limit: int,
    cursor: str | None,
) -> list[dict[str, Any]]:
    """Return the records that a number counts, as their own list shows them.

    Args:
        of: ``all`` that it looks at, or those that are ``met`` or ``not_met``.

    Raises:
        Problem: 404 for an area that is out of scope, 403 for whoever may see sums only.
    """
    here, _ = place_of(session, actor, wish, now)
    number, period = number_of(wish.codes[0]), period_of(wish.kind, wish.day or day_of(now), now)
    wanted = [*conditions(number, period), _lies_below(number, here)]
    if of != "all" and number.met is not None:
        met = number.met(period)
        # What is unknown (never confirmed, never done) is not met.
        wanted.append(met if of == "met" else sa.or_(met.is_(None), ~met))
    return list_records(
        session, actor, number.model, number.list_action, limit=limit, cursor=cursor,
        filters=wanted,
    )  # fmt: skip


def _lies_below(number: Number, place: Place) -> sa.ColumnElement[bool]:
    grids = sa.select(Area.id).where(below(place.path), Area.level == GRID_LEVEL)
    return table_of(number.model).c.grid.in_(grids)
