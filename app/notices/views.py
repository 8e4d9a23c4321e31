"""The office's view of notices: publish them, change them, see how far they have come."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from app.areas.divisions import LEVELS
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.notices import counting, reading, rules, services
from app.notices.counting import Ask
from app.notices.models import Notice
from app.office.reading import with_etag
from app.office.schemas import in_schema, out_schema

blueprint = Blueprint("notices", __name__, url_prefix="/api/v1", description="What is told to all")

NoticeOut = out_schema(Notice, "Notice")
NoticeNew = in_schema(Notice, "NoticeNew", creating=True, without=("withdraw_reason",))
NoticeChange = in_schema(Notice, "NoticeChange", creating=False, without=("withdraw_reason",))


class NoticeQuery(PageQuery):
    """Which notices to list."""

    state = fields.String(load_default=None, validate=validate.OneOf(rules.STATES))


class WithdrawalBody(Schema):
    """Why a notice is taken back; every phone shows it."""

    reason = fields.String(required=True, validate=validate.Length(1, 500))


class ProgressQuery(Schema):
    """By which level of area to count."""

    level = fields.String(load_default="township", validate=validate.OneOf(LEVELS))


class ProgressOut(Schema):
    """How far a notice has come in one area; people only of emergency notices."""

    area = fields.Integer()
    name = fields.String()
    times = fields.Integer(metadata={"description": "how often it was explained"})
    addressees = fields.Integer()
    acknowledged = fields.Integer()


class ReceiptsQuery(Schema):
    """Where to go on in the list."""

    after = fields.Integer(load_default=0, validate=validate.Range(0, 2**53))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 200))


class MissingOut(Schema):
    """Somebody whom an emergency notice has not reached yet."""

    user = fields.Integer()
    name = fields.String()
    role = fields.String()
    area = fields.Integer()


@blueprint.route("/notices")
@blueprint.guard("notice.list")
@blueprint.arguments(NoticeQuery, location="query")
@blueprint.response(200, NoticeOut(many=True))
def list_notices(query: dict[str, Any]) -> Any:
    """List notices: what is meant for you, and in the office all of your area."""
    rows = reading.list_notices(current_session(), current_actor(), **query)
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/notices/<uuid:record>")
@blueprint.guard("notice.read")
@blueprint.response(200, NoticeOut)
@blueprint.alt_response(304, description="You have this version")
def read_notice(record: UUID) -> Any:
    """Read one notice."""
    return with_etag(_read(record))


def _read(record: UUID, action: str = "notice.read") -> dict[str, Any]:
    return reading.read_notice(current_session(), current_actor(), str(record), action)


@blueprint.route("/notices", methods=["POST"])
@blueprint.guard("notice.create", Mode.WRITE)
@blueprint.arguments(NoticeNew)
@blueprint.response(201, NoticeOut)
def publish_notice(body: dict[str, Any]) -> Any:
    """Publish a notice to areas or around a place, for all who serve there or some roles."""
    return _read(UUID(services.publish(current_session(), current_actor(), body)))


@blueprint.route("/notices/<uuid:record>", methods=["PATCH"])
@blueprint.guard("notice.update", Mode.WRITE)
@blueprint.arguments(NoticeChange)
@blueprint.response(200, NoticeOut)
def change_notice(body: dict[str, Any], record: UUID) -> Any:
    """Change your own notice of which you saw the version in If-Match."""
    services.change(current_session(), current_actor(), _read(record), body)
    return with_etag(_read(record))


@blueprint.route("/notices/<uuid:record>/withdrawal", methods=["POST"])
@blueprint.guard("notice.withdraw", Mode.WRITE)
@blueprint.arguments(WithdrawalBody)
@blueprint.response(200, NoticeOut)
def withdraw_notice(body: dict[str, Any], record: UUID) -> Any:
    """Withdraw a notice; its text leaves every phone at the next contact."""
    services.withdraw(current_session(), current_actor(), _read(record), body["reason"])
    return with_etag(_read(record))


@blueprint.route("/notices/<uuid:record>/progress")
@blueprint.guard("notice.receipts")
@blueprint.arguments(ProgressQuery, location="query")
@blueprint.response(200, ProgressOut(many=True))
def read_progress(query: dict[str, Any], record: UUID) -> Any:
    """Count by area how often a notice was explained, and how many have seen an emergency."""
    reach = counting.reach_of(current_actor())
    ask = Ask(_read(record), reach, query["level"])
    return counting.by_area(current_session(), ask)


@blueprint.route("/notices/<uuid:record>/receipts")
@blueprint.guard("notice.receipts")
@blueprint.arguments(ReceiptsQuery, location="query")
@blueprint.response(200, MissingOut(many=True))
def list_missing(query: dict[str, Any], record: UUID) -> Any:
    """List who has not acknowledged an emergency notice; nobody is listed for any other."""
    reach = counting.reach_of(current_actor())
    return counting.missing(current_session(), _read(record), reach, **query)
