"""The sync endpoints for phones; bodies are checked by hand, because they are the hot path."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from app.core.actor import current_actor
from app.core.database import Mode, current_database, current_session
from app.core.engine import current_engine
from app.core.moments import as_text, now_ms
from app.core.web import Blueprint, read_json_body
from app.sync_api import services
from app.sync_api.scopes import scopes_of
from app.sync_api.services import Phone
from sync.errors import Problem
from sync.pull import Page
from sync.push import PushReply
from sync.values import as_identity
from sync.wire import read_drafts

blueprint = Blueprint(
    "sync", __name__, url_prefix="/api/v1/sync", description="What phones talk to"
)


class SyncDeviceNew(Schema):
    """A phone that wants a device id."""

    app = fields.String(required=True, validate=validate.Length(1, 60))
    schema = fields.Integer(required=True, strict=True, validate=validate.Range(1, 10_000))


class SyncDeviceOut(Schema):
    """The device id, the server's time, and the scopes granted now."""

    device = fields.UUID()
    now = fields.String()
    anchor = fields.String()
    scopes = fields.List(fields.String())


class ExchangeIn(Schema):
    """One round trip: edits up, records down. `docs/protocol` of the API says what each means."""

    device = fields.UUID(required=True)
    schema = fields.Integer()
    cursor = fields.String(allow_none=True)
    edits = fields.List(fields.Dict(), validate=validate.Length(max=100))
    want_bytes = fields.Integer()
    brief = fields.Boolean(metadata={"description": "take what left a scope as brief names"})


class PushOut(Schema):
    """Receipts, one for each edit sent."""

    expected = fields.Integer()
    last_id = fields.UUID(allow_none=True)
    results = fields.List(fields.Dict())


class PullOut(Schema):
    """One page of records."""

    start = fields.String(data_key="from", allow_none=True)
    to = fields.String()
    items = fields.List(fields.Dict())
    out = fields.Dict(metadata={"description": "by scope: brief names, 8 characters each"})
    drop = fields.List(fields.String())
    reset = fields.List(fields.String())
    complete = fields.Boolean()
    last_n = fields.Integer()
    last_id = fields.UUID(allow_none=True)
    digest = fields.Dict()
    now = fields.String()
    anchor = fields.String()


class ExchangeOut(Schema):
    """Both answers."""

    push = fields.Nested(PushOut)
    pull = fields.Nested(
        PullOut, allow_none=True,
        metadata={"description": "null for a phone that is to erase itself: it may only send"},
    )  # fmt: skip


def _body() -> Mapping[str, Any]:
    body = read_json_body()
    if not isinstance(body, dict):
        raise Problem(400, "malformed_request", pointer="")
    cursor = body.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Problem(400, "malformed_request", pointer="/cursor")
    return body


def _phone(body: Mapping[str, Any]) -> Phone:
    device = as_identity(body.get("device"))
    if device is None:
        raise Problem(400, "malformed_request", pointer="/device")
    return Phone(current_database(), current_engine(), current_actor(), device)


def _stamp(device: str) -> dict[str, str]:
    now = now_ms()
    return {"now": as_text(now), "anchor": current_engine().anchors.issue(now, device)}


def _push_json(reply: PushReply, device: str) -> str:
    shape = {"expected": reply.expected, "last_id": reply.last_id, "results": reply.results}
    return json.dumps({**shape, **_stamp(device)}, ensure_ascii=False, separators=(",", ":"))


def _pull_json(page: Page, device: str) -> str:
    return page.as_json(**_stamp(device))


def _page(phone: Phone, body: Mapping[str, Any], wanted: int) -> Page:
    return phone.pull(body.get("cursor"), wanted, brief=body.get("brief") is True)


def _json(text: str) -> Response:
    return Response(text, content_type="application/json")


@blueprint.route("/devices", methods=["POST"])
@blueprint.guard("sync.push", Mode.WRITE)
@blueprint.arguments(SyncDeviceNew)
@blueprint.response(201, SyncDeviceOut)
def add_device(body: dict[str, Any]) -> Any:
    """Get a device id: at the first contact, or after `device_forked`."""
    session, actor = current_session(), current_actor()
    device = services.add_device(session, actor, app=body["app"], schema=body["schema"])
    return {
        "device": device,
        **_stamp(device),
        "scopes": [] if actor.draining else scopes_of(session, actor, now_ms()),
    }


@blueprint.route("/exchange", methods=["POST"])
@blueprint.guard("sync.push", mode=None)
@blueprint.doc(requestBody={"content": {"application/json": {"schema": ExchangeIn}}})
@blueprint.response(200, ExchangeOut)
def exchange() -> Response:
    """Send edits and receive what is new, in one round trip."""
    body = _body()
    phone, drafts, wanted = (
        _phone(body),
        read_drafts(body.get("edits", [])),
        services.want_bytes(body),
    )
    reply = phone.push(drafts)
    pushed = _push_json(reply, phone.device)
    if phone.actor.draining:
        phone.demand_work(drafts, reply)
        return _json(f'{{"push":{pushed},"pull":null}}')
    pulled = _pull_json(_page(phone, body, wanted), phone.device)
    return _json(f'{{"push":{pushed},"pull":{pulled}}}')


@blueprint.route("/push", methods=["POST"])
@blueprint.guard("sync.push", mode=None)
@blueprint.doc(requestBody={"content": {"application/json": {"schema": ExchangeIn}}})
@blueprint.response(200, PushOut)
def push() -> Response:
    """Send edits; the receipts tell the fate of each."""
    body = _body()
    phone, drafts = _phone(body), read_drafts(body.get("edits", []))
    reply = phone.push(drafts)
    phone.demand_work(drafts, reply)
    return _json(_push_json(reply, phone.device))


@blueprint.route("/pull", methods=["POST"])
@blueprint.guard("sync.pull", mode=None)
@blueprint.doc(requestBody={"content": {"application/json": {"schema": ExchangeIn}}})
@blueprint.response(200, PullOut)
def pull() -> Response:
    """Receive what is new since the cursor, most urgent first."""
    body = _body()
    phone = _phone(body)
    page = _page(phone, body, services.want_bytes(body))
    return _json(_pull_json(page, phone.device))
