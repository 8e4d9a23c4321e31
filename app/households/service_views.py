"""The office's view of consents, of persons who asked for a service, and of visits."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from app.core.actor import Actor, current_actor
from app.core.database import Mode, current_session
from app.core.engine import current_engine
from app.core.pagination import PageQuery, page
from app.core.reads import reads_of
from app.core.records import P3, Record
from app.core.web import Blueprint
from app.households.consents import (
    HOUSEHOLD_PURPOSES,
    WITHDRAWN,
    Question,
    question,
)
from app.households.models import Household
from app.households.opening import READ, READ_SENSITIVE, read_open
from app.households.purposes import all_notices, purposes_of
from app.households.rules import is_minor
from app.households.service_models import Consent, ServicePerson, Visit
from app.households.service_policies import SENSITIVE
from app.office import writing
from app.office.reading import (
    list_records,
    note_shown,
    place_of_record,
    read_record,
    with_etag,
)
from app.office.schemas import in_schema, out_schema

blueprint = Blueprint(
    "services", __name__, url_prefix="/api/v1", description="Consents, services and visits"
)

ConsentOut = out_schema(Consent, "Consent")
ConsentNew = in_schema(Consent, "ConsentNew", creating=True)
PersonOut = out_schema(ServicePerson, "ServicePerson", without=SENSITIVE)
PersonNew = in_schema(ServicePerson, "ServicePersonNew", creating=True)
PersonChange = in_schema(ServicePerson, "ServicePersonChange", creating=False)
VisitOut = out_schema(Visit, "Visit")
VisitNew = in_schema(Visit, "VisitNew", creating=True)
VisitChange = in_schema(Visit, "VisitChange", creating=False, without={"household"})
CONSENTS_MAX = 500


class OfHouseholdQuery(PageQuery):
    """Whose records to list."""

    household = fields.UUID(load_default=None)


class NoticeOut(Schema):
    """What is read out before somebody is asked."""

    version = fields.Integer(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)


class QuestionOut(Schema):
    """Where one purpose stands, and whether it may be asked about now."""

    subject = fields.UUID(required=True)
    purpose = fields.String(required=True)
    state = fields.String(required=True, allow_none=True)
    until = fields.String(required=True, allow_none=True)
    ask = fields.Boolean(required=True)


class CareOut(Schema):
    """What a helper must know of a person."""

    care_note = fields.String(required=True, allow_none=True)
    power_dependent = fields.Boolean(required=True, allow_none=True)


def _listed(model: type[Record], action: str, query: dict[str, Any]) -> Any:
    household: Any = model.household  # type: ignore[attr-defined]
    filters = [household == str(query["household"])] if query["household"] else []
    rows = list_records(
        current_session(), current_actor(), model, action, limit=query["limit"],
        cursor=query["cursor"], filters=filters,
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


# -- consents ---------------------------------------------------------------------------------


@blueprint.route("/consent-notices")
@blueprint.guard("consent.create")
@blueprint.response(200, NoticeOut(many=True))
def list_notices() -> Any:
    """List the notices that are read out, the newest last."""
    return all_notices(current_session())


@blueprint.route("/consents")
@blueprint.guard("consent.read")
@blueprint.arguments(OfHouseholdQuery, location="query")
@blueprint.response(200, ConsentOut(many=True))
def list_consents(query: dict[str, Any]) -> Any:
    """List the answers that people gave."""
    return _listed(Consent, "consent.read", query)


@blueprint.route("/consents", methods=["POST"])
@blueprint.guard("consent.create", Mode.WRITE)
@blueprint.arguments(ConsentNew)
@blueprint.response(201, ConsentOut)
def create_consent(body: dict[str, Any]) -> Any:
    """Take down an answer: given, or declined."""
    session, actor = current_session(), current_actor()
    record = writing.create(session, actor, "consent", body)
    return read_record(session, actor, Consent, record, "consent.read")


@blueprint.route("/consents/<uuid:record>/withdraw", methods=["POST"])
@blueprint.guard("consent.withdraw", Mode.WRITE)
@blueprint.response(200, ConsentOut)
def withdraw_consent(record: UUID) -> Any:
    """Withdraw a consent: what stood on it is emptied at once, here and on every phone."""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, Consent, str(record), "consent.withdraw")
    writing.change(session, actor, "consent", str(record), {"state": WITHDRAWN}, base=shown["rv"])
    return read_record(session, actor, Consent, str(record), "consent.withdraw")


@blueprint.route("/households/<uuid:record>/questions")
@blueprint.guard("consent.read")
@blueprint.response(200, QuestionOut(many=True))
def list_questions(record: UUID) -> Any:
    """Tell what a household may be asked now; whoever declined is left in peace for 180 days."""
    session, actor = current_session(), current_actor()
    place_of_record(session, actor, Household, str(record), "consent.read")
    return [asdict(one) for one in questions(session, actor, str(record))]


def questions(session: Session, actor: Actor, household: str) -> list[Question]:
    """Return where each purpose of a household stands, and each that somebody has answered."""
    rows = list_records(
        session, actor, Consent, "consent.read", limit=CONSENTS_MAX, cursor=None,
        filters=[Consent.household == household],
    )  # fmt: skip
    asked = {(household, purpose): None for purpose in HOUSEHOLD_PURPOSES}
    asked |= {(row["subject"], row["purpose"]): None for row in rows}
    now, standing = datetime.now(UTC), purposes_of(session)
    return [question(subject, purpose, rows, now, standing) for subject, purpose in asked]


# -- persons who asked for a service ----------------------------------------------------------


@blueprint.route("/service-persons")
@blueprint.guard("resident.list")
@blueprint.arguments(OfHouseholdQuery, location="query")
@blueprint.response(200, PersonOut(many=True))
def list_persons(query: dict[str, Any]) -> Any:
    """List persons who asked for a service, masked as the role demands; minors for everybody."""
    rows, headers = _listed(ServicePerson, "resident.list", query)
    now, mask = datetime.now(UTC), current_engine().mask
    shown = [{**row, **mask(ServicePerson.kind, _values(row))} if is_minor(row, now) else row
             for row in rows]  # fmt: skip
    return shown, headers


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("id", "rv")}


@blueprint.route("/service-persons/<uuid:record>")
@blueprint.guard("resident.read", Mode.WRITE)
@blueprint.response(200, PersonOut)
@blueprint.alt_response(304, description="You have this version")
def read_person(record: UUID) -> Any:
    """Read one person; the read is written down, and care notes have a door of their own."""
    session, actor = current_session(), current_actor()
    shown = read_open(session, actor, str(record), READ)
    note_shown(session, ServicePerson, [shown])
    return with_etag(shown)


@blueprint.route("/service-persons", methods=["POST"])
@blueprint.guard("resident.create", Mode.WRITE)
@blueprint.arguments(PersonNew)
@blueprint.response(201, PersonOut)
def create_person(body: dict[str, Any]) -> Any:
    """Take down somebody who asked for a service and consented."""
    session, actor = current_session(), current_actor()
    record = writing.create(session, actor, "service_person", body)
    return read_record(session, actor, ServicePerson, record, "resident.read")


@blueprint.route("/service-persons/<uuid:record>", methods=["PATCH"])
@blueprint.guard("resident.update", Mode.WRITE)
@blueprint.arguments(PersonChange)
@blueprint.response(200, PersonOut)
def change_person(body: dict[str, Any], record: UUID) -> Any:
    """Change a person of which you saw the version in If-Match."""
    session, actor = current_session(), current_actor()
    shown = read_open(session, actor, str(record), READ)
    writing.change_seen(session, actor, "service_person", shown, body)
    return with_etag(read_record(session, actor, ServicePerson, str(record), "resident.read"))


@blueprint.route("/service-persons/<uuid:record>/care")
@blueprint.guard("resident_sensitive.read", Mode.WRITE)
@blueprint.response(200, CareOut)
def read_care(record: UUID) -> Any:
    """Read what a helper must know, for a case on your desk or behind the glass."""
    session, actor = current_session(), current_actor()
    shown = read_open(session, actor, str(record), READ_SENSITIVE)
    care = {name: shown.get(name) for name in SENSITIVE}
    reads_of(session).add(ServicePerson.kind, str(record), {P3})
    note_shown(session, ServicePerson, [{"id": str(record), **care}])
    return care


# -- visits -----------------------------------------------------------------------------------


@blueprint.route("/visits")
@blueprint.guard("visit.list")
@blueprint.arguments(OfHouseholdQuery, location="query")
@blueprint.response(200, VisitOut(many=True))
def list_visits(query: dict[str, Any]) -> Any:
    """List visits and what came of them."""
    return _listed(Visit, "visit.list", query)


@blueprint.route("/visits", methods=["POST"])
@blueprint.guard("visit.create", Mode.WRITE)
@blueprint.arguments(VisitNew)
@blueprint.response(201, VisitOut)
def create_visit(body: dict[str, Any]) -> Any:
    """Note a visit; whoever was met has confirmed that the household is there."""
    session, actor = current_session(), current_actor()
    record = writing.create(session, actor, "visit", body)
    return read_record(session, actor, Visit, record, "visit.list")


@blueprint.route("/visits/<uuid:record>", methods=["PATCH"])
@blueprint.guard("visit.update", Mode.WRITE)
@blueprint.arguments(VisitChange)
@blueprint.response(200, VisitOut)
def change_visit(body: dict[str, Any], record: UUID) -> Any:
    """Change one's own visit of which you saw the version in If-Match."""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, Visit, str(record), "visit.list")
    writing.change_seen(session, actor, "visit", shown, body)
    return with_etag(read_record(session, actor, Visit, str(record), "visit.list"))
