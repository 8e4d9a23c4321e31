"""The office's view of incidents: report them, find them on a map, take the first decisions."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from marshmallow import Schema, fields, validate

from app.core import policy
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.moments import now_ms
from app.core.pagination import PageQuery, page
from app.core.spatial import in_box, with_area
from app.core.web import Blueprint
from app.incidents import services
from app.incidents.duplicates import Seen, Suggestion, suggest
from app.incidents.models import Incident
from app.incidents.moves import act_names
from app.incidents.policies import STEP_FIELDS
from app.incidents.rules import CHOSEN_CLOSE_KINDS, LEVELS, STATES
from app.office import writing
from app.office.reading import list_records, read_record, with_etag
from app.office.schemas import in_schema, out_schema
from sync.errors import Problem

blueprint = Blueprint("incidents", __name__, url_prefix="/api/v1", description="What was reported")

PROGRESS = (
    "state", "round", "state_reason", "result_text", "act", "act_text", "act_until", *STEP_FIELDS,
)  # fmt: skip
IncidentOut = out_schema(Incident, "Incident")
IncidentNew = in_schema(Incident, "IncidentNew", creating=True, without=PROGRESS)
IncidentChange = in_schema(Incident, "IncidentChange", creating=False, without=PROGRESS)


class IncidentQuery(PageQuery):
    """Which incidents to list."""

    grid = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    category = fields.String(load_default=None, validate=validate.Length(2, 4))
    level = fields.String(load_default=None, validate=validate.OneOf(LEVELS))
    unit = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    handler = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    merged_into = fields.UUID(load_default=None)
    overdue = fields.Boolean(load_default=None)
    sampled = fields.Boolean(load_default=None)
    bbox = fields.String(
        load_default=None, validate=validate.Length(max=120),
        metadata={"description": "west,south,east,north in degrees"},
    )  # fmt: skip


class IncidentMoveBody(Schema):
    """A step of the workflow."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = fields.String(validate=validate.Length(1, 500))
    result_text = fields.String(validate=validate.Length(1, 2000))
    photo_count = fields.Integer(strict=True, validate=validate.Range(0, 20))
    no_photo_reason = fields.String(validate=validate.Length(1, 200))
    level = fields.String(
        validate=validate.OneOf(LEVELS), metadata={"description": "of a hand-up or hand-down"}
    )
    unit = fields.Integer(
        strict=True, validate=validate.Range(1, 2**53),
        metadata={"description": "of a dispatch: the grid or an area above it; else by the level"},
    )  # fmt: skip
    until = fields.String(metadata={"description": "when a hung case is looked at again"})
    close_kind = fields.String(validate=validate.OneOf(CHOSEN_CLOSE_KINDS))
    merged_into = fields.UUID(metadata={"description": "the incident that stands for both"})
    score_service = fields.Integer(strict=True, validate=validate.Range(1, 5))
    score_result = fields.Integer(strict=True, validate=validate.Range(1, 5))


class IncidentActBody(Schema):
    """Something done to an incident without a step."""

    act = fields.String(required=True, validate=validate.OneOf(act_names()))
    text = fields.String(validate=validate.Length(1, 500))
    until = fields.String(metadata={"description": "of an extension: the new due time"})


class SuggestionQuery(Schema):
    """A thing that somebody is about to report."""

    category = fields.String(required=True, validate=validate.Length(4, 4))
    lon = fields.Float(required=True, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, validate=validate.Range(-90, 90))


class SuggestionOut(Schema):
    """An incident that may be the same."""

    id = fields.UUID()
    category = fields.String()
    state = fields.String()
    grid = fields.Integer()
    reported_at = fields.AwareDateTime(format="iso")
    distance_m = fields.Float()
    hours_apart = fields.Float()
    likeness = fields.Float(metadata={"description": "from 0 to 1, by kind, distance and time"})


class CategoryOut(Schema):
    """A category of incident."""

    code = fields.String()
    parent_code = fields.String(allow_none=True)
    level = fields.Integer()
    name_zh = fields.String()
    name_en = fields.String()
    priority = fields.Integer(allow_none=True)
    accept_minutes = fields.Integer(allow_none=True)
    handle_hours = fields.Integer(allow_none=True)
    photo = fields.String(allow_none=True)
    emergency_call = fields.String(allow_none=True)


@blueprint.route("/incident-categories")
@blueprint.guard("codelist.read")
@blueprint.response(200, CategoryOut(many=True))
def list_categories() -> Any:
    """List the categories."""
    return services.categories(current_session())


@blueprint.route("/incidents")
@blueprint.guard("incident.list")
@blueprint.arguments(IncidentQuery, location="query")
@blueprint.response(200, IncidentOut(many=True))
def list_incidents(query: dict[str, Any]) -> Any:
    """List incidents of your area."""
    rows = list_records(
        current_session(), current_actor(), Incident, "incident.list", limit=query["limit"],
        cursor=query["cursor"], filters=_filters(query),
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


def _filters(query: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if query["grid"] is not None:
        wanted.append(Incident.grid == query["grid"])
    if query["state"] is not None:
        wanted.append(Incident.state == query["state"])
    for name in ("level", "unit", "handler", "overdue", "sampled"):
        if query[name] is not None:
            wanted.append(getattr(Incident, name) == query[name])
    if query["merged_into"] is not None:
        wanted.append(Incident.merged_into == str(query["merged_into"]))
    if query["category"] is not None:
        wanted.append(Incident.category.startswith(query["category"], autoescape=True))
    if query["bbox"] is not None:
        wanted.append(in_box(Incident.__table__.c.point, *with_area(*_box(query["bbox"]))))
    return wanted


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise Problem(
            422, "invalid_fields", errors=[{"field": "bbox", "code": "invalid"}]
        ) from None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise Problem(422, "invalid_fields", errors=[{"field": "bbox", "code": "out_of_range"}])
    return west, south, east, north


def _read(record: str) -> dict[str, Any]:
    return read_record(
        current_session(), current_actor(), Incident, record, "incident.read", own_field="reporter"
    )


@blueprint.route("/incidents/<uuid:record>")
@blueprint.guard("incident.read")
@blueprint.response(200, IncidentOut)
@blueprint.alt_response(304, description="You have this version")
def read_incident(record: UUID) -> Any:
    """Read one incident."""
    return with_etag(_read(str(record)))


@blueprint.route("/incidents/<uuid:record>/duplicates")
@blueprint.guard("incident.list")
@blueprint.response(200, SuggestionOut(many=True))
def list_duplicates(record: UUID) -> Any:
    """List up to five incidents that may be the same as this one, the likeliest first."""
    shown = _read(str(record))
    if shown["point"] is None or shown["reported_at"] is None:
        return []
    lon, lat = shown["point"]
    at = datetime.fromisoformat(shown["reported_at"])
    return _suggested(Seen(shown["category"], (lon, lat), at, shown["id"]))


@blueprint.route("/incident-duplicates")
@blueprint.guard("incident.list")
@blueprint.arguments(SuggestionQuery, location="query")
@blueprint.response(200, SuggestionOut(many=True))
def find_duplicates(query: dict[str, Any]) -> Any:
    """List up to five incidents that may be what you are about to report."""
    now = datetime.fromtimestamp(now_ms() / 1000, UTC)
    return _suggested(Seen(query["category"], (query["lon"], query["lat"]), now))


def _suggested(seen: Seen) -> list[Suggestion]:
    reach = policy.reach(current_actor(), "incident.list", now_ms())
    return suggest(current_session(), seen, reach)


@blueprint.route("/incidents", methods=["POST"])
@blueprint.guard("incident.create", Mode.WRITE)
@blueprint.arguments(IncidentNew)
@blueprint.response(201, IncidentOut)
def create_incident(body: dict[str, Any]) -> Any:
    """Report an incident; its grid follows from the position."""
    return _read(services.create(current_session(), current_actor(), body))


@blueprint.route("/incidents/<uuid:record>", methods=["PATCH"])
@blueprint.guard("incident.update", Mode.WRITE)
@blueprint.arguments(IncidentChange)
@blueprint.response(200, IncidentOut)
def change_incident(body: dict[str, Any], record: UUID) -> Any:
    """Change an incident of which you saw the version in If-Match."""
    shown = _read(str(record))
    writing.change_seen(current_session(), current_actor(), "incident", shown, body)
    return with_etag(_read(str(record)))


@blueprint.route("/incidents/<uuid:record>/moves", methods=["POST"])
@blueprint.guard("incident.read", Mode.WRITE)
@blueprint.arguments(IncidentMoveBody)
@blueprint.response(200, IncidentOut)
def move_incident(body: dict[str, Any], record: UUID) -> Any:
    """Take an incident one step on, as docs/incidents.md has it."""
    said = {name: str(v) if isinstance(v, UUID) else v for name, v in body.items()}
    services.move(current_session(), current_actor(), _read(str(record)), said)
    return with_etag(_read(str(record)))


@blueprint.route("/incidents/<uuid:record>/acts", methods=["POST"])
@blueprint.guard("incident.read", Mode.WRITE)
@blueprint.arguments(IncidentActBody)
@blueprint.response(200, IncidentOut)
def act_on_incident(body: dict[str, Any], record: UUID) -> Any:
    """Urge or supervise an incident, ask for time or for another level, grant or refuse it."""
    services.do(current_session(), current_actor(), _read(str(record)), body)
    return with_etag(_read(str(record)))
