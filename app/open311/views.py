"""Open311 GeoReport v2 over HTTP: services, requests and their status, as JSON or XML."""

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, current_app, request

from app.core.database import Mode, current_database, current_session
from app.core.moments import now_ms
from app.core.problems import CATALOGUE
from app.core.settings import current_settings
from app.core.web import PUBLIC, Blueprint
from app.open311 import services, shapes
from app.open311.limits import Turnstile
from sync.errors import Problem

PREFIX = "/open311/v2"
blueprint = Blueprint(
    "open311", __name__, url_prefix=PREFIX, description="What citizens report (GeoReport v2)"
)
OFF, BY_KEY = "off", "key"
FORM = "application/x-www-form-urlencoded"
BODY_BYTES_MAX, FIELDS_MAX = 16 * 1024, 40
EXTENSION = "wangge_open311"
CHANGED = "2026-11-26T00:00:00Z"
REQUESTS = ("service_requests", "request")
NOTICE = "已收到，请保存编号 / received: keep the number"


def _as_standard(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let a view answer only where it is turned on, and say its errors as the standard does."""

    @wraps(view)
    def answered(fmt: str, **named: Any) -> Response:
        kind = fmt if fmt in shapes.FORMATS else "xml"
        try:
            if current_settings().open311 == OFF or fmt not in shapes.FORMATS:
                raise Problem(404, "not_found")
            return view(kind, **named)
        except Problem as problem:
            assert problem.code in CATALOGUE
            return shapes.error(problem, kind)

    return answered


def _now() -> datetime:
    return datetime.fromtimestamp(now_ms() / 1000, UTC)


def _query() -> dict[str, str]:
    return {name: text.replace("\x00", "") for name, text in request.args.items()}


@blueprint.route("/discovery.<fmt>")
@blueprint.guard(PUBLIC)
@blueprint.doc(responses=shapes.promised())
@_as_standard
def discovery(kind: str) -> Response:
    """Say where the services are, and in which forms."""
    url = current_settings().public_url + PREFIX
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2", "url": url, "changeset": CHANGED,
        "type": "production", "formats": list(shapes.MEDIA_TYPES),
    }  # fmt: skip
    found = {"changeset": CHANGED, "contact": "", "key_service": "", "endpoints": [endpoint]}
    return shapes.one(found, kind, name="discovery")


@blueprint.route("/services.<fmt>")
@blueprint.guard(PUBLIC)
@blueprint.doc(responses=shapes.promised())
@_as_standard
def list_services(kind: str) -> Response:
    """List what citizens may report."""
    return shapes.answer(services.listed(current_session()), kind, names=("services", "service"))


@blueprint.route("/services/<code>.<fmt>")
@blueprint.guard(PUBLIC)
@blueprint.doc(responses=shapes.promised())
@_as_standard
def define_service(kind: str, code: str) -> Response:
    """Say what else a service asks for."""
    found = services.definition(current_session(), code)
    return shapes.one(found, kind, name="service_definition")


@blueprint.route("/requests.<fmt>", methods=["POST"])
@blueprint.guard(PUBLIC, None)
@blueprint.doc(responses=shapes.promised(201))
@_as_standard
def make_request(kind: str) -> Response:
    """Report something: it becomes an incident in the grid of the position."""
    said = _said()
    key = _key(said)
    turnstile: Turnstile = current_app.extensions.setdefault(EXTENSION, Turnstile())
    turnstile.enter(request.remote_addr or "", time.monotonic(), known=key)
    # Whoever is turned away has not held the write lock.
    with current_database().transaction(Mode.WRITE) as session:
        number = services.request(session, said, _now())
    row = {"service_request_id": number, "service_notice": NOTICE, "account_id": None}
    return shapes.answer([row], kind, names=REQUESTS, status=201)


def _said() -> dict[str, str]:
    """Return the fields of a form, the first of each name.

    Raises:
        Problem: 413, 415 or 400, whatever else the body is.
    """
    if request.mimetype != FORM:
        raise Problem(415, "unsupported_media_type")
    raw = request.get_data(cache=True)
    if len(raw) > BODY_BYTES_MAX:
        raise Problem(413, "too_large", most_bytes=BODY_BYTES_MAX)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict",
                          max_num_fields=FIELDS_MAX)  # fmt: skip
    except ValueError:
        raise Problem(400, "bad_request") from None
    found: dict[str, str] = {}
    for name, text in pairs:
        found.setdefault(name, text)
    if any("\x00" in text for text in found.values()):
        raise Problem(400, "nul_character")
    return found


def _key(said: dict[str, str]) -> str:
    """Return the key of the app that sends, empty where none is needed.

    Raises:
        Problem: 403 when one is needed, and this is none.
    """
    settings = current_settings()
    if settings.open311 != BY_KEY:
        return ""
    given = said.get("api_key", "")
    if not hmac.compare_digest(given.encode(), settings.open311_key.encode()):
        raise Problem(403, "not_allowed")
    return given


@blueprint.route("/requests.<fmt>")
@blueprint.guard(PUBLIC)
@blueprint.doc(responses=shapes.promised())
@_as_standard
def list_requests(kind: str) -> Response:
    """List what citizens have reported in the last 90 days, and how it stands."""
    rows = services.some(current_session(), _query(), _now())
    return shapes.answer(rows, kind, names=REQUESTS)


@blueprint.route("/requests/<number>.<fmt>")
@blueprint.guard(PUBLIC)
@blueprint.doc(responses=shapes.promised())
@_as_standard
def read_request(kind: str, number: str) -> Response:
    """Tell how one request stands."""
    return shapes.answer([services.one(current_session(), number)], kind, names=REQUESTS)


@blueprint.route("/tokens/<token>.<fmt>")
@blueprint.guard(PUBLIC)
@blueprint.doc(responses=shapes.promised())
@_as_standard
def read_token(kind: str, token: str) -> Response:
    """Return the number that belongs to a token: here they are the same from the beginning."""
    found = services.one(current_session(), token)
    row = {"service_request_id": found["service_request_id"], "token": token}
    return shapes.answer([row], kind, names=REQUESTS)
