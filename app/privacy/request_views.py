"""What people ask of their data, and the office's way to an answer by two persons."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask import Response

from app.core import audit
from app.core.actor import current_actor
from app.core.blobs.contract import Missing, Unreachable
from app.core.database import Mode, current_session
from app.core.pagination import page
from app.core.web import Blueprint, Need
from app.office import writing
from app.office.reading import list_records, read_record, with_etag
from app.photos.lane import current_lane
from app.privacy import answering, schemas
from app.privacy.leftovers import answer_key
from app.privacy.models import SubjectAnswer, SubjectRequest
from app.privacy.rules import OPEN
from sync.errors import Problem

blueprint = Blueprint(
    "rights", __name__, url_prefix="/api/v1/subject-requests",
    description="What people ask of the data on them",
)  # fmt: skip
LIST = answering.LIST_ACTION


def _now() -> datetime:
    return datetime.now(UTC)


@blueprint.route("", methods=["POST"])
@blueprint.guard("subject_request.create", Mode.WRITE)
@blueprint.arguments(schemas.RequestNew)
@blueprint.response(201, schemas.RequestOut)
def create_request(body: dict[str, Any]) -> Any:
    """Take down what somebody asks: a copy, a correction, erasure, restriction, or for kin."""
    session, actor = current_session(), current_actor()
    record = writing.create(session, actor, SubjectRequest.kind, body)
    return read_record(session, actor, SubjectRequest, record, "subject_request.create")


@blueprint.route("")
@blueprint.guard(LIST)
@blueprint.arguments(schemas.RequestQuery, location="query")
@blueprint.response(200, schemas.RequestOut(many=True))
def list_requests(query: dict[str, Any]) -> Any:
    """List requests, on wish only those that are past their due date."""
    filters: list[sa.ColumnElement[bool]] = []
    if query["state"]:
        filters.append(SubjectRequest.state == query["state"])
    if query["overdue"]:
        filters += [SubjectRequest.state == OPEN, SubjectRequest.due_at < sa.literal(
            _now(), SubjectRequest.__table__.c.due_at.type)]  # fmt: skip
    rows = list_records(
        current_session(), current_actor(), SubjectRequest, LIST, limit=query["limit"],
        cursor=query["cursor"], filters=filters,
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/<uuid:record>")
@blueprint.guard(LIST, Mode.WRITE)
@blueprint.response(200, schemas.RequestOut)
def read_request(record: UUID) -> Any:
    """Read one request; the read is written down."""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, SubjectRequest, str(record), LIST)
    audit.record(session, "subject_request.read", user_id=actor.user_id, subject=str(record))
    return with_etag(shown)


@blueprint.route("/<uuid:record>/answers", methods=["POST"])
@blueprint.guard(answering.FULFIL_ACTION, Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.AnswerIn)
@blueprint.response(202, schemas.AnswerOut)
def propose_answer(body: dict[str, Any], record: UUID) -> Any:
    """Propose to fulfil, to refuse with a reason, or to lift a restriction; another decides."""
    return answering.propose(current_session(), current_actor(), str(record), body, _now())


@blueprint.route("/<uuid:record>/answers")
@blueprint.guard(LIST)
@blueprint.response(200, schemas.AnswerOut(many=True))
def list_answers(record: UUID) -> Any:
    """List what was proposed as the answer, the latest only."""
    session = current_session()
    read_record(session, current_actor(), SubjectRequest, str(record), LIST)
    return list(answering.latest(session, [str(record)]).values())


@blueprint.route("/<uuid:record>/decision", methods=["POST"])
@blueprint.guard(answering.FULFIL_ACTION, Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.SecondWordIn)
@blueprint.response(200, schemas.AnswerOut)
def decide_answer(body: dict[str, Any], record: UUID) -> Any:
    """Decide, as another person, about the proposed answer; a yes carries it out."""
    return answering.decide(current_session(), current_actor(), str(record),
                            verdict=body["verdict"], now=_now())  # fmt: skip


@blueprint.route("/<uuid:record>/file")
@blueprint.guard(answering.FULFIL_ACTION, Mode.WRITE, need=Need.FRESH)
@blueprint.response(200, content_type="application/zip")
def fetch_file(record: UUID) -> Any:
    """Fetch the copy that was asked for, within 24 hours; each fetch is written down."""
    answer = answering.to_fetch(current_session(), current_actor(), str(record), _now())
    response = Response(
        _bytes(answer), content_type="application/zip", direct_passthrough=True,
        headers={"Content-Disposition": 'attachment; filename="copy.zip"'},
    )  # fmt: skip
    response.content_length = answer.size_bytes or 0
    return response


def _bytes(answer: SubjectAnswer) -> Iterator[bytes]:
    """Read the first chunk at once, so that what is missing is told by the status."""
    size = answer.size_bytes or 0
    parts = current_lane().shelf.read(answer_key(answer.id), size, 0, size)
    try:
        first = next(parts)
    except (Missing, Unreachable, InvalidTag):
        raise Problem(503, "retry") from None
    return chain([first], parts)
