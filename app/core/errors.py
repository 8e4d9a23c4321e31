"""The outer door: every failure leaves as a problem with a stable code, and is logged once."""

import errno
import logging
from typing import Any

from flask import Flask, Response, current_app, g, request
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

from app.core.logs import trail
from app.core.problems import problem
from app.core.settings import DEVELOPMENT
from sync.errors import Problem, Stale

log = logging.getLogger("wangge")

_BY_STATUS = {
    400: "bad_request", 401: "token_missing", 403: "not_allowed", 404: "not_found",
    405: "method_not_allowed", 406: "not_acceptable", 412: "version_changed", 413: "too_large",
    414: "too_large", 415: "unsupported_media_type", 428: "precondition_required",
    431: "too_large", 429: "too_many_requests",
}  # fmt: skip
DISK_FULL = ("disk is full", "disk full", "No space left")


def register(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(Problem, on_problem)
    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(Stale, on_busy)
    app.register_error_handler(exc.DBAPIError, on_database)
    app.register_error_handler(exc.TimeoutError, on_busy)
    app.register_error_handler(OSError, on_file)
    app.register_error_handler(Exception, on_bug)


def on_problem(error: Problem) -> Response:
    """Answer what the code raised on purpose."""
    return problem(error.status, error.code, error.extra)


def on_http(error: HTTPException) -> Response:
    """Answer what Flask and the libraries raise."""
    status = error.code or 400
    if status >= 500:
        return on_bug(error)
    response = problem(status, _BY_STATUS.get(status, "bad_request"))
    allow: Any = getattr(error, "valid_methods", None)
    if allow:
        response.headers["Allow"] = ", ".join(sorted(allow))
    return response


def on_busy(_error: Exception) -> Response:
    """Answer what will pass: nothing was written, the same request may come again."""
    return problem(503, "retry")


def on_database(error: exc.DBAPIError) -> Response:
    """Tell a full disk and a busy or restarting database from a bug."""
    text = str(error.orig)
    if any(word in text for word in DISK_FULL):
        log.error("database: disk full", extra={"path": request.path})
        return problem(507, "storage_full")
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        log.warning("database not available: %s", type(error.orig).__name__)
        return problem(503, "retry")
    return on_bug(error)


def on_file(error: OSError) -> Response:
    """Tell a full disk from a bug."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("files: disk full", extra={"path": request.path})
        return problem(507, "storage_full")
    return on_bug(error)


def on_bug(error: Exception) -> Response:
    """Log a bug once, without any of the request's values; the phone tries again later.

    An error's own words may hold names or numbers, so only development shows them.
    """
    actor = getattr(g, "actor", None)
    settings = current_app.extensions["wangge_settings"]
    log.error(
        "bug: %s in %s %s by user %s at %s", type(error).__name__, request.method,
        request.url_rule, actor.user_id if actor else None, trail(error),
        exc_info=error if settings.profile == DEVELOPMENT else None,
    )  # fmt: skip
    return problem(503, "retry")
