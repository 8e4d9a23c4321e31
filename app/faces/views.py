"""The doors of the faces: the same guards as the engine's own."""

import json
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from app.core.actor import current_actor
from app.core.database import current_database
from app.core.engine import current_engine
from app.core.web import Blueprint, read_json_body
from app.faces import rxdb, watermelon
from app.faces.cursors import NUMBER_MAX
from app.faces.shapes import kind_named, kinds_of
from app.faces.taking import FacePhone
from app.sync_api import unread
from sync.errors import Problem
from sync.wire import NotJson, read_json

LIMIT, LIMIT_MAX = 100, 1_000
NUMBER = validate.Range(0, NUMBER_MAX)

blueprint = Blueprint(
    "faces", __name__, url_prefix="/api/v1/sync/faces",
    description="Sync for apps built on WatermelonDB or RxDB",
)  # fmt: skip


class FaceQuery(Schema):
    """Which phone asks."""

    device = fields.UUID(required=True, metadata={"description": "from POST /sync/devices"})


class WatermelonPullQuery(FaceQuery):
    """The arguments of ``pullChanges``, and what else helps."""

    last_pulled_at = fields.Integer(load_default=None, allow_none=True, validate=NUMBER)
    schema_version = fields.Integer(load_default=1, validate=validate.Range(1, 10_000))
    migration = fields.String(load_default="null", validate=validate.Length(max=4_000))
    tables = fields.String(load_default=None, validate=validate.Length(max=1_000))
    unsent = fields.Boolean(load_default=None)


class WatermelonPushQuery(FaceQuery):
    """The number that ``pushChanges`` was given."""

    last_pulled_at = fields.Integer(required=True, validate=NUMBER)


class RxdbPullQuery(FaceQuery):
    """The checkpoint's number and the size of a batch."""

    number = fields.Integer(load_default=None, allow_none=True, validate=NUMBER)
    limit = fields.Integer(load_default=LIMIT, validate=validate.Range(1, LIMIT_MAX))


class WatermelonChanges(Schema):
    """What ``synchronize()`` applies."""

    changes = fields.Dict()
    timestamp = fields.Integer()
    more = fields.Boolean(metadata={"description": "synchronize again: there is more"})
    experimental_strategy = fields.String(data_key="experimentalStrategy")


class WatermelonTaken(Schema):
    """What became of pushed rows."""

    rejected = fields.Dict(data_key="experimentalRejectedIds")
    receipts = fields.List(fields.Dict())


class RxdbDocuments(Schema):
    """What a pull handler returns."""

    documents = fields.List(fields.Dict())
    checkpoint = fields.Dict()


class RxdbTaken(Schema):
    """Records that do not say what was pushed; the handler returns ``conflicts``."""

    conflicts = fields.List(fields.Dict())
    receipts = fields.List(fields.Dict())


ANY_BODY: dict[str, Any] = {"content": {"application/json": {"schema": {}}}}


def _phone(query: dict[str, Any]) -> FacePhone:
    engine = current_engine()
    return FacePhone(
        current_database(), engine, current_actor(), str(query["device"]), kinds=kinds_of(engine)
    )


def _json(shape: dict[str, Any]) -> Response:
    text = json.dumps(shape, ensure_ascii=False, separators=(",", ":"))
    return Response(text, content_type="application/json")


@blueprint.route("/watermelon/sync")
@blueprint.guard("sync.pull", mode=None)
@blueprint.arguments(WatermelonPullQuery, location="query")
@blueprint.response(200, WatermelonChanges)
def watermelon_pull(query: dict[str, Any]) -> Response:
    """Receive what is new, for ``pullChanges`` of WatermelonDB."""
    phone = _phone(query)
    kinds = watermelon.tables_of(phone.kinds, query["tables"])
    migrated = [name for name in _migrated(query["migration"]) if name in kinds]
    ask = watermelon.Ask(query["last_pulled_at"] or None, kinds, migrated, query["unsent"])
    return _json(watermelon.pull(phone, ask))


def _migrated(text: str) -> set[str]:
    """Return the tables of a migration that must be sent whole.

    Raises:
        Problem: 400 when it is no migration as the client describes it.
    """
    try:
        shape = read_json(text)
        if shape is None:
            return set()
        return {*map(str, shape["tables"]), *(str(one["table"]) for one in shape["columns"])}
    except (NotJson, KeyError, TypeError):
        raise Problem(400, "malformed_request", pointer="migration") from None


@blueprint.route("/watermelon/sync", methods=["POST"])
@blueprint.guard("sync.push", mode=None)
@blueprint.arguments(WatermelonPushQuery, location="query")
@blueprint.doc(requestBody=ANY_BODY)
@blueprint.response(200, WatermelonTaken)
def watermelon_push(query: dict[str, Any]) -> Response:
    """Send changed rows, for ``pushChanges`` of WatermelonDB."""
    with unread.kept():
        changes = read_json_body()
        if not isinstance(changes, dict):
            raise Problem(400, "malformed_request", pointer="")
        return _json(watermelon.push(_phone(query), query["last_pulled_at"], changes))


@blueprint.route("/rxdb/<kind>/pull")
@blueprint.guard("sync.pull", mode=None)
@blueprint.arguments(RxdbPullQuery, location="query")
@blueprint.response(200, RxdbDocuments)
def rxdb_pull(query: dict[str, Any], kind: str) -> Response:
    """Receive documents of one kind, for the pull handler of RxDB."""
    phone = _phone(query)
    number = query["number"] or None
    return _json(rxdb.pull(phone, kind_named(phone.kinds, kind), number, query["limit"]))


@blueprint.route("/rxdb/<kind>/push", methods=["POST"])
@blueprint.guard("sync.push", mode=None)
@blueprint.arguments(FaceQuery, location="query")
@blueprint.doc(requestBody=ANY_BODY)
@blueprint.response(200, RxdbTaken)
def rxdb_push(query: dict[str, Any], kind: str) -> Response:
    """Send changed documents of one kind, for the push handler of RxDB."""
    phone = _phone(query)
    with unread.kept():
        return _json(rxdb.push(phone, kind_named(phone.kinds, kind), read_json_body()))
