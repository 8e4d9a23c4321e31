"""Split, merge and redraw grids: the areas first, then the records, whatever becomes of phones.

The first step writes areas, borders, heirs and posts. From then on no edit can be lost: whatever
still arrives for an ended grid goes to its heir. The second step moves the records, in as many
transactions as one likes; ``sweep`` takes up what an interruption has left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas import imports
from app.areas.boundaries import Layer
from app.areas.dated import close
from app.areas.divisions import GRID_LEVEL
from app.areas.drawing import Origin, write_borders
from app.areas.heirs import add_heirs, heirs_of
from app.areas.imports import Prepared
from app.areas.models import Area, AreaBorder, AreaVersion
from app.areas.places import NEAREST_WITHIN_M
from app.areas.services import paths_of
from app.core import audit
from app.core.actor import Actor
from app.core.engine import Engine
from app.core.ground import Heir, main_first
from app.identity import policies
from app.identity.rules import ms_of
from app.workflows import shapes
from app.workflows.moving import GRID, Moving
from app.workflows.posts import ALL, MAIN, carry_posts
from sync.edits import Record
from sync.errors import FieldError, Problem


@dataclass(frozen=True, slots=True)
class Desk:
    """Who redraws the grids, and when."""

    engine: Engine
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the office has decided besides the borders.

    Attributes:
        main: code of the part that takes what has no place; the first one unless told.
        assigned: for a record, the code of the grid it goes to whatever its place.
        posts: where the people of an ended grid go on: in all parts, the main one, or none.
        people: for a person, the codes of the grids where he goes on.
    """

    main: str | None = None
    assigned: Mapping[str, str] = field(default_factory=dict)
    posts: str = ALL
    people: Mapping[int, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the first step has written.

    Attributes:
        sources: grids out of which records go.
        targets: grids that get some.
        assigned: for a record, the grid it goes to.
        uncovered_m2: ground of the former grids that no border covers any more.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    assigned: Mapping[str, int] = field(default_factory=dict)
    posts_ended: int = 0
    posts_given: int = 0
    uncovered_m2: float = 0.0


# -- the first step ---------------------------------------------------------------------------


def begin_split(
    session: Session, desk: Desk, grid: int, layer: Layer, origin: Origin, told: Told
) -> Begun:
    """Let the parts of a file take a grid's place; the grid stays if it is one of the parts.

    Raises:
        Problem: 404, 403, 409, 422.
        FlawedFile: a later border stands.
    """
    path = _demand_grid(session, desk, grid)
    prepared = _prepared(session, desk, layer)
    code = _code_of(session, grid)
    parts = [unit.code for unit in prepared.plan.added]
    kept = code in prepared.shapes
    if set(prepared.shapes) - set(parts) - {code}:
        raise _wrong("features", "grid_stands_already")
    if not parts or told.main not in (None, code, *parts):
        raise _wrong("main" if parts else "features", "not_a_part")
    before = shapes.of(session, [grid])
    written = imports.write(session, prepared, desk.now.date().isoformat(), origin)
    ids = _ids_of(session, [*parts, *([code] if kept else [])])
    main = ids[told.main] if told.main else ids.get(code) or ids[parts[0]]
    targets = [one for one in ids.values() if one != grid]
    if not kept:
        _end(session, [grid], desk.now)
    add_heirs(session, [(grid, one, one == main) for one in targets], desk.now)
    goes_on = {ALL: targets, MAIN: [main] if main != grid else []}.get(told.posts, [])
    ended, given = _carry(session, desk, {grid: goes_on}, [] if kept else [grid], told, ids)
    audit.record(session, "grid.split", user_id=desk.actor.user_id, subject=f"area:{grid}",
                 parts=sorted(targets), path=path)  # fmt: skip
    missing = shapes.uncovered_m2(before.values(), shapes.of(session, written.area_ids).values())
    return Begun((grid,), tuple(targets), _assigned(told, ids), ended, given, missing)


def begin_merge(
    session: Session, desk: Desk, grids: Sequence[int], into: int, posts: str = ALL
) -> Begun:
    """Let one grid take over others, with their ground, their people and their records.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    sources = sorted(set(grids) - {into})
    if not sources:
        raise _wrong("grids", "required")
    _demand_grid(session, desk, into)
    for grid in sources:
        _demand_grid(session, desk, grid, orphaned=True)
    drawn = shapes.of(session, [*sources, into])
    if into in drawn and len(drawn) > 1:
        origin = Origin("wgs84", f"merged: {', '.join(map(str, sources))}")
        write_borders(session, {into: shapes.united(drawn.values())}, desk.now.date(), origin)
    _end(session, sources, desk.now)
    add_heirs(session, [(grid, into, True) for grid in sources], desk.now)
    goes_on = [into] if posts in (ALL, MAIN) else []
    ended, given = _carry(session, desk, dict.fromkeys(sources, goes_on), sources, Told(), {})
    audit.record(session, "grid.merged", user_id=desk.actor.user_id, subject=f"area:{into}",
                 grids=sources)  # fmt: skip
    return Begun(tuple(sources), (into,), {}, ended, given)


def begin_redraw(session: Session, desk: Desk, layer: Layer, origin: Origin) -> Begun:
    """Draw borders anew, new grids too; records with a place go where it lies now.

    Raises:
        Problem: 404, 403, 422.
        FlawedFile: a later border stands.
    """
    prepared = _prepared(session, desk, layer)
    known = {code: prepared.plan.known[code] for code in prepared.shapes
             if code in prepared.plan.known}  # fmt: skip
    for grid in known.values():
        _demand_grid(session, desk, grid)
    before = shapes.of(session, known.values())
    written = imports.write(session, prepared, desk.now.date().isoformat(), origin)
    after = shapes.of(session, written.area_ids)
    pairs = shapes.takers(before, after)
    add_heirs(session, [(old, new, False) for old, new in pairs], desk.now)
    audit.record(session, "grid.redrawn", user_id=desk.actor.user_id,
                 subject=f"areas:{len(after)}", grids=sorted(after))  # fmt: skip
    missing = shapes.uncovered_m2(before.values(), after.values())
    sources = tuple(sorted({old for old, _ in pairs}))
    return Begun(sources, tuple(sorted({new for _, new in pairs})), uncovered_m2=missing)


# -- the second step --------------------------------------------------------------------------


def move(session: Session, desk: Desk, begun: Begun) -> Iterator[int]:
    """Move the records, and yield after each batch how many were looked at."""
    for grid in begun.sources:
        yield from mover(session, desk, grid, begun.assigned).run(session, grid)


def mover(session: Session, desk: Desk, grid: int, assigned: Mapping[str, int]) -> Moving:
    """Return what moves the records of a grid to its heirs, or of a standing one by their place."""
    heirs = _standing_heirs(session, grid)
    gone = any(one.gone for one in heirs)
    places = {one.new for one in heirs}
    rest = min(heirs, key=main_first).new if gone else None

    def choose(record: Record, here: int | None) -> int | None:
        told = assigned.get(record.id)
        return told or (here if here in places else rest)

    return Moving(desk.engine, desk.actor, choose, NEAREST_WITHIN_M if gone else 0.0)


def _standing_heirs(session: Session, grid: int) -> list[Heir]:
    return [one for one in heirs_of(session, [grid]) if one.old == grid and one.stands]


def unswept(session: Session, engine: Engine) -> dict[int, int]:
    """Return the ended grids that still hold records, with how many; one statement a kind."""
    found: dict[int, int] = {}
    for table in engine.tables.values():
        t = table.table.c
        if GRID not in t:
            continue
        rows = session.execute(
            sa.select(t.grid, sa.func.count())
            .join(Area, Area.id == t.grid)
            .where(Area.valid_until.is_not(None), t.deleted.is_(None))
            .group_by(t.grid)
        )
        for grid, number in rows:
            found[grid] = found.get(grid, 0) + number
    return found


# -- parts ------------------------------------------------------------------------------------


def _demand_grid(session: Session, desk: Desk, grid: int, *, orphaned: bool = False) -> str:
    """Return the path of a standing grid that the actor may change.

    Args:
        orphaned: also one that has ended, if nobody has taken it over.
    """
    row = session.execute(
        sa.select(Area.path, Area.level, Area.valid_until).where(Area.id == grid)
    ).first()
    policies.demand_place(desk.actor, "org_unit.update", row.path if row else None, ms_of(desk.now))
    if row is None:
        raise Problem(404, "not_found")
    if row.level != GRID_LEVEL:
        raise Problem(422, "not_a_grid", area=grid)
    if row.valid_until is not None:
        heirs = _standing_heirs(session, grid)
        if heirs or not orphaned:
            raise Problem(409, "grid_has_ended", area=grid, heirs=[one.new for one in heirs])
    return str(row.path)


def _prepared(session: Session, desk: Desk, layer: Layer) -> Prepared:
    """Check a file of grids as a whole, and that all of it lies where the actor may draw."""
    prepared = imports.prepare_grids(session, layer, desk.now.date())
    if prepared.flaws:
        errors = [{"row": one.row, "code": one.code, "subject": one.subject, "detail": str(one)}
                  for one in prepared.flaws]  # fmt: skip
        raise Problem(422, "flawed_borders", errors=errors)
    parents = {prepared.plan.known[unit.parent_code] for unit in prepared.plan.added}
    paths = paths_of(session, parents)
    for parent in parents:
        policies.demand_place(desk.actor, "org_unit.create", paths.get(parent), ms_of(desk.now))
    return prepared


def _code_of(session: Session, grid: int) -> str:
    latest = sa.select(AreaVersion.code).where(
        AreaVersion.area_id == grid, AreaVersion.valid_until.is_(None)
    )
    return str(session.execute(latest).scalar_one())


def _ids_of(session: Session, codes: Iterable[str]) -> dict[str, int]:
    rows = session.execute(
        sa.select(AreaVersion.code, AreaVersion.area_id).where(
            AreaVersion.code.in_(list(codes)), AreaVersion.valid_until.is_(None)
        )
    ).all()
    return dict(rows)


def _end(session: Session, grids: Sequence[int], now: datetime) -> None:
    """Let grids end today, with their names and borders."""
    day = now.date()
    ended = sa.update(Area).where(Area.id.in_(grids)).values(valid_until=day)
    session.execute(ended.execution_options(synchronize_session=False))
    close(session, AreaVersion, grids, day)
    close(session, AreaBorder, grids, day)


def _carry(
    session: Session,
    desk: Desk,
    heirs: Mapping[int, Sequence[int]],
    ended: Sequence[int],
    told: Told,
    ids: Mapping[str, int],
) -> tuple[int, int]:
    people = {user: [_known(ids, code) for code in codes] for user, codes in told.people.items()}
    return carry_posts(session, heirs, ended=ended, told=people, made_by=desk.actor.user_id,
                       now=desk.now)  # fmt: skip


def _assigned(told: Told, ids: Mapping[str, int]) -> dict[str, int]:
    return {record: _known(ids, code) for record, code in told.assigned.items()}


def _known(ids: Mapping[str, int], code: str) -> int:
    if code not in ids:
        raise _wrong("code", "not_a_part", named=code)
    return ids[code]


def _wrong(name: str, fault: str, **limits: str) -> Problem:
    return Problem(422, "invalid_fields", errors=[FieldError(name, fault, limits).as_json()])
