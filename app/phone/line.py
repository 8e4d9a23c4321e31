"""The line to the server: every request leaves here, and every failure gets one of two names."""

import gzip
import json
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 30.0
GZIP_FROM_BYTES = 1_000
CHUNK_BYTES = 16 * 1024
REPLY_BYTES_MAX = 64 * 1024 * 1024
RETRY_AFTER_S_MAX = 3_600
BUSY_STATUSES = (429, 500, 502, 503, 504, 507)
UNREACHED, BUSY, STRANGER = "unreached", "busy", "stranger"


class Away(Exception):
    """The server did not answer, or has no time just now: nothing is lost, try again later.

    Attributes:
        reason: ``unreached`` (no network, no server, no reply), ``busy`` (it says so itself),
            or ``stranger`` (something else answered, like the sign-in page of a hotel).
    """

    def __init__(self, reason: str, retry_after_s: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The server understood and says no; the code is stable."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body["code"]))
        self.status = status
        self.code = str(body["code"])
        self.body = body


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent back: the JSON, and the address of the next page if there is one."""

    body: Any
    next_page: str | None = None
    headers: Any = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """An answer as far as it arrived, as it travelled: packed, and perhaps cut off."""

    status: int
    headers: Message
    raw: bytes

    def plain(self) -> bytes:
        """Return what of it can be unpacked."""
        if self.headers.get("Content-Encoding") != "gzip":
            return self.raw
        try:
            return zlib.decompressobj(wbits=31).decompress(self.raw, REPLY_BYTES_MAX)
        except zlib.error:
            return b""


def is_address(server: str) -> bool:
    """Tell whether a text can be the address of a server."""
    try:
        parts = urlsplit(server)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def every(ask: Callable[[str, str], Answer], path: str) -> Iterator[Any]:
    """Yield the rows of a list, page by page."""
    page: str | None = path
    while page:
        answer = ask("GET", page)
        yield from answer.body
        page = answer.next_page


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one server.

    Attributes:
        server: its address, like ``https://grid.example.cn``.
    """

    server: str
    timeout_s: float = TIMEOUT_S

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request below ``/api/v1`` and return the answer.

        Args:
            body: what travels as JSON; bytes travel as they are.

        Raises:
            Away: there was no answer from the server, or it is busy.
            Refused: the server says no.
        """
        with self._asked(method, path, body, token, headers) as response:
            return _understood(response, _unpacked(response))

    def fetch(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Arrived:
        """Send one request and return a good answer as far as it came, even if it was cut.

        Raises:
            Away, Refused: as for a call.
        """
        with self._asked(method, path, body, token, headers) as response:
            if response.status not in (200, 206):
                _understood(response, _unpacked(response))
                raise Away(STRANGER)
            return Arrived(response.status, response.headers, _received(response))

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        body: Any,
        token: str | None,
        headers: Mapping[str, str] | None,
    ) -> Iterator[HTTPResponse]:
        """Send one request and give its answer to be read; a line that fails meanwhile is away."""
        raw, own = _packed(body, token)
        connection = _connection(self.server, self.timeout_s)
        try:
            target = f"{urlsplit(self.server).path}/api/v1{path}"
            connection.request(method, target, raw, {**own, **(headers or {})})
            with connection.getresponse() as response:
                yield response
        except (OSError, HTTPException, zlib.error):
            raise Away(UNREACHED) from None
        finally:
            connection.close()


def _received(response: HTTPResponse) -> bytes:
    """Return all that comes before the end, or before the line is cut."""
    received = b""
    try:
        while len(received) <= REPLY_BYTES_MAX and (piece := response.read(CHUNK_BYTES)):
            received += piece
    except (OSError, HTTPException):
        return received
    return received


def _connection(server: str, timeout_s: float) -> HTTPConnection:
    parts = urlsplit(server)
    if parts.scheme == "https":
        trust = ssl.create_default_context()
        return HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout_s, context=trust)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)


def _packed(body: Any, token: str | None) -> tuple[bytes | None, dict[str, str]]:
    """Return a body as it travels, and the headers that say so."""
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "Connection": "close"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is None or isinstance(body, bytes):
        return body, headers
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers["Content-Type"] = "application/json"
    if len(raw) < GZIP_FROM_BYTES:
        return raw, headers
    return gzip.compress(raw), {**headers, "Content-Encoding": "gzip"}


def _unpacked(response: HTTPResponse) -> bytes:
    """Return the body of an answer, never more than a phone can hold.

    Raises:
        HTTPException: it is longer than that, or was cut off.
    """
    raw = response.read(REPLY_BYTES_MAX + 1)
    if response.length and len(raw) <= REPLY_BYTES_MAX:
        raise HTTPException("cut off")
    if response.headers.get("Content-Encoding") == "gzip":
        inflater = zlib.decompressobj(wbits=31)
        raw = inflater.decompress(raw, REPLY_BYTES_MAX + 1)
        if not inflater.eof:
            raise HTTPException("cut off")
    if len(raw) > REPLY_BYTES_MAX:
        raise HTTPException("too long")
    return raw


def _understood(response: HTTPResponse, raw: bytes) -> Answer:
    """Sort an answer: good, busy, refused, or not from our server at all."""
    if response.status in BUSY_STATUSES:
        raise Away(BUSY, _retry_after_s(response))
    if response.status < 300 and not raw:
        return Answer(None, headers=response.headers)
    body = _json(raw)
    if 200 <= response.status < 300 and body is not None:
        return Answer(body, _next_page(response.headers.get("Link", "")))
    if 400 <= response.status < 500 and isinstance(body, dict) and "code" in body:
        raise Refused(response.status, body)
    raise Away(STRANGER)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _retry_after_s(response: HTTPResponse) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(int(text), RETRY_AFTER_S_MAX) if text.isdecimal() else None


def _next_page(link: str) -> str | None:
    """Return the path below ``/api/v1`` that a Link header calls the next one."""
    target, _, relation = link.partition(">")
    if 'rel="next"' not in relation:
        return None
    return target.strip().removeprefix("<").partition("/api/v1")[2]
