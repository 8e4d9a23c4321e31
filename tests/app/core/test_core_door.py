"""The door before the application: bodies small, long, slow and cut; answers long; waiters held."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from app.core.door import AHEAD_BYTES, OFFER, WHOLE_BYTES, Door, Waiter, Word
from tests.app.core.asgi import Line

SOON_S = 5.0
Start = Callable[[str, list[tuple[str, str]]], Any]


class Application:
    """A WSGI application that notes what it was asked."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.begun = threading.Event()
        self.closed = threading.Event()
        self.waiter: Waiter | None = None

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        self.seen.append(environ)
        self.begun.set()
        return getattr(self, environ["PATH_INFO"].strip("/"))(environ, start)

    def echo(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        try:
            body = environ["wsgi.input"].read()
        except OSError:
            self.bodies.append(b"cut")
            raise
        self.bodies.append(body)
        start("200 OK", [("Content-Length", str(len(body))), ("X-Word", "so")])
        return [body]

    def byte_by_byte(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        while piece := environ["wsgi.input"].read(1000):
            self.bodies.append(piece)
        start("204 No Content", [])
        return []

    def long(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        try:
            for number in range(8):
                yield bytes([number]) * (WHOLE_BYTES // 2)
        finally:
            self.closed.set()

    def broken(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        raise RuntimeError("a secret name")

    def hold(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("204 No Content", [("X-Frame-Options", "DENY")])
        if offer := environ.get(OFFER):
            offer.waiter = self.waiter
        else:
            self.bodies.append(b"asked again")
        return []


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def line(application: Application) -> Iterator[Line]:
    with Line.open(Door(application, threads=2)) as line:
        yield line


def test_a_request_arrives_as_wsgi_wants_it(line: Line, application: Application) -> None:
    headers = {"Content-Type": "text/plain", "X-A": "1", "X_A": "forged", "Host": "h"}
    status, told, body = line.ask("POST", "/echo?a=%E7%BD%91", body=b"hello", headers=headers
                                  ).result(SOON_S)  # fmt: skip
    assert (status, body, told["x-word"]) == (200, b"hello", "so")
    seen = application.seen[0]
    wanted = {"REQUEST_METHOD": "POST", "QUERY_STRING": "a=%E7%BD%91", "CONTENT_TYPE": "text/plain",
              "HTTP_X_A": "1", "HTTP_HOST": "h", "REMOTE_ADDR": "127.0.0.1",
              "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1"}  # fmt: skip
    assert {name: seen[name] for name in wanted} == wanted


def test_a_small_slow_body_holds_no_thread(line: Line, application: Application) -> None:
    slow = [line.ask("POST", "/echo", body=None) for _ in range(10)]
    for call in slow:
        call.send(b"a", more=True)
    assert line.ask("POST", "/echo", body=b"quick").result(SOON_S)[2] == b"quick"
    assert application.bodies == [b"quick"]
    for call in slow:
        call.send(b"b", more=False)
    assert {call.result(SOON_S)[2] for call in slow} == {b"ab"}


def test_a_long_body_is_read_while_it_arrives(line: Line, application: Application) -> None:
    call = line.ask("POST", "/byte_by_byte", body=None)
    call.send(bytes(AHEAD_BYTES), more=True)
    assert application.begun.wait(SOON_S)
    for _ in range(3):
        call.send(bytes(5000), more=True)
    call.send(b"end", more=False)
    assert call.result(SOON_S)[0] == 204
    body = b"".join(application.bodies)
    assert len(body) == AHEAD_BYTES + 15_003 and body.endswith(b"end")


def test_a_body_cut_early_never_reaches_the_application(
    line: Line, application: Application
) -> None:
    call = line.ask("POST", "/echo", body=None)
    call.send(b"half", more=True)
    call.hang_up()
    assert line.ask("POST", "/echo", body=b"x").result(SOON_S)[0] == 200
    assert application.bodies == [b"x"] and not call.done()


def test_of_a_long_body_that_is_cut_every_byte_is_kept_and_the_end_is_an_error(
    line: Line, application: Application
) -> None:
    call = line.ask("POST", "/byte_by_byte", body=None)
    call.send(bytes(AHEAD_BYTES), more=True)
    call.send(bytes(777), more=True)
    call.hang_up()
    assert call.result(SOON_S)[0] == 503
    assert len(b"".join(application.bodies)) == AHEAD_BYTES + 777
    whole = line.ask("POST", "/echo", body=None)
    whole.send(bytes(AHEAD_BYTES), more=True)
    whole.hang_up()
    assert whole.result(SOON_S)[0] == 503 and application.bodies[-1] == b"cut"


def test_a_body_that_stops_arriving_gives_its_thread_back(
    line: Line, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.door.CHUNK_S_MAX", 0.1)
    calls = [line.ask("POST", "/echo", body=None) for _ in range(3)]
    for call in calls:
        call.send(bytes(AHEAD_BYTES), more=True)
    assert [call.result(SOON_S)[0] for call in calls] == [503] * 3
    assert line.ask("POST", "/echo", body=b"x").result(SOON_S)[0] == 200


def test_a_long_answer_goes_out_in_pieces_and_is_closed(
    line: Line, application: Application
) -> None:
    status, _, body = line.ask("GET", "/long").result(SOON_S)
    assert (status, len(body), body[-1]) == (200, 4 * WHOLE_BYTES, 7)
    assert application.closed.is_set()


def test_a_bug_outside_of_the_application_is_an_answer_without_its_words(line: Line) -> None:
    status, headers, body = line.ask("GET", "/broken").result(SOON_S)
    assert (status, headers["retry-after"], body) == (503, "5", b"")


# -- waiters --------------------------------------------------------------------------------------


def _held(line: Line, application: Application, timeout_s: float = 30) -> tuple[Any, Waiter]:
    application.waiter = Waiter(timeout_s)
    application.begun.clear()
    call = line.ask("GET", "/hold")
    assert application.begun.wait(SOON_S)
    return call, application.waiter


def test_an_answer_is_held_until_its_waiter_is_woken_with_a_body(
    line: Line, application: Application
) -> None:
    call, waiter = _held(line, application)
    time.sleep(0.1)
    assert not call.done()
    waiter.wake(b'{"a":1}')
    status, headers, body = call.result(SOON_S)
    assert (status, body, headers["x-frame-options"]) == (200, b'{"a":1}', "DENY")
    assert headers["content-length"] == "7"


def test_who_was_woken_before_the_door_held_him_is_not_forgotten(
    line: Line, application: Application
) -> None:
    application.waiter = Waiter(30)
    application.waiter.wake(b"{}")
    assert line.ask("GET", "/hold").result(SOON_S)[2] == b"{}"


def test_only_the_first_word_counts(line: Line, application: Application) -> None:
    call, waiter = _held(line, application)
    waiter.wake(b"first")
    waiter.wake(b"second")
    waiter.wake(Word.AGAIN)
    assert call.result(SOON_S)[2] == b"first" and application.bodies == []


def test_who_is_told_to_ask_again_gets_the_answer_of_now(
    line: Line, application: Application
) -> None:
    call, waiter = _held(line, application)
    waiter.wake(Word.AGAIN)
    assert call.result(SOON_S)[0] == 204 and application.bodies == [b"asked again"]


def test_held_answers_take_no_thread_of_the_pool(line: Line, application: Application) -> None:
    held = [_held(line, application) for _ in range(20)]
    assert line.ask("POST", "/echo", body=b"x").result(SOON_S)[0] == 200
    line.loop.call_soon_threadsafe(line.door.let_go)
    assert {call.result(SOON_S)[0] for call, _ in held} == {204}
    late, _ = _held(line, application)
    assert late.result(SOON_S)[0] == 204


def test_the_time_of_a_waiter_ends(line: Line, application: Application) -> None:
    call, waiter = _held(line, application, timeout_s=0.1)
    assert call.result(SOON_S)[0] == 204
    waiter.wake(b"too late")
