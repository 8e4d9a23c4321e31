"""Exports: ask, have them approved, follow them, fetch them within a day."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from flask import Response

from app.core.actor import current_actor
from app.core.blobs.contract import Missing, Unreachable
from app.core.database import Mode, current_session
from app.core.openapi import told_as
from app.core.pagination import PageQuery, page
from app.core.statuses import PROBLEM
from app.core.web import Blueprint, Need
from app.exports import schemas, services
from app.exports.making import MEDIA_TYPES
from app.exports.models import Export, key_of
from app.exports.services import now_utc
from app.photos.lane import current_lane
from sync.errors import Problem

blueprint = Blueprint(
    "exports", __name__, url_prefix="/api/v1/exports", description="Files that leave the house"
)


@blueprint.route("", methods=["POST"])
@blueprint.guard("export.create", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.ExportIn)
@blueprint.response(202, schemas.ExportOut)
def ask(body: dict[str, Any]) -> Any:
    """Ask for an export; with personal fields it waits for a second person."""
    return services.ask(current_session(), current_actor(), body, now_utc())


@blueprint.route("")
@blueprint.guard("export.download")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, schemas.ExportOut(many=True))
def list_exports(query: dict[str, Any]) -> Any:
    """List your exports."""
    rows = services.list_exports(current_session(), current_actor(), **query)
    return page(rows, query["limit"], lambda one: (one.id,))


@blueprint.route("/to-decide")
@blueprint.guard("export.create")
@blueprint.response(200, schemas.ToDecideOut(many=True))
def list_to_decide() -> Any:
    """List the exports of others that wait for your word."""
    return services.to_decide(current_session(), current_actor(), limit=100, now=now_utc())


@blueprint.route("/<uuid:export>")
@blueprint.guard("export.download")
@blueprint.response(200, schemas.ExportOut)
def read_export(export: UUID) -> Any:
    """Read how far an export of yours is."""
    return services.own(current_session(), current_actor(), str(export))


@blueprint.route("/<uuid:export>/decision", methods=["POST"])
@blueprint.guard("export.create", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.DecisionIn)
@blueprint.response(200, schemas.ToDecideOut)
def decide(body: dict[str, str], export: UUID) -> Any:
    """Approve or refuse the export of somebody else."""
    return services.decide(
        current_session(), current_actor(), str(export), verdict=body["verdict"], now=now_utc()
    )


@blueprint.route("/<uuid:export>/file")
@blueprint.guard("export.download", Mode.WRITE, need=Need.FRESH)
@blueprint.doc(responses={200: told_as(*MEDIA_TYPES.values()), 410: PROBLEM})
def fetch(export: UUID) -> Any:
    """Fetch the file of an export of yours, within 24 hours; each fetch is written down."""
    found = services.to_fetch(current_session(), current_actor(), str(export), now_utc())
    response = Response(
        _bytes(found), content_type=MEDIA_TYPES[found.format], direct_passthrough=True,
        headers={"Content-Disposition": f'attachment; filename="{found.layer}.{found.format}"'},
    )  # fmt: skip
    response.content_length = found.size_bytes or 0
    return response


def _bytes(export: Export) -> Iterator[bytes]:
    """Read the first chunk at once, so that what is missing is told by the status."""
    size = export.size_bytes or 0
    parts = current_lane().shelf.read(key_of(export), size, 0, size)
    try:
        first = next(parts)
    except (Missing, Unreachable, InvalidTag):
        raise Problem(503, "retry") from None
    return chain([first], parts)
