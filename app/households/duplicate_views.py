"""Ask, before a household is taken down, whether it is known already."""

from dataclasses import asdict
from typing import Any

from marshmallow import Schema, fields, validate

from app.core import audit
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.web import Blueprint
from app.households import duplicates

blueprint = Blueprint(
    "duplicates", __name__, url_prefix="/api/v1/households", description="Taken down twice?"
)


class LookIn(Schema):
    """What is about to be taken down; the answer names no value of what it finds."""

    phone = fields.String(validate=validate.Length(max=40))
    address_text = fields.String(validate=validate.Length(max=120))
    building = fields.String(validate=validate.Length(max=20), allow_none=True)
    unit_room = fields.String(validate=validate.Length(max=20), allow_none=True)


class CandidateOut(Schema):
    """A household that looks the same."""

    household = fields.UUID(required=True)
    grid = fields.Integer(required=True)
    same = fields.String(
        required=True, validate=validate.OneOf([duplicates.PHONE, duplicates.ADDRESS])
    )


class FoundOut(Schema):
    """What was found, here and elsewhere."""

    candidates = fields.List(fields.Nested(CandidateOut), required=True)
    elsewhere = fields.Boolean(
        required=True,
        metadata={"description": "known elsewhere: ask your supervisor, who can see where"},
    )


@blueprint.route("/duplicates", methods=["POST"])
@blueprint.guard("resident.search_blind", Mode.WRITE)
@blueprint.arguments(LookIn)
@blueprint.response(200, FoundOut)
def look(body: dict[str, Any]) -> Any:
    """Tell whether a telephone number or an address is known; the look is written down."""
    session, actor = current_session(), current_actor()
    found = duplicates.find(session, actor, phone=body.get("phone"), address=body)
    audit.record(session, "resident.search_blind", user_id=actor.user_id, sort=audit.READ,
                 why=audit.OWN_WORK,
                 candidates=len(found.candidates), elsewhere=found.elsewhere)  # fmt: skip
    return asdict(found)
