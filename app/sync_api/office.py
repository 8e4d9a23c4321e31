"""Conflicts in the office: see them, settle them, undo nobody's work."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from app.core import reads
from app.core.actor import current_actor
from app.core.conflicts import ConflictRow
from app.core.database import Mode, current_session
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.core.pagination import PageQuery, page
from app.core.sight import SIDES
from app.core.web import Blueprint
from app.office import writing
from app.office.reading import list_records
from sync.conflicts import CHOICES, OPEN, RESOLVED, SETTLED

blueprint = Blueprint("settling", __name__, url_prefix="/api/v1", description="Conflicts")


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
    for row in rows[: query["limit"]]:
        table, masked = sight.tables.get(row["kind"]), row["kind"] in sight.masked
        sides = [row[side]["values"] for side in SIDES if row.get(side)]
        named = [{**values, "id": row["record"]} for values in sides]
        reads.note(current_session(), table, named, masked=masked)
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
