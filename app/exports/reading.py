"""Read the rows of an export page by page, in one snapshot, in little memory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaBorder, AreaVersion
from app.areas.services import below
from app.core.database import table_of
from app.core.engine import Engine
from app.core.records import living
from app.exports.layers import GRIDS, LAYERS, Row, point_of

PAGE_ROWS = 1_000
GRIDS_A_PAGE = 100
_areas, _borders = table_of(Area), table_of(AreaBorder)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of which layer, below which path, with which fields."""

    layer: str
    path: str
    personal: bool


def count(session: Session, wanted: Wanted) -> int:
    """Return how many rows there will be."""
    grids = _grids_below(wanted.path)
    if wanted.layer == GRIDS:
        query = sa.select(sa.func.count()).select_from(grids.subquery())
        return session.execute(query).scalar_one()
    model = LAYERS[wanted.layer].model
    table = table_of(model)
    found = sa.select(sa.func.count()).where(table.c.grid.in_(grids), living(model))
    return session.execute(found).scalar_one()


def rows(session: Session, engine: Engine, wanted: Wanted) -> Iterator[Row]:
    """Yield the rows, those of records by their id (which is by time)."""
    places = _places(session, wanted.path)
    if wanted.layer == GRIDS:
        yield from _grid_rows(session, places)
    else:
        yield from _record_rows(session, engine, wanted, places)


def _grids_below(path: str) -> sa.Select[Any]:
    standing = _areas.c.valid_until.is_(None)
    return sa.select(_areas.c.id).where(below(path), _areas.c.level == GRID_LEVEL, standing)


def _record_rows(
    session: Session, engine: Engine, wanted: Wanted, places: Mapping[int, Mapping[str, Any]]
) -> Iterator[Row]:
    layer = LAYERS[wanted.layer]
    table, kind = table_of(layer.model), layer.model.kind
    names = (*layer.fields, *(layer.personal if wanted.personal else ()))
    query = sa.select(table.c.id, table.c.body).where(
        table.c.grid.in_(_grids_below(wanted.path)), living(layer.model)
    )
    number, last = 0, None
    while True:
        further = query if last is None else query.where(table.c.id > last)
        page = session.execute(further.order_by(table.c.id).limit(PAGE_ROWS)).all()
        for row in page:
            number += 1
            values = {"id": row.id, **json.loads(engine.seal.shown(kind, row.id, row.body))}
            place = places.get(values.get("grid") or 0, {})
            shown = {"number": number, **place, **{name: values.get(name) for name in names}}
            point = values.get(layer.point) if layer.point else None
            yield Row(shown, point_of(point, personal=wanted.personal))
        if len(page) < PAGE_ROWS:
            return
        last = page[-1].id


def _grid_rows(session: Session, places: Mapping[int, Mapping[str, Any]]) -> Iterator[Row]:
    ids = sorted(places, key=lambda one: places[one]["grid_code"])
    for first in range(0, len(ids), GRIDS_A_PAGE):
        some = ids[first : first + GRIDS_A_PAGE]
        shape = sa.func.ST_AsGeoJSON(_borders.c.geom, 7, type_=sa.Text)
        found = session.execute(
            sa.select(_borders.c.area_id, shape)
            .where(_borders.c.area_id.in_(some), _borders.c.valid_until.is_(None))
        )  # fmt: skip
        shapes = {area: json.loads(text) for area, text in found}
        for grid in some:
            place = places[grid]
            yield Row(
                {"code": place["grid_code"], "name": place["grid_name"],
                 "village": place["village"], "township": place["township"]},
                shapes.get(grid),
            )  # fmt: skip


def _places(session: Session, path: str) -> dict[int, Mapping[str, Any]]:
    """Return how each grid below a path, and what is above it, is called today."""
    village, township = sa.orm.aliased(Area), sa.orm.aliased(Area)
    found = (
        sa.select(_areas.c.id, village.id.label("village"), township.id.label("township"))
        .join(village, village.id == _areas.c.parent_id)
        .join(township, township.id == village.parent_id)
        .where(below(path), _areas.c.level == GRID_LEVEL, _areas.c.valid_until.is_(None))
    )
    grids = session.execute(found).all()
    names = _names(session, {area for row in grids for area in row})
    unknown = ("", "")
    return {
        row.id: {
            "grid_code": names.get(row.id, unknown)[0],
            "grid_name": names.get(row.id, unknown)[1],
            "village": names.get(row.village, unknown)[1],
            "township": names.get(row.township, unknown)[1],
        }
        for row in grids
    }


def _names(session: Session, areas: set[int]) -> dict[int, tuple[str, str]]:
    found = (
        sa.select(AreaVersion.area_id, AreaVersion.code, AreaVersion.name)
        .where(AreaVersion.area_id.in_(areas))
        .order_by(AreaVersion.valid_from)
    )
    return {area: (code, name) for area, code, name in session.execute(found)}
