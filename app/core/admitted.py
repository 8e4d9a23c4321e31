"""Admission before a WSGI application, and the short answers of whoever is not let in.

The ASGI door asks by itself, before a thread is taken, and brings the ticket along.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.core.admission import TICKET, Admission, Refused, Ticket
from app.core.headers import headers_for
from app.core.problems import PROBLEM_JSON, problem_body
from app.core.settings import Settings

ADMISSION = "wangge_admission"
HEADER_BYTES_MAX = 16 * 1024
WORDS = {
    429: "429 TOO MANY REQUESTS", 431: "431 REQUEST HEADER FIELDS TOO LARGE",
    503: "503 SERVICE UNAVAILABLE",
}  # fmt: skip
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Admitted:
    """A WSGI application behind its admission."""

    def __init__(self, app: Wsgi, admission: Admission, settings: Settings) -> None:
        self._app = app
        self._admission = admission
        self._headers = headers_for(settings.public_url)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request, or say when to come again."""
        if TICKET in environ:
            return self._app(environ, start)
        asked = ask(self._admission, environ)
        if isinstance(asked, Refused):
            headers, body = told(asked, self._headers)
            start(WORDS[asked.status], headers)
            return [body]
        environ[TICKET] = asked
        try:
            # What is sent piece by piece afterwards costs the line more than the server.
            return self._app(environ, start)
        finally:
            asked.leave()


def ask(admission: Admission, environ: Mapping[str, Any]) -> Ticket | Refused:
    """Ask for the admission of a request; one with too long a head never gets any."""
    if _head_bytes(environ) > HEADER_BYTES_MAX:
        return Refused(431, "too_large", 0)
    return admission.ask(environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION", ""))


def _head_bytes(environ: Mapping[str, Any]) -> int:
    """Return about how long the address and the headers of a request are."""
    headers = (len(name) + len(value) for name, value in environ.items()
               if name.startswith("HTTP_"))  # fmt: skip
    return len(environ["PATH_INFO"]) + len(environ.get("QUERY_STRING", "")) + sum(headers)


def told(refused: Refused, headers: Mapping[str, str]) -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and body of a refusal: a problem like any other."""
    again = refused.retry_after_s
    extra = {"retry_after_s": again} if again else {"most_bytes": HEADER_BYTES_MAX}
    body = json.dumps(problem_body(refused.status, refused.code, extra)).encode()
    return [
        *headers.items(), ("Content-Type", PROBLEM_JSON), ("Content-Length", str(len(body))),
        *([("Retry-After", str(again))] if again else []),
    ], body  # fmt: skip
