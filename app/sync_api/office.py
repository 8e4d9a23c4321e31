"""Conflicts and parked edits in the office: see them, settle them, undo nobody's work."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any
from app.core import policy
from app.core.actor import Actor, current_actor
from app.core.conflicts import ConflictRow
from app.core.database import Mode, current_session
from app.core.engine import current_engine
from app.core.moments import as_text, now_ms
from app.core.pagination import PageQuery, after, page
from app.core.records import sync_tables
from app.core.sight import Sight
from app.core.web import Blueprint
from app.office import writing
from app.office.reading import list_records
from sync.conflicts import CHOICES, OPEN, RESOLVED, SETTLED
from sync.parking import DISCARDED, HELD, PARKED, REPAIRED

blueprint = Blueprint(
    "settling", __name__, url_prefix="/api/v1", description="Conflicts and parked edits"
)


class ConflictQuery(PageQuery):
    """Which conflicts to list."""

    state = fields.String(load_default=OPEN, validate=validate.OneOf((OPEN, SETTLED, RESOLVED)))
    record = fields.UUID(load_default=None)


class ConflictOut(Schema):
    """Two values of which only one could stand."""

    id = fields.UUID()
    rv = fields.Integer()
    kind = fields.String()
    record = fields.UUID()
    unit = fields.String()
    rule = fields.String()
    state = fields.String()
    won = fields.Dict()
    lost = fields.Dict()
    choice = fields.String(allow_none=True)
    base = fields.Integer()
    record_rv = fields.Integer(metadata={"description": "the record's version at the clash"})
    by = fields.Dict(allow_none=True, metadata={"description": "who chose, and when"})
    before = fields.Dict(allow_none=True, metadata={"description": "what an undo brings back"})


class Choice(Schema):
    """What to do with a conflict."""

    choice = fields.String(
        required=True, validate=validate.OneOf(CHOICES),
        metadata={"description": "keep what stands, swap it for the other value, or undo that"},
    )  # fmt: skip
    seen = fields.Integer(
        strict=True, validate=validate.Range(0, 2**53),
        metadata={"description": "the version of the record you saw; a swap over it is meant"},
    )  # fmt: skip


class ParkedQuery(PageQuery):
    """Which parked edits to list."""

    state = fields.String(
        load_default=PARKED, validate=validate.OneOf((PARKED, HELD, REPAIRED, DISCARDED))
    )


class ParkedOut(Schema):
    """An edit that waits for a human, whole, with the reason."""

    id = fields.UUID()
    device = fields.UUID()
    user = fields.Integer()
    code = fields.String()
    errors = fields.List(fields.Dict())
    state = fields.String()
    parked_at = fields.String()
    edit = fields.Dict()


class Repair(Schema):
    """Corrections to a parked edit."""

    set = fields.Dict(required=True, metadata={"description": "fields with their right values"})


@blueprint.route("/conflicts")
@blueprint.guard("conflict.list")
@blueprint.arguments(ConflictQuery, location="query")
@blueprint.response(200, ConflictOut(many=True))
def list_conflicts(query: dict[str, Any]) -> Any:
    """List conflicts of your area, the open ones unless told otherwise."""
    filters = [ConflictRow.state == query["state"]]
    if query["record"]:
        filters.append(ConflictRow.record == str(query["record"]))
    rows = list_records(
        current_session(), current_actor(), ConflictRow, "conflict.list", limit=query["limit"],
        cursor=query["cursor"], filters=filters,
    )  # fmt: skip
    sight = current_engine().sight(current_actor(), now_ms())
    rows = [dict(sight.conflict(row)) for row in rows]
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/conflicts/<uuid:conflict>/resolution", methods=["POST"])
@blueprint.guard("conflict.resolve", Mode.WRITE)
@blueprint.arguments(Choice)
@blueprint.response(200, Schema.from_dict({"status": fields.String()}, name="Receipt"))
def resolve_conflict(body: dict[str, Any], conflict: UUID) -> Any:
    """Choose: keep what stands, swap it, or undo the choice."""
    return writing.change(
        current_session(), current_actor(), "conflict", str(conflict), body, base=0, op="resolve"
    )


@blueprint.route("/parked-edits")
@blueprint.guard("parking.list")
@blueprint.arguments(ParkedQuery, location="query")
@blueprint.response(200, ParkedOut(many=True))
def list_parked(query: dict[str, Any]) -> Any:
    """List parked edits: your own, or those of your area."""
    rows = _parked(current_session(), current_actor(), query)
    return page(rows, query["limit"], lambda row: (row["id"],))


def _parked(session: Session, actor: Actor, query: dict[str, Any]) -> list[dict[str, Any]]:
    t = sync_tables.parked
    reach = policy.reach(actor, "parking.list", now_ms())
    seen = [t.c.user_id == actor.user_id if reach.own else sa.false()]
    if reach.everything:
        seen.append(sa.true())
    if reach.paths:
        scope = sa.literal("grid:") + sa.cast(Area.id, sa.String)
        seen.append(t.c.scope.in_(sa.select(scope).where(below_any(reach.paths))))
    rows = session.execute(
        sa.select(t)
        .where(sa.or_(*seen), t.c.state == query["state"], after([t.c.edit], query["cursor"]))
        .order_by(t.c.edit)
        .limit(query["limit"] + 1)
    )
    sight = current_engine().sight(actor, now_ms())
    return [_shown(row, sight, masked=reach.masked) for row in rows]


def _shown(row: Any, sight: Sight, *, masked: bool) -> dict[str, Any]:
    engine = current_engine()
    body: Mapping[str, Any] = json.loads(engine.seal.open("parked", row.edit, row.body))
    edit = dict(body["edit"])
    shown = {} if masked else sight.values(edit["kind"], edit["set"])
    edit["set"] = {name: shown.get(name) for name in edit["set"]}
    edit["was"] = {}
    return {
        "id": row.edit, "device": row.device, "user": row.user_id, "code": row.code,
        "errors": body["errors"], "state": row.state, "parked_at": as_text(row.parked_ms),
        "edit": edit,
    }  # fmt: skip


@blueprint.route("/parked-edits/<uuid:edit>/repair", methods=["POST"])
@blueprint.guard("parking.release", Mode.WRITE)
@blueprint.arguments(Repair)
@blueprint.response(200, Schema.from_dict({"status": fields.String()}, name="RepairReceipt"))
def repair(body: dict[str, Any], edit: UUID) -> Any:
    """Correct a parked edit; it is applied as its author's, and what waited for it follows."""
    return writing.change(
        current_session(), current_actor(), "parked", str(edit), body["set"], base=0, op="repair"
    )


@blueprint.route("/parked-edits/<uuid:edit>/discard", methods=["POST"])
@blueprint.guard("parking.release", Mode.WRITE)
@blueprint.response(200, Schema.from_dict({"status": fields.String()}, name="DiscardReceipt"))
def discard(edit: UUID) -> Any:
    """Lay a parked edit aside for good; it stays in the ledger."""
    return writing.change(
        current_session(), current_actor(), "parked", str(edit), {}, base=0, op="discard"
    )
