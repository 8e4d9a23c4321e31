"""Find areas: by id, by code on a day, below another area, and as the REST interface asks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaBorder, AreaVersion
from app.areas.places import grid_at
from app.areas.rules import ancestors, path_end
from app.core import policy
from app.core.actor import Actor
from app.core.pagination import after
from sync.errors import Problem
from sync.stores.many import among

# A plain table, not the model: paths are read at every push.
_area = Area.__table__
_PATHS = sa.select(_area.c.id, _area.c.path).where(among(_area.c.id, "ids"))


@dataclass(frozen=True, slots=True)
class AreaEntry:
    """An area with its latest attributes."""

    id: int
    level: str
    parent_id: int | None
    path: str
    valid_from: date
    valid_until: date | None
    code: str
    name: str
    short_name: str
    kind: str
    urban_rural_code: str
    versions: tuple[AreaVersion, ...] = ()

    @property
    def ancestors(self) -> list[int]:
        """Return the ids of the areas above, the highest first."""
        return ancestors(self.path)


@dataclass(frozen=True, slots=True)
class AreaWish:
    """Which areas to list, and where to go on."""

    parent: int | None = None
    level: str | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The grid of a position and how far its border is."""

    grid: AreaEntry
    distance_m: float
    inside: bool


def below(path: str) -> sa.ColumnElement[bool]:
    """Return the condition that an area is the one of a path or lies below it; all below none."""
    if not path:
        return sa.true()
    return sa.and_(Area.path >= path, Area.path < path_end(path))


def below_any(paths: Iterable[str]) -> sa.ColumnElement[bool]:
    """Return the condition that an area lies in one of several subtrees; none gives nothing."""
    return sa.or_(sa.false(), *(below(path) for path in paths))


def on_day(table: type[Area | AreaVersion | AreaBorder], day: date) -> Any:
    """Return the condition that a row is valid on a day."""
    return sa.and_(
        table.valid_from <= day, sa.or_(table.valid_until.is_(None), table.valid_until > day)
    )


def ancestors_of(path: str) -> list[int]:
    """Return the ids of the areas above the area of a path, highest first."""
    return ancestors(path)


def paths_of(session: Session, area_ids: Iterable[int]) -> dict[int, str]:
    """Return the paths of areas by id; unknown ids are left out."""
    rows = session.connection().execute(_PATHS, {"ids": list(area_ids)})
    return {row[0]: row[1] for row in rows}


def grids_below(session: Session, area_id: int) -> list[int]:
    """Return the ids of the standing grids of an area (itself, if it is a grid), ascending."""
    path = paths_of(session, [area_id]).get(area_id)
    if path is None:
        return []
    found = sa.select(Area.id).where(
        below(path), Area.level == GRID_LEVEL, Area.valid_until.is_(None)
    )
    return sorted(session.scalars(found))


def area_of_code(session: Session, code: str, on: date) -> int | None:
    """Return the id of the area that bore a code on a day."""
    return areas_of_codes(session, [code], on).get(code)


def areas_of_codes(session: Session, codes: Sequence[str], on: date) -> dict[str, int]:
    """Return the ids of the areas that bore these codes on a day, by code."""
    found = sa.select(AreaVersion.code, AreaVersion.area_id).where(
        AreaVersion.code.in_(codes), on_day(AreaVersion, on)
    )
    return dict(session.execute(found).all())


def list_areas(session: Session, actor: Actor, wish: AreaWish, now_ms: int) -> list[AreaEntry]:
    """Return the standing areas that the actor may list, by code, one more than a page holds."""
    reach = policy.reach(actor, "org_unit.list", now_ms)
    found = _entries().where(
        Area.valid_until.is_(None),
        sa.true() if reach.everything else below_any(reach.paths),
        after([AreaVersion.code], wish.cursor),
    )
    if wish.parent is not None:
        found = found.where(Area.parent_id == wish.parent)
    if wish.level is not None:
        found = found.where(Area.level == wish.level)
    rows = session.execute(found.order_by(AreaVersion.code).limit(wish.limit + 1))
    return [AreaEntry(*row) for row in rows]


def read_area(session: Session, actor: Actor, area_id: int, now_ms: int) -> AreaEntry:
    """Return an area, also one that has ended, with everything it was called, newest first.

    Raises:
        Problem: 404 if there is none, or none for this actor.
    """
    row = session.execute(_entries().where(Area.id == area_id)).first()
    entry = None if row is None else AreaEntry(*row)
    if entry is None or not _may_read(actor, entry.path, now_ms):
        raise Problem(404, "not_found")
    versions = session.scalars(
        sa.select(AreaVersion)
        .where(AreaVersion.area_id == area_id)
        .order_by(AreaVersion.valid_from.desc())
    )
    return replace(entry, versions=tuple(versions))


def locate(
    session: Session, actor: Actor, *, lon: float, lat: float, within_m: float, now_ms: int
) -> Place:
    """Return the grid that holds a position, or else the nearest one.

    Raises:
        Problem: 404 if there is none, or none for this actor.
    """
    found = grid_at(session, lon, lat, within_m=within_m)
    if found is None:
        raise Problem(404, "not_found")
    grid = read_area(session, actor, found.area_id, now_ms)
    return Place(grid, found.distance_m, found.inside)


def _may_read(actor: Actor, path: str, now_ms: int) -> bool:
    decision = policy.decide(actor, "org_unit.read", path=path, own=False, at_ms=now_ms)
    return decision.allowed


def _entries() -> Any:
    """Select areas with their latest attributes."""
    latest = (
        sa.select(sa.func.max(AreaVersion.valid_from))
        .where(AreaVersion.area_id == Area.id)
        .correlate(Area)
        .scalar_subquery()
    )
    return sa.select(
        *(getattr(Area, name) for name in AREA_COLUMNS),
        *(getattr(AreaVersion, name) for name in VERSION_COLUMNS),
    ).join(AreaVersion, sa.and_(AreaVersion.area_id == Area.id, AreaVersion.valid_from == latest))


AREA_COLUMNS = ("id", "level", "parent_id", "path", "valid_from", "valid_until")
VERSION_COLUMNS = ("code", "name", "short_name", "kind", "urban_rural_code")


def names_of(session: Session, area_ids: Iterable[int]) -> dict[int, str]:
    """Return code and name of areas by id, as they stand or were last called."""
    found = (
        sa.select(AreaVersion.area_id, AreaVersion.code, AreaVersion.name)
        .where(AreaVersion.area_id.in_(list(area_ids)))
        .order_by(AreaVersion.valid_from)
    )
    return {area_id: f"{code} {name}" for area_id, code, name in session.execute(found)}
