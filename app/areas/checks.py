"""Check the areas that stand: circles, lost parents, gaps, overlaps, grids outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas import coverage
from app.areas.coverage import SMALLEST_M2, Finding
from app.areas.divisions import DIVISION_LEVELS, GRID_LEVEL, LEVELS
from app.areas.models import Area, AreaBorder
from app.areas.rules import ancestors

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, slots=True)
class AreaRow:
    """What the checks need to know of an area."""

    id: int
    level: str
    parent_id: int | None
    path: str
    stands: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Areas of one level that share the nearest bordered area above them, if there is one."""

    level: str
    above: int | None
    members: tuple[int, ...]


def area_rows(session: Session) -> dict[int, AreaRow]:
    """Return all areas by id."""
    found = sa.select(Area.id, Area.level, Area.parent_id, Area.path, Area.valid_until.is_(None))
    return {row[0]: AreaRow(*row) for row in session.execute(found)}


def tree_findings(rows: Mapping[int, AreaRow], bordered: Collection[int]) -> Iterator[Finding]:
    """Yield circles, wrong levels or paths, units below ended ones, grids without a border."""
    for row in rows.values():
        parent = rows.get(row.parent_id) if row.parent_id is not None else None
        if row.parent_id is not None and (parent is None or not _hangs_below(row, parent)):
            yield Finding("circle_or_path", (row.id,))
        elif row.stands and parent is not None and not parent.stands:
            yield Finding("ended_parent", (row.id, parent.id))
        elif row.stands and row.level == GRID_LEVEL and row.id not in bordered:
            yield Finding("no_border", (row.id,))


def _hangs_below(row: AreaRow, parent: AreaRow) -> bool:
    """Tell whether path and level agree with the parent; then no circle is possible."""
    one_higher = LEVELS.index(parent.level) == LEVELS.index(row.level) - 1
    return one_higher and row.path == f"{parent.path}{row.id}."


def standing_shapes(session: Session) -> dict[int, BaseGeometry]:
    """Return the present borders of standing areas."""
    from app.core.geos import shapely

    shape = sa.func.ST_AsBinary(AreaBorder.geom, type_=sa.LargeBinary)
    found = (
        sa.select(AreaBorder.area_id, shape)
        .join(Area, Area.id == AreaBorder.area_id)
        .where(AreaBorder.valid_until.is_(None), Area.valid_until.is_(None))
    )
    rows = session.execute(found).all()
    shapes = shapely.from_wkb([bytes(wkb) for _, wkb in rows])
    return {area_id: shape for (area_id, _), shape in zip(rows, shapes, strict=True)}


def groups_of(rows: Mapping[int, AreaRow], bordered: Collection[int]) -> list[Group]:
    """Return the groups of areas that should cover the ground once.

    Where nothing above has a border, the children of one parent are a group.
    """
    members: dict[tuple[str, int | None, int | None], list[int]] = defaultdict(list)
    for area_id in sorted(bordered):
        row = rows[area_id]
        above = next((one for one in reversed(ancestors(row.path)) if one in bordered), None)
        members[row.level, above, row.parent_id if above is None else None].append(area_id)
    return [Group(level, above, tuple(ids)) for (level, above, _), ids in members.items()]


def ground_findings(
    rows: Mapping[int, AreaRow],
    shapes: Mapping[int, BaseGeometry],
    group: Group,
    smallest_m2: float = SMALLEST_M2,
) -> Iterator[Finding]:
    """Yield the overlaps of a group, what lies outside the border above, and the gaps.

    Until the group is complete only enclosed gaps count: the rest is yet to be drawn.
    """
    members = {area_id: shapes[area_id] for area_id in group.members}
    yield from coverage.overlaps(members, smallest_m2)
    border = None if group.above is None else shapes[group.above]
    if border is not None:
        yield from coverage.outside(members, border, smallest_m2)
    yield from coverage.gaps(members, border if _complete(rows, group) else None, smallest_m2)


def _complete(rows: Mapping[int, AreaRow], group: Group) -> bool:
    """Tell whether every area of the level, or for grids every village, has its part."""
    if group.above is None:
        return False
    above = rows[group.above].path
    level = group.level
    drawn = set(group.members)
    if level == GRID_LEVEL:
        level, drawn = DIVISION_LEVELS[-1], {rows[area_id].parent_id or 0 for area_id in drawn}
    below = {row.id for row in rows.values() if row.level == level and row.path.startswith(above)}
    return all(area_id in drawn for area_id in below if rows[area_id].stands)
