"""The doors of break-glass: state a reason, list what was opened, close it again."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from app.core.actor import Actor, current_actor
from app.core.database import Mode, current_session
from app.core.pagination import PageQuery, page
from app.core.policy import Answer
from app.core.records import Record
from app.core.web import Blueprint
from app.office import reveals
from app.office.reading import place_of_record
from app.office.reveals import Glass, Reveal
from app.office.schemas import reason
from sync.errors import Problem

blueprint = Blueprint(
    "reveals", __name__, url_prefix="/api/v1/reveals", description="Break-glass, with a reason"
)


class RevealIn(Schema):
    """Why a record has to be opened."""

    reason = reason()


class RevealOut(Schema):
    """A record that is open to one session for a reason."""

    id = fields.UUID(required=True)
    user_id = fields.Integer(required=True)
    kind = fields.String(required=True)
    record = fields.UUID(required=True)
    action = fields.String(required=True)
    reason = fields.String(required=True)
    opened_at = fields.AwareDateTime(required=True)
    until = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    approved_by = fields.Integer(required=True, allow_none=True)
    uses = fields.Integer(required=True)


def reveal(
    session: Session, actor: Actor, model: type[Record], record: str, action: str, why: str
) -> Reveal:
    """Open one record for a reason, if the table asks for one.

    Raises:
        Problem: 404 absent or out of scope, 403 not for this role, 409 ``nothing_to_reveal``.
    """
    _, answer = place_of_record(session, actor, model, record, action, besides=(Answer.REASON,))
    if answer is not Answer.REASON:
        raise Problem(409, "nothing_to_reveal")
    glass = Glass(model.kind, record, action)
    return reveals.break_glass(session, actor, glass, why, datetime.now(UTC))


@blueprint.route("")
@blueprint.guard("user.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RevealOut(many=True))
def list_own(query: dict[str, Any]) -> Any:
    """List what you have opened, and what is open still."""
    rows = reveals.listed(current_session(), of=current_actor().user_id, **query)
    return page(rows, query["limit"], lambda row: (row.id,))


@blueprint.route("/all")
@blueprint.guard("audit.list")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RevealOut(many=True))
def list_all(query: dict[str, Any]) -> Any:
    """List what anybody has opened, for the auditor."""
    rows = reveals.listed(current_session(), of=None, **query)
    return page(rows, query["limit"], lambda row: (row.id,))


@blueprint.route("/<uuid:name>", methods=["DELETE"])
@blueprint.guard("user.read", Mode.WRITE)
@blueprint.response(204)
def end(name: UUID) -> Any:
    """Close a record that you have opened; a second time changes nothing."""
    reveals.end(current_session(), current_actor(), str(name), datetime.now(UTC))
