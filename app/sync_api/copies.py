"""First copies to take, wrong copies to heal, and receipts to read again."""

import json
from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields, validate
from werkzeug.http import parse_range_header

from app.core.actor import current_actor
from app.core.database import current_database
from app.core.engine import current_engine
from app.core.openapi import told_as
from app.core.problems import problem
from app.core.statuses import PROBLEM
from app.sync_api import copying
from app.sync_api.services import Phone
from app.sync_api.views import blueprint, json_body, json_reply, phone_of
from sync.errors import Problem
from sync.snapshot import Snapshot
from sync.verify import read_question

COPY_TYPE = "application/gzip"
RECEIPTS_MAX = 500


class VerifyIn(Schema):
    """The digests of the 64 buckets of a scope, or the ids of records that are missing."""

    device = fields.UUID(required=True)
    scope = fields.String(required=True)
    ver = fields.Integer(required=True)
    buckets = fields.List(fields.String(), validate=validate.Length(equal=64))
    want = fields.List(fields.UUID(), validate=validate.Length(max=500))


class VerifyOut(Schema):
    """What the buckets that differ should hold, and the records that were wanted."""

    scope = fields.String()
    ver = fields.Integer()
    buckets = fields.Dict()
    items = fields.List(fields.Dict())


class OutcomesQuery(Schema):
    """From where on to read receipts again."""

    device = fields.UUID(required=True)
    after_n = fields.Integer(load_default=0, validate=validate.Range(0, 2**53))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, RECEIPTS_MAX))


class OutcomesOut(Schema):
    """Receipts as they were first given; `more` when there are further ones."""

    results = fields.List(fields.Dict())
    expected = fields.Integer()
    more = fields.Boolean()


@blueprint.route("/snapshot/<scope>")
@blueprint.guard("sync.snapshot", mode=None)
@blueprint.doc(
    responses={
        200: told_as(COPY_TYPE, words="Packed lines; the last one is the cursor"),
        206: told_as(COPY_TYPE, words="The rest of the copy named by If-Range"),
        304: {"description": "You have this copy"},
        416: PROBLEM,
    }
)
def snapshot(scope: str) -> Response:
    """Take a ready-made copy of a scope; go on after a cut with Range and If-Range.

    A Range without If-Range, or for a copy that is gone, is answered with a whole copy.
    """
    if current_actor().enrolment is None:
        raise Problem(404, "unknown_device")
    resumed = _tag(request.headers.get("If-Range"))
    wanted = resumed or _tag(request.headers.get("If-None-Match"))
    copy = copying.current_copies().copy_of(current_actor(), scope, wanted)
    if copy.tag == _tag(request.headers.get("If-None-Match")) and not resumed:
        return _copy_reply(304, b"", copy)
    copying.current_copies().hand_out(current_actor(), copy)
    if copy.tag == resumed and "Range" in request.headers:
        return _part(copy)
    return _copy_reply(200, copy.body, copy)


def _tag(header: str | None) -> str | None:
    """Return the tag in a header; a weak one, or a date, names no bytes."""
    strong = header and len(header) > 2 and header[0] == header[-1] == '"'
    return header[1:-1] if header and strong else None


def _part(copy: Snapshot) -> Response:
    size = len(copy.body)
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return _copy_reply(200, copy.body, copy)
    part = asked.range_for_length(size)
    if part is None:
        refusal = problem(416, "range_not_satisfiable", {"size_bytes": size})
        refusal.headers["Content-Range"] = f"bytes */{size}"
        return refusal
    reply = _copy_reply(206, copy.body[part[0] : part[1]], copy)
    reply.headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
    return reply


def _copy_reply(status: int, body: bytes, copy: Snapshot) -> Response:
    # Not packed again, not even looked at: it is packed already.
    reply = Response([body], status, content_type=COPY_TYPE, direct_passthrough=True)
    reply.headers["Content-Length"] = str(len(body))
    reply.headers["ETag"] = f'"{copy.tag}"'
    reply.headers["Accept-Ranges"] = "bytes"
    return reply


@blueprint.route("/verify", methods=["POST"])
@blueprint.guard("sync.pull", mode=None)
@blueprint.doc(requestBody={"content": {"application/json": {"schema": VerifyIn}}})
@blueprint.response(200, VerifyOut)
def verify() -> Response:
    """Find the few records that are wrong in a copy whose digest is."""
    body = json_body()
    phone, question = phone_of(body), read_question(body)
    finding = copying.check(phone, question)
    head = json.dumps({"scope": question.scope, "ver": finding.ver, "buckets": finding.buckets})
    return json_reply(f'{head[:-1]},"items":[{",".join(finding.items)}]}}')


@blueprint.route("/outcomes")
@blueprint.guard("sync.push", mode=None)
@blueprint.arguments(OutcomesQuery, location="query")
@blueprint.response(200, OutcomesOut)
def outcomes(query: dict[str, Any]) -> Any:
    """Read receipts again, of your own device only."""
    device: UUID = query["device"]
    phone = Phone(current_database(), current_engine(), current_actor(), str(device))
    limit = query["limit"]
    found, expected = copying.receipts(phone, query["after_n"], limit + 1)
    return {"results": found[:limit], "expected": expected, "more": len(found) > limit}
