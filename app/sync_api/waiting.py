"""Ask whether anything is new, at once or as soon as something is."""

from typing import Any

from flask import Response, current_app, jsonify, request
from marshmallow import Schema, fields, validate

from app.core.actor import current_actor
from app.core.database import Mode, current_database
from app.core.door import OFFER, Offer
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.sync_api.scopes import scopes_of
from app.sync_api.views import blueprint
from app.sync_api.waiting_room import Waiting, WaitingRoom
from sync.head import Head, head

WAIT_S_MAX = 50
WAIT_S = 25
POLL_AGAIN_S = 15


class HeadIn(Schema):
    """Where a phone stands; its device may be named as everywhere, but is not needed."""

    device = fields.UUID()
    cursor = fields.String(load_default=None, allow_none=True)


class WaitIn(HeadIn):
    """Where a phone stands, and for how many seconds it waits."""

    timeout = fields.Integer(load_default=WAIT_S, validate=validate.Range(0, WAIT_S_MAX))


class HeadOut(Schema):
    """The scopes of which a pull would bring, send again or drop something."""

    changed = fields.List(fields.String())


def _head(cursor: str | None) -> Head:
    with current_database().transaction(Mode.READ) as session:
        scopes = scopes_of(session, current_actor(), now_ms())
        return head(current_engine().store(session), scopes, cursor)


def _news(found: Head) -> Response:
    return jsonify({"changed": list(found.changed)}) if found.changed else Response(status=204)


@blueprint.route("/head", methods=["POST"])
@blueprint.guard("sync.pull", mode=None)
@blueprint.arguments(HeadIn)
@blueprint.response(200, HeadOut)
@blueprint.alt_response(204, description="Nothing is new")
def ask_head(body: dict[str, Any]) -> Response:
    """Ask which scopes have changed since the cursor; 204 when none has."""
    return _news(_head(body["cursor"]))


@blueprint.route("/wait")
@blueprint.guard("sync.pull", mode=None)
@blueprint.arguments(WaitIn, location="query")
@blueprint.response(200, HeadOut)
@blueprint.alt_response(204, description="Nothing is new; with Retry-After ask again then")
def wait(query: dict[str, Any]) -> Response:
    """Wait until a scope has changed since the cursor, 50 seconds at most."""
    return _wait(query["cursor"], query["timeout"])


@blueprint.route("/wait", methods=["POST"])
@blueprint.guard("sync.pull", mode=None)
@blueprint.arguments(WaitIn)
@blueprint.response(200, HeadOut)
@blueprint.alt_response(204, description="Nothing is new; with Retry-After ask again then")
def wait_long(body: dict[str, Any]) -> Response:
    """Wait with a cursor that is too long for an address."""
    return _wait(body["cursor"], body["timeout"])


def _wait(cursor: str | None, timeout_s: int) -> Response:
    """Answer at once what is known at once; else leave a waiter at the door."""
    found = _head(cursor)
    reply = _news(found)
    if found.changed or timeout_s == 0:
        return reply
    offer: Offer | None = request.environ.get(OFFER)
    room: WaitingRoom = current_app.extensions["wangge_waiting_room"]
    waiting = Waiting(room, found, current_actor(), now_ms=now_ms(), timeout_s=timeout_s)
    if offer is not None and room.enter(waiting):
        offer.waiter = waiting
    else:
        reply.headers["Retry-After"] = str(POLL_AGAIN_S)
    return reply
