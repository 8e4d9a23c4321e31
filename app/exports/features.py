"""Features of the OGC interface: grids, incidents and households, as the reader's role may see."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaBorder, AreaVersion
from app.areas.services import below_any
from app.core import policy, reads
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.core.pagination import after
from app.core.policy import Reach
from app.core.spatial import in_box, with_area
from app.exports.layers import GRIDS, LAYERS, Layer
from app.households.rules import MASKED_DECIMALS
from app.office.reading import within_reach
from sync.errors import Problem

Box = tuple[float, float, float, float]
Feature = dict[str, Any]
_EXACT = 6
"""Decimals of a cell to which an edge is trusted: what arithmetic adds beyond is none of it."""
_areas, _borders, _versions = table_of(Area), table_of(AreaBorder), table_of(AreaVersion)


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as it is told to clients.

    Attributes:
        moment: the field that ``datetime`` asks for; None when its features have no time.
    """

    name: str
    title: str
    description: str
    action: str
    moment: str | None = None


COLLECTIONS: Mapping[str, Collection] = {
    GRIDS: Collection(GRIDS, "网格 · Grids", "Standing grids with their borders", "org_unit.list"),
    "incidents": Collection(
        "incidents", "事件 · Incidents", "What was reported, where, and how far it is",
        "incident.list", "reported_at",
    ),
    "households": Collection(
        "households", "住户 · Households",
        "Doors and numbers of residents; who sees households masked gets rounded positions",
        "household.list", "last_confirmed_at",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """Which features.

    Attributes:
        boxes: any of them must be met; more than one where a box crosses the date line.
        begins, ends: the moments that a feature's time lies between, both included.
    """

    limit: int
    cursor: str | None = None
    boxes: Sequence[Box] = ()
    begins: datetime | None = None
    ends: datetime | None = None
    feature: str | None = None


def may_see(actor: Actor, collection: Collection, at_ms: int) -> bool:
    """Tell whether somebody sees features of a collection at all."""
    reach = policy.reach(actor, collection.action, at_ms)
    return bool(reach.paths or reach.everything)


def features(
    session: Session, actor: Actor, collection: Collection, wish: Wish, at_ms: int
) -> list[Feature]:
    """Return features by their id, one more than a page holds.

    Raises:
        Problem: 403 for whoever may see sums only.
    """
    if not may_see(actor, collection, at_ms):
        raise Problem(403, "not_allowed", action=collection.action)
    reach = policy.reach(actor, collection.action, at_ms)
    if collection.name == GRIDS:
        return _grids(session, reach, wish)
    return _records(session, collection, reach, wish)


def _records(session: Session, collection: Collection, reach: Reach, wish: Wish) -> list[Feature]:
    layer = LAYERS[collection.name]
    model, table = layer.model, table_of(layer.model)
    assert layer.point is not None and collection.moment is not None, "records lie somewhere"
    point, moment = table.c[layer.point], table.c[collection.moment]
    wanted = [within_reach(table.c, reach), table.c.deleted.is_(None),
              after([table.c.id], wish.cursor), *_in_time(moment, wish)]  # fmt: skip
    if wish.boxes:
        boxes = _shown_boxes(layer, wish.boxes) if reach.masked else wish.boxes
        wanted.append(sa.or_(sa.false(), *(in_box(point, *with_area(*box)) for box in boxes)))
    if wish.feature is not None:
        wanted.append(table.c.id == wish.feature)
    rows = session.execute(
        sa.select(table.c.id, table.c.body)
        .where(*wanted)
        .order_by(table.c.id)
        .limit(wish.limit + 1)
    )
    engine = current_engine()
    found = []
    for row in rows:
        values = json.loads(engine.seal.shown(model.kind, row.id, row.body))
        shown = engine.mask(model.kind, values) if reach.masked else values
        told = {name: shown.get(name) for name in (layer.point, *layer.fields)}
        reads.note(session, engine.tables[model.kind], [{**told, "id": row.id}],
                   masked=reach.masked)  # fmt: skip
        place = shown.get(layer.point)
        found.append({
            "type": "Feature", "id": row.id,
            "geometry": place and {"type": "Point", "coordinates": place},
            "properties": {"grid": shown.get("grid"), **{f: shown.get(f) for f in layer.fields}},
        })  # fmt: skip
    return found


def _shown_boxes(layer: Layer, boxes: Sequence[Box]) -> Sequence[Box]:
    """Return the boxes that hold what is shown in others, for whom positions are masked.

    A box is asked of the position that is shown: asked of the one that is stored, boxes made ever
    smaller would tell it.
    """
    masks = dict(current_engine().tables[layer.model.kind].masked)
    if layer.point not in masks:
        return boxes
    if masks[layer.point] is None:
        return ()
    whole = (_whole_cells(box) for box in boxes)
    return [box for box in whole if box[0] <= box[2] and box[1] <= box[3]]


def _whole_cells(box: Box) -> Box:
    """Return the box of all positions that are rounded into a box; the wrong way round if none."""
    scale, west, south, east, north = 10**MASKED_DECIMALS, *box

    def first(edge: float) -> float:
        return (math.ceil(round(edge * scale, _EXACT)) - 0.5) / scale

    def last(edge: float) -> float:
        return (math.floor(round(edge * scale, _EXACT)) + 0.5) / scale

    return first(west), first(south), last(east), last(north)


def _in_time(moment: Any, wish: Wish) -> list[sa.ColumnElement[bool]]:
    bounds = []
    if wish.begins is not None:
        bounds.append(moment >= wish.begins)
    if wish.ends is not None:
        bounds.append(moment <= wish.ends)
    return bounds


def _grids(session: Session, reach: Reach, wish: Wish) -> list[Feature]:
    """Return grids; they have no time, so any time is theirs."""
    wanted = [_areas.c.level == GRID_LEVEL, _areas.c.valid_until.is_(None),
              after([_areas.c.id], wish.cursor),
              sa.true() if reach.everything else below_any(reach.paths)]  # fmt: skip
    if wish.boxes:
        wanted.append(sa.or_(*(in_box(_borders.c.geom, *with_area(*box)) for box in wish.boxes)))
    if wish.feature is not None:
        wanted.append(_areas.c.id == _as_number(wish.feature))
    latest = (
        sa.select(sa.func.max(_versions.c.valid_from))
        .where(_versions.c.area_id == _areas.c.id)
        .correlate(_areas)
        .scalar_subquery()
    )
    shape = sa.func.ST_AsGeoJSON(_borders.c.geom, 7, type_=sa.Text)
    current = sa.and_(_borders.c.area_id == _areas.c.id, _borders.c.valid_until.is_(None))
    named = sa.and_(_versions.c.area_id == _areas.c.id, _versions.c.valid_from == latest)
    rows = session.execute(
        sa.select(_areas.c.id, _versions.c.code, _versions.c.name, shape)
        .select_from(_areas.join(_versions, named).outerjoin(_borders, current))
        .where(*wanted)
        .order_by(_areas.c.id)
        .limit(wish.limit + 1)
    )
    return [
        {"type": "Feature", "id": area, "geometry": text and json.loads(text),
         "properties": {"code": code, "name": name}}
        for area, code, name, text in rows
    ]  # fmt: skip


def _as_number(text: str) -> int:
    """Return the id of a grid; what is no such number is nobody's."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
