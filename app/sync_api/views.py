"""The sync endpoints for phones; bodies are checked by hand, because they are the hot path."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate

from app.core.actor import current_actor
from app.core.database import Mode, current_database, current_session
from app.core.engine import current_engine
from app.core.moments import as_text, now_ms
from app.core.openapi import ProblemOut, told_as
from app.core.problems import problem_body
from app.core.refusals import explained
from app.core.settings import current_settings
from app.core.statuses import PROBLEM
from app.core.web import Blueprint, read_json_body
from app.sync_api import services, unread
from app.sync_api.lane import current_lane
from app.sync_api.scopes import scopes_of
from app.sync_api.services import Phone, Wish
from sync.edits import Draft
from sync.errors import Problem
from sync.lines import MARK_EVERY, NDJSON
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
    words = fields.Boolean(
        metadata={"description": "true: each code in the receipts comes with its words"}
    )
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
    ver = fields.Dict()
    copies = fields.List(fields.String())
    now = fields.String()
    anchor = fields.String()


class ExchangeOut(Schema):
    """Both answers; for an app that is too old `pull` is null and `problem` says why."""

    push = fields.Nested(PushOut)
    pull = fields.Nested(
        PullOut, allow_none=True,
        metadata={"description": "null for a phone that may only send"},
    )  # fmt: skip
    problem = fields.Nested(ProblemOut)


def _body(schema: type[Schema]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _lines() -> dict[int, Any]:
    """Name the other form of a page, and that an app may be too old for it."""
    return {200: told_as(NDJSON, schema={"type": "string"}),
            426: PROBLEM}  # fmt: skip


def json_body() -> Mapping[str, Any]:
    """Return the body of a sync request: an object, whose cursor is a text or null.

    Raises:
        Problem: 400 with a pointer.
    """
    body = read_json_body()
    if not isinstance(body, dict):
        raise Problem(400, "malformed_request", pointer="")
    cursor = body.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Problem(400, "malformed_request", pointer="/cursor")
    return body


def phone_of(body: Mapping[str, Any]) -> Phone:
    """Return the phone that sends a body.

    Raises:
        Problem: 400 when it does not say which one.
    """
    device = as_identity(body.get("device"))
    if device is None:
        raise Problem(400, "malformed_request", pointer="/device")
    return Phone(current_database(), current_engine(), current_actor(), device)


def stamp(device: str) -> dict[str, str]:
    """Return the server's time, and the anchor by which a phone carries it on."""
    now = now_ms()
    return {"now": as_text(now), "anchor": current_engine().anchors.issue(now, device)}


def _demand_schema(body: Mapping[str, Any]) -> None:
    """Refuse records to an app that could not read them; what it sends is taken all the same.

    Raises:
        Problem: 426 ``upgrade_required``.
    """
    schema, least = body.get("schema"), current_settings().min_pull_schema
    if (schema if type(schema) is int else 1) < least:
        raise Problem(426, "upgrade_required", min_schema=least)


def _push_json(reply: PushReply, device: str, body: Mapping[str, Any]) -> str:
    wordy = body.get("words") is True
    results = [explained(one) for one in reply.results] if wordy else reply.results
    shape = {"expected": reply.expected, "last_id": reply.last_id, "results": results}
    return json.dumps({**shape, **stamp(device)}, ensure_ascii=False, separators=(",", ":"))


def _pull_json(page: Page, device: str) -> str:
    return page.as_json(**stamp(device))


def _mark_every() -> int:
    """Return after how many rows a cursor is wanted: none, unless the answer goes in lines."""
    accepted = request.accept_mimetypes
    return MARK_EVERY if accepted[NDJSON] > accepted["application/json"] else 0


def _wish(body: Mapping[str, Any]) -> Wish:
    wanted = services.want_bytes(body)
    return Wish(wanted, _mark_every(), brief=body.get("brief") is True)


def _lines_reply(page: Page, device: str, *before: str) -> Response:
    lines = (*before, *page.as_lines(**stamp(device)), "")
    return Response("\n".join(lines), content_type=NDJSON)


def json_reply(text: str) -> Response:
    """Return an answer of ready JSON."""
    return Response(text, content_type="application/json")


@blueprint.route("/devices", methods=["POST"])
@blueprint.guard("sync.push", Mode.WRITE)
@blueprint.arguments(SyncDeviceNew)
@blueprint.response(201, SyncDeviceOut)
def add_device(body: dict[str, Any]) -> Any:
    """Get a device id: at the first contact, or after `device_forked`."""
    session, actor = current_session(), current_actor()
    device = services.add_device(session, actor, app=body["app"], schema=body["schema"])
    scopes = [] if actor.draining else scopes_of(session, actor, now_ms())
    return {"device": device, **stamp(device), "scopes": scopes}


@blueprint.route("/exchange", methods=["POST"])
@blueprint.guard("sync.push", mode=None)
@blueprint.doc(requestBody=_body(ExchangeIn), responses=_lines())
@blueprint.response(200, ExchangeOut)
def exchange() -> Response:
    """Send edits and receive what is new, in one round trip."""
    with unread.kept():
        body = json_body()
        phone, drafts = phone_of(body), read_drafts(body.get("edits", []))
        wish = _wish(body)
    with current_lane().place():
        return _exchanged(phone, body, drafts, wish)


def _exchanged(
    phone: Phone, body: Mapping[str, Any], drafts: Sequence[Draft], wish: Wish
) -> Response:
    reply = phone.push(drafts)
    pushed = _push_json(reply, phone.device, body)
    phone.demand_work(drafts, reply)
    if phone.actor.draining:
        return _pushed_only(pushed, None)
    try:
        _demand_schema(body)
    except Problem as fault:
        return _pushed_only(pushed, fault)
    pull_ = phone.pull if drafts else phone.pull_anywhere
    page = pull_(body.get("cursor"), wish)
    if wish.mark_every:
        return _lines_reply(page, phone.device, f'{{"push":{pushed}}}')
    return json_reply(f'{{"push":{pushed},"pull":{_pull_json(page, phone.device)}}}')


def _pushed_only(pushed: str, fault: Problem | None) -> Response:
    """Answer an exchange whose edits were taken, without a page."""
    if fault is None:
        return json_reply(f'{{"push":{pushed},"pull":null}}')
    problem = json.dumps(problem_body(fault.status, fault.code, fault.extra))
    return json_reply(f'{{"push":{pushed},"pull":null,"problem":{problem}}}')


@blueprint.route("/push", methods=["POST"])
@blueprint.guard("sync.push", mode=None)
@blueprint.doc(requestBody=_body(ExchangeIn))
@blueprint.response(200, PushOut)
def push() -> Response:
    """Send edits; the receipts tell the fate of each."""
    with unread.kept():
        body = json_body()
        phone, drafts = phone_of(body), read_drafts(body.get("edits", []))
    with current_lane().place():
        reply = phone.push(drafts)
    phone.demand_work(drafts, reply)
    return json_reply(_push_json(reply, phone.device, body))


@blueprint.route("/pull", methods=["POST"])
@blueprint.guard("sync.pull", mode=None)
@blueprint.doc(requestBody=_body(ExchangeIn), responses=_lines())
@blueprint.response(200, PullOut)
def pull() -> Response:
    """Receive what is new since the cursor, most urgent first.

    With `Accept: application/x-ndjson` line by line, with a cursor every 50 rows, so that what
    arrived of a cut answer is not lost.
    """
    body = json_body()
    phone, wish = phone_of(body), _wish(body)
    _demand_schema(body)
    with current_lane().place():
        page = phone.pull_anywhere(body.get("cursor"), wish)
    if wish.mark_every:
        return _lines_reply(page, phone.device)
    return json_reply(_pull_json(page, phone.device))
