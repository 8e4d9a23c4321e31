"""The line sorts every answer: good, refused, busy, a stranger's, or none at all."""

import gzip
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.phone.line import BUSY, STRANGER, UNREACHED, Away, Line, Refused
from tests.app.phone.network import running

GOOD = b'{"good":true}'
Answering = Callable[..., Line]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return what makes a server that always gives the same answer."""
    told: dict[str, object] = {}
    seen: list[tuple[dict[str, str], bytes]] = []

    class Fixed(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((dict(self.headers), raw))
            self.wfile.write(bytes(str(told["head"]), "latin-1") + b"\r\n\r\n" + told["raw"])  # type: ignore[operator]

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Fixed)

    def answer(status: str, raw: bytes, *headers: str) -> Line:
        told.update(head="\r\n".join([f"HTTP/1.1 {status}", *headers]), raw=raw)
        line = Line(f"http://127.0.0.1:{server.server_port}", timeout_s=5)
        answer.seen = seen  # type: ignore[attr-defined]
        return line

    with running(server):
        yield answer


@pytest.mark.parametrize(
    ("status", "raw", "headers", "reason"),
    [
        ("503 x", b"", (), BUSY),
        ("500 x", b"<html>", (), BUSY),
        ("302 x", b"", ("Location: http://hotel/",), STRANGER),
        ("200 x", b"<html>", (), STRANGER),
        ("404 x", b"<html>", (), STRANGER),
        ("404 x", b'{"title":"no code"}', (), STRANGER),
        ("200 x", GOOD, ("Content-Length: 999",), UNREACHED),
        ("200 x", gzip.compress(GOOD)[:-4], ("Content-Encoding: gzip",), UNREACHED),
        ("200 x", b"nonsense", ("Content-Encoding: gzip",), UNREACHED),
        ("nonsense", b"", (), UNREACHED),
    ],
    ids=["busy", "bug", "moved", "page", "no page", "no code", "short", "cut", "not gzip", "noise"],
)
def test_what_is_no_answer_of_the_server_is_told_apart(
    answering: Answering, status: str, raw: bytes, headers: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(Away) as raised:
        answering(status, raw, *headers).call("POST", "/x", {})
    assert raised.value.reason == reason


def test_retry_after_is_believed_within_reason(answering: Answering) -> None:
    for text, seconds in (("9", 9), ("999999", 3600), ("Wed, 21 Oct", None)):
        with pytest.raises(Away) as raised:
            answering("503 x", b"", f"Retry-After: {text}").call("POST", "/x")
        assert raised.value.retry_after_s == seconds


def test_a_refusal_keeps_its_code_and_body(answering: Answering) -> None:
    with pytest.raises(Refused) as raised:
        answering("409 x", b'{"code":"gap","expected":7}').call("POST", "/x")
    assert (raised.value.status, raised.value.code) == (409, "gap")
    assert raised.value.body["expected"] == 7


def test_long_bodies_travel_packed_both_ways(answering: Answering) -> None:
    line = answering("200 x", gzip.compress(GOOD), "Content-Encoding: gzip")
    assert line.call("POST", "/x", {"text": "很长" * 1000}).body == {"good": True}
    headers, raw = answering.seen[0]  # type: ignore[attr-defined]
    assert headers["Content-Encoding"] == "gzip" and headers["Accept-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(raw)) == {"text": "很长" * 1000}


def test_the_next_page_is_taken_from_the_link(answering: Answering) -> None:
    link = 'Link: </api/v1/users?cursor=abc&limit=2>; rel="next"'
    answer = answering("200 x", b"[]", link).call("POST", "/x")
    assert answer.next_page == "/users?cursor=abc&limit=2"
    assert answering("200 x", b"[]").call("POST", "/x").next_page is None


def test_an_answer_without_a_body_is_one(answering: Answering) -> None:
    assert answering("204 x", b"").call("POST", "/x").body is None
