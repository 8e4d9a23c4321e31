"""Forms over HTTP: the office writes, publishes and retires them; every phone reads them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from app.core import policy
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.moments import now_ms
from app.core.pagination import page
from app.core.web import Blueprint
from app.forms import services
from app.forms.answers import fill
from app.forms.definitions import read_form
from app.forms.models import DRAFT, FormVersion
from app.forms.schemas import DraftBody, FormLine, FormOut, FormQuery, PreviewBody, PreviewOut
from sync.errors import Problem

blueprint = Blueprint("forms", __name__, url_prefix="/api/v1/forms", description="Forms")
ONE = "/<string(maxlength=40):key>/<int(max=1000000):version>"
WRITE = "codelist.update"
FOR_EVER = "private, max-age=31536000, immutable"


@blueprint.route("")
@blueprint.guard("codelist.read")
@blueprint.arguments(FormQuery, location="query")
@blueprint.response(200, FormLine(many=True))
def list_forms(query: dict[str, Any]) -> Any:
    """List the versions of forms; drafts are for those who may write them."""
    rows = services.list_forms(current_session(), drafts=_may_write(), **query)
    found, headers = page(rows, query["limit"], lambda row: (row.key, row.version))
    return [_line(row) for row in found], headers


@blueprint.route("", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.arguments(DraftBody)
@blueprint.response(201, FormLine)
def draft_form(body: dict[str, Any]) -> Any:
    """Write a draft of the next version of a form, in the place of an older draft."""
    with _faults_as_problem():
        form = services.draft(current_session(), body["definition"], **_by_whom())
    return _line(form)


@blueprint.route(ONE)
@blueprint.guard("codelist.read")
@blueprint.response(200, FormOut)
@blueprint.alt_response(304, description="You have this version")
def read_form_version(key: str, version: int) -> Any:
    """Read a version; what was published never changes, and may be kept for ever."""
    form = _find(key, version)
    headers = {"ETag": f'"{form.digest}"'}
    if form.state != DRAFT:
        headers["Cache-Control"] = FOR_EVER
    if request.if_none_match.contains_weak(form.digest):
        return Response(status=304, headers=headers)
    return _whole(form), 200, headers


@blueprint.route(f"{ONE}/publish", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.response(200, FormLine)
def publish_form(key: str, version: int) -> Any:
    """Publish a draft, if nothing is wrong with it; new work takes it from now on."""
    form = _find(key, version)
    with _faults_as_problem():
        services.publish(current_session(), form, **_by_whom())
    return _line(form)


@blueprint.route(f"{ONE}/retire", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.response(200, FormLine)
def retire_form(key: str, version: int) -> Any:
    """Take a version out of new work; answers to it are accepted for ever."""
    form = _find(key, version)
    services.retire(current_session(), form, **_by_whom())
    return _line(form)


@blueprint.route(f"{ONE}/preview", methods=["POST"])
@blueprint.guard("codelist.read")
@blueprint.arguments(PreviewBody)
@blueprint.response(200, PreviewOut)
def preview_form(body: dict[str, Any], key: str, version: int) -> Any:
    """Try a form with some answers: what is asked, what is calculated, what is wrong."""
    with _faults_as_problem():
        form = services.ready(current_session(), _find(key, version))
    filled = fill(form, body["answers"])
    return {
        "values": filled.values, "complete": not filled.faults,
        "relevant": filled.relevant,
        "errors": services.explained(filled.faults),
    }  # fmt: skip


def _may_write() -> bool:
    return policy.might(current_actor(), WRITE, now_ms())


def _by_whom() -> dict[str, Any]:
    return {"user_id": current_actor().user_id, "now": datetime.now(UTC)}


def _find(key: str, version: int) -> FormVersion:
    form = services.find(current_session(), key, version)
    if form.state == DRAFT and not _may_write():
        raise Problem(404, "not_found")
    return form


@contextmanager
def _faults_as_problem() -> Iterator[None]:
    try:
        yield
    except services.FormFaults as found:
        raise Problem(422, "form_has_faults", errors=services.explained(found.faults)) from None


def _line(form: FormVersion) -> dict[str, Any]:
    names = ("key", "version", "state", "digest", "made_at", "published_at", "retired_at")
    title = json.loads(form.definition)["title"]
    return {**{name: getattr(form, name) for name in names}, "title": title}


def _whole(form: FormVersion) -> dict[str, Any]:
    schema = {} if form.state == DRAFT else read_form(form.definition).data_schema
    return {"key": form.key, "version": form.version,
            "definition": json.loads(form.definition), "schema": schema}  # fmt: skip
