"""The doors that open one household, contact or person for a stated reason."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import jsonify

from app.core import audit
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.web import Blueprint, Need
from app.households.models import Contact, Household
from app.households.opening import READ, READ_SENSITIVE, reveal_person
from app.households.views import ContactOut
from app.identity.approval_views import ApprovalOut
from app.identity.approvals import Approval
from app.office.reading import read_record, with_etag
from app.office.reveal_views import RevealIn, RevealOut, reveal

blueprint = Blueprint(
    "revealing", __name__, url_prefix="/api/v1", description="One record, for a stated reason"
)


@blueprint.route("/households/<uuid:record>/reveal", methods=["POST"])
@blueprint.guard("household.read", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(RevealIn)
@blueprint.response(201, RevealOut)
def reveal_household(body: dict[str, str], record: UUID) -> Any:
    """Open one household for a stated reason, for fifteen minutes."""
    return reveal(current_session(), current_actor(), Household, str(record), "household.read",
                  body["reason"])  # fmt: skip


@blueprint.route("/contacts/<uuid:record>")
@blueprint.guard(READ, Mode.WRITE)
@blueprint.response(200, ContactOut)
def read_contact(record: UUID) -> Any:
    """Read one contact; the read is written down."""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, Contact, str(record), READ)
    audit.record(session, READ, user_id=actor.user_id, subject=str(record))
    return with_etag(shown)


@blueprint.route("/contacts/<uuid:record>/reveal", methods=["POST"])
@blueprint.guard(READ, Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(RevealIn)
@blueprint.response(201, RevealOut)
def reveal_contact(body: dict[str, str], record: UUID) -> Any:
    """Open one contact for a stated reason, for fifteen minutes."""
    return reveal(current_session(), current_actor(), Contact, str(record), READ, body["reason"])


@blueprint.route("/service-persons/<uuid:record>/reveal", methods=["POST"])
@blueprint.guard(READ, Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(RevealIn)
@blueprint.response(201, RevealOut)
@blueprint.alt_response(202, schema=ApprovalOut, description="It waits for a second person")
def reveal_service_person(body: dict[str, str], record: UUID) -> Any:
    """Open one person's record for a stated reason; a minor's needs a colleague's word first."""
    return _opened(str(record), READ, body["reason"])


@blueprint.route("/service-persons/<uuid:record>/care/reveal", methods=["POST"])
@blueprint.guard(READ_SENSITIVE, Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(RevealIn)
@blueprint.response(201, RevealOut)
@blueprint.alt_response(202, schema=ApprovalOut, description="It waits for a second person")
def reveal_care(body: dict[str, str], record: UUID) -> Any:
    """Open what a helper must know of a person, for a stated reason."""
    return _opened(str(record), READ_SENSITIVE, body["reason"])


def _opened(record: str, action: str, why: str) -> Any:
    found = reveal_person(
        current_session(), current_actor(), record, action, why, datetime.now(UTC)
    )
    if isinstance(found, Approval):
        response = jsonify(ApprovalOut().dump(found))
        response.status_code = 202
        return response
    return found
