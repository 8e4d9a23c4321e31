"""The office's view of emergency campaigns: orders, what was entered, and the certificates."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from app.campaigns import phones, reading, services
from app.campaigns.models import EmergencyEntry, EmergencyOrder
from app.core.actor import current_actor
from app.core.bounds import moment_field
from app.core.database import Mode, current_session
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.office.reading import list_records, with_etag
from app.office.schemas import in_schema, out_schema

blueprint = Blueprint(
    "campaigns", __name__, url_prefix="/api/v1", description="Emergencies under an order"
)

OrderOut = out_schema(EmergencyOrder, "EmergencyOrder")
OrderFields = in_schema(EmergencyOrder, "OrderFields", creating=True, without=("approved",))
EntryOut = out_schema(EmergencyEntry, "EmergencyEntry")


class CampaignNotice(Schema):
    """The notice that an order brings to all who serve in its areas."""

    title = fields.String(required=True, validate=validate.Length(1, 120))
    text = fields.String(required=True, validate=validate.Length(1, 4000))
    talking_points = fields.List(fields.String(), validate=validate.Length(max=20))
    title_en = fields.String(validate=validate.Length(1, 200))
    text_en = fields.String(validate=validate.Length(1, 8000))


class CampaignErrand(Schema):
    """What is asked of each grid of an order's areas."""

    task_kind = fields.String(required=True, validate=validate.Length(1, 40))
    title = fields.String(required=True, validate=validate.Length(1, 120))
    instructions = fields.String(validate=validate.Length(max=2000))


class CampaignTask(CampaignErrand):
    """The task that an order brings to each grid of its areas."""

    due_at = moment_field()


class OrderNew(OrderFields):  # type: ignore[misc, valid-type]
    """An order with what it brings."""

    notice = fields.Nested(CampaignNotice, load_default=None)
    task = fields.Nested(CampaignTask, load_default=None)


class CampaignTaskOut(CampaignErrand):
    """The task that an order would bring, as it was proposed."""

    due_at = fields.String()


class OrderRead(OrderOut):  # type: ignore[misc, valid-type]
    """An order, with what it would bring as long as nobody has approved it."""

    notice = fields.Nested(CampaignNotice, allow_none=True)
    task = fields.Nested(CampaignTaskOut, allow_none=True)


class EntryQuery(PageQuery):
    """Under which order."""

    order = fields.UUID(required=True)


class PhonesOut(Schema):
    """Which phones have said that they wiped what was destroyed."""

    confirmed = fields.Integer()
    open = fields.List(fields.UUID(), metadata={"description": "devices that have not said so"})


class CertificateOut(Schema):
    """What was destroyed when, and the numbers that stay; those below five are left out."""

    order_id = fields.UUID()
    county = fields.Integer()
    title = fields.String()
    basis = fields.String()
    purpose = fields.String()
    starts = fields.AwareDateTime()
    ends = fields.AwareDateTime()
    destroy_by = fields.AwareDateTime()
    begun_at = fields.AwareDateTime()
    done_at = fields.AwareDateTime()
    counts = fields.Dict()
    sha256 = fields.String()
    phones = fields.Nested(PhonesOut)


@blueprint.route("/orders")
@blueprint.guard("notice.list")
@blueprint.response(200, OrderOut(many=True))
def list_orders() -> Any:
    """List the orders of your area, the latest first."""
    return reading.orders(current_session(), current_actor())


@blueprint.route("/orders/<uuid:record>")
@blueprint.guard("notice.read")
@blueprint.response(200, OrderRead)
@blueprint.alt_response(304, description="You have this version")
def read_order(record: UUID) -> Any:
    """Read one order; while it waits for approval, the county also reads what it would send."""
    shown = _read(record)
    return with_etag({**shown, **reading.plan(current_session(), current_actor(), shown)})


def _read(record: UUID) -> dict[str, Any]:
    return reading.order(current_session(), current_actor(), str(record))


@blueprint.route("/orders", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.arguments(OrderNew)
@blueprint.response(201, OrderOut)
def propose_order(body: dict[str, Any]) -> Any:
    """Propose an emergency order; it holds when a second person of the county has approved it."""
    return _read(UUID(services.propose(current_session(), current_actor(), body)))


@blueprint.route("/orders/<uuid:record>/approval", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.response(200, OrderOut)
def approve_order(record: UUID) -> Any:
    """Approve an order that somebody else has proposed; notice and tasks go out at once."""
    services.approve(current_session(), current_actor(), _read(record))
    return with_etag(_read(record))


@blueprint.route("/orders/<uuid:record>/closing", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.response(200, OrderOut)
def close_order(record: UUID) -> Any:
    """End an order now; nothing can be entered any more."""
    services.close(current_session(), current_actor(), _read(record))
    return with_etag(_read(record))


@blueprint.route("/emergency-entries")
@blueprint.guard("resident.list")
@blueprint.arguments(EntryQuery, location="query")
@blueprint.response(200, EntryOut(many=True))
def list_entries(query: dict[str, Any]) -> Any:
    """List what was entered under an order, personal fields masked as the role demands."""
    rows = list_records(
        current_session(), current_actor(), EmergencyEntry, "resident.list",
        limit=query["limit"], cursor=query["cursor"],
        filters=[EmergencyEntry.order_id == str(query["order"])],
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/orders/<uuid:record>/certificate")
@blueprint.guard("stats.read")
@blueprint.response(200, CertificateOut)
def read_certificate(record: UUID) -> Any:
    """Read the certificate of what was destroyed after an order had ended."""
    session, order = current_session(), str(record)
    found = reading.certificate(session, current_actor(), order)
    names = CertificateOut().fields.keys() - {"phones"}
    told = {name: getattr(found, name) for name in names}
    return {**told, "phones": phones.phones_of(session, order)}
