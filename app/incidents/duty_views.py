"""The duty list over HTTP: who is in charge of which category where, and where a case would go."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.areas.services import paths_of
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.moments import now_ms
from app.core.web import Blueprint
from app.identity.policies import demand_place
from app.incidents import duties
from app.incidents.models import Incident
from app.incidents.rules import UNIT_LEVELS
from app.office.reading import read_record
from sync.errors import Problem

blueprint = Blueprint(
    "duties", __name__, url_prefix="/api/v1", description="Who deals with what, where"
)
ID_MAX = 2**53


class DutyQuery(Schema):
    """Of which area."""

    area = fields.Integer(required=True, validate=validate.Range(1, ID_MAX))


class DutyIn(Schema):
    """One line of the duty list; without a unit and a level it is struck off."""

    area = fields.Integer(required=True, strict=True, validate=validate.Range(1, ID_MAX))
    category = fields.String(
        required=True, validate=validate.Regexp(r"^(\d{2}|\d{4})?$"),
        metadata={"description": "a category, a group of two digits, or empty for all"},
    )  # fmt: skip
    unit = fields.Integer(
        strict=True, load_default=None, validate=validate.Range(1, ID_MAX),
        metadata={"description": "the area itself, or one above it"},
    )  # fmt: skip
    unit_level = fields.String(
        load_default=None, validate=validate.OneOf(UNIT_LEVELS),
        metadata={"description": "instead of a unit: the area of this level that holds a case"},
    )  # fmt: skip

    @validates_schema
    def _one(self, values: dict[str, Any], **_: Any) -> None:
        if values.get("unit") is not None and values.get("unit_level") is not None:
            raise ValidationError("Give a unit or a level.", "unit_level")


class DutyOut(Schema):
    """One line of the duty list."""

    area_id = fields.Integer(required=True)
    category = fields.String(required=True)
    unit = fields.Integer(required=True, allow_none=True)
    unit_level = fields.String(required=True, allow_none=True)


class ProposalOut(Schema):
    """The unit to which a case would be dispatched."""

    unit = fields.Integer(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    level = fields.String(required=True, allow_none=True)
    by = fields.String(required=True, metadata={"description": "duty, or level where none says"})
    duty_area = fields.Integer(required=True, allow_none=True)
    duty_category = fields.String(required=True, allow_none=True)


def _place(action: str, area: int) -> str:
    """Return the path of an area in which the asker has a right.

    Raises:
        Problem: 404 or 403.
    """
    path = paths_of(current_session(), [area]).get(area)
    demand_place(current_actor(), action, path, now_ms())
    if path is None:
        raise Problem(404, "not_found")
    return path


@blueprint.route("/incident-duties")
@blueprint.guard("codelist.read")
@blueprint.arguments(DutyQuery, location="query")
@blueprint.response(200, DutyOut(many=True))
def list_duties(query: dict[str, Any]) -> Any:
    """List the duties that hold in an area: its own, then those above it, the nearest first."""
    return duties.listed(current_session(), _place("codelist.read", query["area"]))


@blueprint.route("/incident-duties", methods=["PUT"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.arguments(DutyIn)
@blueprint.response(200, DutyOut(many=True))
def set_duty(body: dict[str, Any]) -> Any:
    """Say which unit is in charge of a category in an area; return the duties that hold there."""
    session, path = current_session(), _place("codelist.update", body["area"])
    duties.set_duty(session, current_actor(), path, body)
    return duties.listed(session, path)


@blueprint.route("/incidents/<uuid:record>/proposed-unit")
@blueprint.guard("incident.read")
@blueprint.response(200, ProposalOut)
def propose_unit(record: UUID) -> Any:
    """Tell to which unit a dispatch sends this incident when it names none, and why."""
    shown = read_record(
        current_session(), current_actor(), Incident, str(record), "incident.read",
        own_field="reporter",
    )  # fmt: skip
    return duties.proposal(current_session(), shown)
