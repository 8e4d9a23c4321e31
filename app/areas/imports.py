"""Import files of divisions, grids and borders: check, compare with what stands, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.boundaries import Feature, Layer
from app.areas.divisions import (
    CODE_DIGITS,
    DIVISION_LEVELS,
    GRID_LEVEL,
    LEVELS,
    Unit,
    check_units,
    read_divisions,
)
from app.areas.drawing import Origin, write_borders
from app.areas.editions import Plan, StandingUnit, compare
from app.areas.flaws import Flaw
from app.areas.models import Area, AreaVersion
from app.areas.plan_writer import apply_plan

if TYPE_CHECKING:
    from shapely import MultiPolygon


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file, checked and compared with what stands; writing it leaves the faulty rows out."""

    plan: Plan
    flaws: tuple[Flaw, ...]
    shapes: Mapping[str, MultiPolygon] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """How many areas each change touched, and the areas whose borders the file holds."""

    counts: Mapping[str, int]
    area_ids: tuple[int, ...]


def prepare_divisions(session: Session, content: bytes, edition: date) -> Prepared:
    """Check a CSV of divisions and plan what it changes.

    A file with faulty rows ends no unit: the unit may be in one of those rows.

    Raises:
        FlawedFile: the file as a whole cannot be used.
    """
    standing = standing_units(session, DIVISION_LEVELS)
    sheet = check_units(read_divisions(content, edition), _levels(standing))
    plan = compare(sheet.units, standing, edition)
    flaws = _by_row(sheet.flaws + plan.flaws)
    return Prepared(plan.without_ends() if flaws else plan, flaws)


def prepare_grids(session: Session, layer: Layer, day: date) -> Prepared:
    """Check grids with their borders and plan what they change; other grids stay as they are.

    Raises:
        FlawedFile: a later edition of these grids stands.
    """
    standing = standing_units(session)
    units = [_grid_unit(feature) for feature in layer.features]
    sheet = check_units(units, _levels(standing), [GRID_LEVEL])
    plan = compare(sheet.units, standing, day)
    good = {unit.code for unit in sheet.units}
    shapes = {feature.code: feature.shape for feature in layer.features if feature.code in good}
    return Prepared(plan, _by_row(layer.flaws + sheet.flaws + plan.flaws), shapes)


def prepare_borders(session: Session, layer: Layer, day: date) -> Prepared:
    """Find the standing areas that borders belong to, by code."""
    standing = standing_units(session)
    known = {was.unit.code: was.area_id for was in standing if was.ended_on is None}
    unknown = tuple(
        Flaw(feature.row, "unknown_area", f"{feature.code} {feature.name}".strip())
        for feature in layer.features
        if feature.code not in known
    )
    shapes = {feature.code: feature.shape for feature in layer.features if feature.code in known}
    plan = Plan(day, added=(), revised=(), revived=(), ended=(), known=known)
    return Prepared(plan, _by_row(layer.flaws + unknown), shapes)


def write(session: Session, prepared: Prepared, edition: str, origin: Origin) -> Written:
    """Write what a file changes, its faulty rows left out.

    Args:
        edition: what the edition is called in the history of its units.

    Raises:
        FlawedFile: one of the areas has a border of a later day.
    """
    plan = prepared.plan
    ids = apply_plan(session, plan, edition)
    shapes = {ids[code]: shape for code, shape in prepared.shapes.items()}
    drawn = write_borders(session, shapes, plan.edition, origin)
    return Written({**plan.counts(), "drawn": drawn}, tuple(sorted(shapes)))


def _levels(standing: Sequence[StandingUnit]) -> dict[str, str]:
    return {was.unit.code: was.unit.level for was in standing if was.ended_on is None}


def _by_row(flaws: Sequence[Flaw]) -> tuple[Flaw, ...]:
    return tuple(sorted(flaws, key=lambda flaw: flaw.row))


def _grid_unit(feature: Feature) -> Unit:
    village = feature.parent_code or feature.code[: CODE_DIGITS["village"]]
    return Unit(
        code=feature.code,
        name=feature.name,
        short_name=feature.name,
        level=GRID_LEVEL,
        kind=GRID_LEVEL,
        parent_code=village,
        row=feature.row,
    )


def standing_units(session: Session, levels: Sequence[str] = LEVELS) -> list[StandingUnit]:
    """Return every area of some levels with its latest attributes, ended ones too."""
    rows = session.execute(
        sa.select(Area, AreaVersion)
        .join(AreaVersion, AreaVersion.area_id == Area.id)
        .where(Area.level.in_(levels), _last_version())
        .order_by(Area.id, AreaVersion.valid_from)
    ).all()
    latest = {area.id: (area, version) for area, version in rows}
    codes = {area_id: version.code for area_id, (_, version) in latest.items()}
    return [_standing(area, version, codes) for area, version in latest.values()]


def _last_version() -> sa.ColumnElement[bool]:
    both_open = sa.and_(Area.valid_until.is_(None), AreaVersion.valid_until.is_(None))
    return sa.or_(both_open, Area.valid_until == AreaVersion.valid_until)


def _standing(area: Area, version: AreaVersion, codes: Mapping[int, str]) -> StandingUnit:
    unit = Unit(
        code=version.code,
        name=version.name,
        short_name=version.short_name,
        level=area.level,
        kind=version.kind,
        parent_code="" if area.parent_id is None else codes[area.parent_id],
        urban_rural_code=version.urban_rural_code,
    )
    return StandingUnit(area.id, area.path, unit, version.valid_from, area.valid_until)
