"""Photos in the office and on screens: list them, see them, hide a part, count what is owed."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Response
from marshmallow import Schema, fields, validate

from app.core import audit
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.moments import as_text
from app.core.openapi import told_as
from app.core.pagination import PageQuery, page
from app.core.statuses import PROBLEM
from app.core.web import Blueprint, Need
from app.incidents.models import Incident
from app.office.reading import list_records, read_record, with_etag
from app.office.reveal_views import RevealIn, RevealOut, reveal
from app.office.schemas import in_schema, out_schema
from app.photos import reading, services
from app.photos.addresses import BY_ADDRESS, PARAMETER, sign
from app.photos.lane import current_lane
from app.photos.models import Photo
from app.photos.rules import ORIGINAL, PARTS_MAX, SIDE_OF, STATES
from sync.errors import Problem

blueprint = Blueprint(
    "photos", __name__, url_prefix="/api/v1", description="What was seen, and who may see it"
)

PhotoOut = out_schema(Photo, "Photo")
PhotoNew = in_schema(Photo, "PhotoNew", creating=True, without=("redactions",))
SEEING = dict.fromkeys(SIDE_OF, "photo.read_thumb") | {ORIGINAL: "photo.read_original"}


class PhotoQuery(PageQuery):
    """Which photos to list."""

    incident = fields.UUID(load_default=None)
    task = fields.UUID(load_default=None)
    grid = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class LedgerQuery(Schema):
    """Of what to count the photos."""

    incident = fields.UUID(load_default=None)
    task = fields.UUID(load_default=None)
    grid = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))


class LedgerRow(Schema):
    """How many photos of one incident or task have arrived."""

    incident = fields.UUID()
    task = fields.UUID()
    grid = fields.Integer()
    announced = fields.Integer(metadata={"description": "taken, as far as anybody has said"})
    known = fields.Integer(metadata={"description": "of which the facts are here"})
    arrived = fields.Integer(metadata={"description": "of which the bytes are safe"})
    rejected = fields.Integer(metadata={"description": "that are no pictures we take"})


class AddressIn(Schema):
    """Which picture of a photo."""

    variant = fields.String(required=True, validate=validate.OneOf([*SIDE_OF, ORIGINAL]))


class AddressOut(Schema):
    """Where it is to be seen, and until when."""

    path = fields.String()
    expires = fields.String()


class RedactionIn(Schema):
    """What must not be seen, in thousandths of the upright picture."""

    parts = fields.List(
        fields.List(fields.Integer(strict=True, validate=validate.Range(0, 1000)),
                    validate=validate.Length(equal=4)),
        required=True, validate=validate.Length(max=PARTS_MAX),
        metadata={"description": "[left, top, width, height] each; an empty list hides nothing"},
    )  # fmt: skip


@blueprint.route("/photos")
@blueprint.guard("photo.list", Mode.MERGE)
@blueprint.arguments(PhotoQuery, location="query")
@blueprint.response(200, PhotoOut(many=True))
def list_photos(query: dict[str, Any]) -> Any:
    """List photos of your area."""
    wanted: list[sa.ColumnElement[bool]] = [
        getattr(Photo, name) == (value if name in ("grid", "state") else str(value))
        for name in ("incident", "task", "grid", "state")
        if (value := query[name]) is not None
    ]
    session, actor = current_session(), current_actor()
    incident = str(query["incident"]) if query["incident"] else None
    rows = list_records(
        session, actor, Photo, "photo.list", limit=query["limit"], cursor=query["cursor"],
        filters=wanted, reach=services.reach_of(session, actor, incident),
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/incidents/<uuid:record>/photos/reveal", methods=["POST"])
@blueprint.guard("photo.list", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(RevealIn)
@blueprint.response(201, RevealOut)
def reveal_photos_of_incident(body: dict[str, str], record: UUID) -> Any:
    """Open the list of the photos of one incident for a stated reason, for fifteen minutes."""
    return reveal(current_session(), current_actor(), Incident, str(record), "photo.list",
                  body["reason"])  # fmt: skip


@blueprint.route("/photo-ledger")
@blueprint.guard("photo.list")
@blueprint.arguments(LedgerQuery, location="query")
@blueprint.response(200, LedgerRow(many=True))
def read_ledger(query: dict[str, Any]) -> Any:
    """Count for each incident and task the photos announced and the photos arrived."""
    return services.ledger(current_session(), current_actor(), query)


def _read(record: UUID, action: str) -> dict[str, Any]:
    return read_record(
        current_session(), current_actor(), Photo, str(record), action, own_field="taken_by"
    )


@blueprint.route("/photos/<uuid:record>")
@blueprint.guard("photo.read_meta", Mode.MERGE)
@blueprint.response(200, PhotoOut)
@blueprint.alt_response(304, description="You have this version")
def read_photo(record: UUID) -> Any:
    """Read the facts of a photo."""
    return with_etag(_read(record, "photo.read_meta"))


@blueprint.route("/photos", methods=["POST"])
@blueprint.guard("upload.create", Mode.WRITE)
@blueprint.arguments(PhotoNew)
@blueprint.response(201, PhotoOut)
def register_photo(body: dict[str, Any]) -> Any:
    """Register a photo from the office; its bytes follow to /files."""
    record = services.register(current_session(), current_actor(), body)
    return _read(UUID(record), "photo.read_meta")


@blueprint.route("/photos/<uuid:record>", methods=["DELETE"])
@blueprint.guard("photo.delete", Mode.WRITE)
@blueprint.response(204)
def delete_photo(record: UUID) -> Any:
    """Delete a photo."""
    services.delete(current_session(), current_actor(), _read(record, "photo.delete"))


@blueprint.route("/photos/<uuid:record>/redactions", methods=["PUT"])
@blueprint.guard("photo.delete", Mode.WRITE)
@blueprint.arguments(RedactionIn)
@blueprint.response(200, PhotoOut)
def hide_parts(body: dict[str, Any], record: UUID) -> Any:
    """Hide parts of a photo; the sealed original stays for those who may see it."""
    shown = _read(record, "photo.delete")
    services.hide(current_session(), current_actor(), shown, body["parts"])
    return with_etag(_read(record, "photo.delete"))


@blueprint.route("/photos/<uuid:record>/reveal", methods=["POST"])
@blueprint.guard("photo.read_meta", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(RevealIn)
@blueprint.response(201, RevealOut)
def reveal_photo(body: dict[str, str], record: UUID) -> Any:
    """Open one photo for a stated reason, for fifteen minutes: its facts, pictures and bytes."""
    return reveal(current_session(), current_actor(), Photo, str(record), "photo.read_meta",
                  body["reason"])  # fmt: skip


@blueprint.route("/photos/<uuid:record>/addresses", methods=["POST"])
@blueprint.guard("photo.read_meta", Mode.MERGE)
@blueprint.arguments(AddressIn)
@blueprint.response(201, AddressOut)
def make_address(body: dict[str, str], record: UUID) -> Any:
    """Get an address of a picture for this person on this device, good for five minutes."""
    variant, actor = body["variant"], current_actor()
    reading.find(current_session(), current_lane(), actor, str(record), variant, SEEING[variant])
    signature, expires_ms = sign(actor, str(record), variant)
    end = ORIGINAL if variant == ORIGINAL else f"pictures/{variant}"
    path = f"/api/v1/photos/{record}/{end}?{PARAMETER}={signature}"
    return {"path": path, "expires": as_text(expires_ms)}


def _pictures(*media_types: str) -> dict[int, Any]:
    """Name what may be answered where the bytes of a photo are asked for."""
    return {
        200: told_as(*media_types), 206: told_as(*media_types, words="The part asked for"),
        304: {"description": "You have it"}, 416: PROBLEM,
    }  # fmt: skip


@blueprint.route("/photos/<uuid:record>/pictures/<variant>")
@blueprint.guard("photo.read_thumb", mode=None, door=BY_ADDRESS)
@blueprint.doc(responses=_pictures("image/jpeg"))
def see_picture(record: UUID, variant: str) -> Response:
    """See a photo, 256 (`thumb`) or 1,280 (`view`) pixels wide or high."""
    if variant not in SIDE_OF:
        raise Problem(404, "not_found")
    return reading.serve(current_lane(), _found(record, variant, Mode.MERGE))


@blueprint.route("/photos/<uuid:record>/original")
@blueprint.guard("photo.read_original", mode=None, door=BY_ADDRESS)
@blueprint.doc(responses=_pictures(*reading.ENDINGS))
def see_original(record: UUID) -> Response:
    """Get the bytes of a photo as they were taken, with all that the camera wrote; noted down."""
    return reading.serve(current_lane(), _found(record, ORIGINAL, Mode.WRITE))


def _found(record: UUID, variant: str, mode: Mode) -> reading.Shown:
    """Find what to show; the transaction ends before the first byte leaves."""
    lane, actor = current_lane(), current_actor()
    with lane.database.transaction(mode) as session:
        shown = reading.find(session, lane, actor, str(record), variant, SEEING[variant])
        if variant == ORIGINAL:
            audit.record(session, "photo.read_original", user_id=actor.user_id, sort=audit.READ,
                         why=audit.OWN_WORK, subject=f"photo:{record}")  # fmt: skip
    return shown
