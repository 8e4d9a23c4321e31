"""The office's view of households and contacts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from marshmallow import fields, validate

from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.households.models import Contact, Household
from app.office import writing
from app.office.reading import list_records, read_record, with_etag
from app.office.schemas import in_schema, out_schema

blueprint = Blueprint("households", __name__, url_prefix="/api/v1", description="Who is served")

HouseholdOut = type("HouseholdOut", (out_schema(Household, "Household"),), {
    "stale": fields.Boolean(
        required=True,
        metadata={"description": "nobody has confirmed it for 24 months: ask again or drop it"},
    )
})  # fmt: skip
HouseholdNew = in_schema(Household, "HouseholdNew", creating=True)
HouseholdChange = in_schema(Household, "HouseholdChange", creating=False)
ContactOut = out_schema(Contact, "Contact")
ContactNew = in_schema(Contact, "ContactNew", creating=True)


class HouseholdQuery(PageQuery):
    """Which households to list."""

    grid = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))


class ContactQuery(PageQuery):
    """Whose contacts to list."""

    household = fields.UUID(load_default=None)


STALE_AFTER = timedelta(days=730)


def _aged(shown: dict[str, Any]) -> dict[str, Any]:
    """Return a household with a word on the age of what is held of it."""
    confirmed = shown.get("last_confirmed_at")
    old = confirmed is None or datetime.fromisoformat(confirmed) < datetime.now(UTC) - STALE_AFTER
    return {**shown, "stale": old}


@blueprint.route("/households")
@blueprint.guard("household.list")
@blueprint.arguments(HouseholdQuery, location="query")
@blueprint.response(200, HouseholdOut(many=True))
def list_households(query: dict[str, Any]) -> Any:
    """List households, personal fields masked as the role demands."""
    filters = [Household.grid == query["grid"]] if query["grid"] else []
    rows = list_records(
        current_session(), current_actor(), Household, "household.list", limit=query["limit"],
        cursor=query["cursor"], filters=filters,
    )  # fmt: skip
    return page([_aged(one) for one in rows], query["limit"], lambda row: (row["id"],))


@blueprint.route("/households/<uuid:record>")
@blueprint.guard("household.read", Mode.WRITE)
@blueprint.response(200, HouseholdOut)
@blueprint.alt_response(304, description="You have this version")
def read_household(record: UUID) -> Any:
    """Read one household; the read is written down"""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, Household, str(record), "household.read")
    return with_etag(_aged(shown))


@blueprint.route("/households", methods=["POST"])
@blueprint.guard("household.create", Mode.WRITE)
@blueprint.arguments(HouseholdNew)
@blueprint.response(201, HouseholdOut)
def create_household(body: dict[str, Any]) -> Any:
    """Capture a household."""
    session, actor = current_session(), current_actor()
    record = writing.create(session, actor, "household", body)
    return _aged(read_record(session, actor, Household, record, "household.read"))


@blueprint.route("/households/<uuid:record>", methods=["PATCH"])
@blueprint.guard("household.update", Mode.WRITE)
@blueprint.arguments(HouseholdChange)
@blueprint.response(200, HouseholdOut)
def change_household(body: dict[str, Any], record: UUID) -> Any:
    """Change a household of which you saw the version in If-Match."""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, Household, str(record), "household.read")
    writing.change_seen(session, actor, "household", shown, body)
    return with_etag(_aged(read_record(session, actor, Household, str(record), "household.read")))


@blueprint.route("/contacts")
@blueprint.guard("resident.list")
@blueprint.arguments(ContactQuery, location="query")
@blueprint.response(200, ContactOut(many=True))
def list_contacts(query: dict[str, Any]) -> Any:
    """List contacts, names and numbers masked as the role demands."""
    filters = [Contact.household == str(query["household"])] if query["household"] else []
    rows = list_records(
        current_session(), current_actor(), Contact, "resident.list", limit=query["limit"],
        cursor=query["cursor"], filters=filters,
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/contacts", methods=["POST"])
@blueprint.guard("resident.create", Mode.WRITE)
@blueprint.arguments(ContactNew)
@blueprint.response(201, ContactOut)
def create_contact(body: dict[str, Any]) -> Any:
    """Note how a household wishes to be reached."""
    session, actor = current_session(), current_actor()
    record = writing.create(session, actor, "contact", body)
    return read_record(session, actor, Contact, record, "resident.read")
