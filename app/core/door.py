"""The ASGI door before the WSGI application: what only waits costs no thread.

A request whose body is small arrives on the event loop and then runs in one of a bounded number
of threads, as under a WSGI server; a long body is read by its thread as it comes. A view may
leave a :class:`Waiter` behind: then its answer is held back, on the loop, without thread,
database connection or transaction, until the waiter is woken, leaves, or has waited enough.
"""

import asyncio
import enum
import io
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from app.core.admission import TICKET, Admission, Ticket
from app.core.admitted import ask, told
from app.core.environ import environ_of
from app.core.headers import HEADERS

log = logging.getLogger("wangge")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

OFFER = "wangge.door"
AHEAD_BYTES = 64 * 1024
WHOLE_BYTES = 512 * 1024
CHUNK_S_MAX = 120.0
NOT_FORWARDED = {"retry-after", "content-length", "content-type"}


class Word(enum.Enum):
    """What a waiter may be told instead of a body."""

    NOTHING = "nothing has happened: give the answer that was held back"
    AGAIN = "something has happened: ask the application again"
    GONE = "nobody waits any more"


class Waiter:
    """A held answer; whoever watches for it wakes it, from any thread, and only once.

    Woken with a body, the answer is that body.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.word: bytes | Word = Word.NOTHING
        self._lock = threading.Lock()
        self._woken = False
        self._tell: Callable[[], None] | None = None

    def wake(self, word: bytes | Word) -> None:
        """Let the answer go; only the first call counts."""
        with self._lock:
            if self._woken:
                return
            self._woken, self.word = True, word
            tell = self._tell
        if tell:
            tell()

    @property
    def is_woken(self) -> bool:
        """Tell whether the answer may go."""
        return self._woken

    def when_woken(self, tell: Callable[[], None]) -> None:
        """Call back once woken: at once if that has happened already."""
        with self._lock:
            self._tell = tell
            woken = self._woken
        if woken:
            tell()

    def leave(self) -> None:
        """Stop watching for this waiter; whoever watches overrides it."""


@dataclass
class Offer:
    """What the door offers to a view that may want its answer held back."""

    waiter: Waiter | None = None


@dataclass
class Reply:
    """The answer of the application; ``rest`` is what did not fit into one piece."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    rest: Iterator[bytes] | None = None
    close: Callable[[], None] = field(default=lambda: None)


class Arriving(io.RawIOBase):
    """A long body that its thread reads while it arrives on the event loop."""

    def __init__(self, ahead: bytes, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._ahead = memoryview(ahead)
        self._receive = receive
        self._loop = loop
        self._ended = False

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived; nothing at the end.

        Raises:
            ConnectionResetError: the sender is gone, or has been silent for too long.
        """
        while not self._ahead and not self._ended:
            message = self._next()
            if message["type"] != "http.request":
                raise ConnectionResetError("the body was cut off")
            self._ahead = memoryview(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        size = min(len(buffer), len(self._ahead))
        buffer[:size] = self._ahead[:size]
        self._ahead = self._ahead[size:]
        return size

    def _next(self) -> Message:
        coming = asyncio.run_coroutine_threadsafe(_awaited(self._receive()), self._loop)
        try:
            return coming.result(CHUNK_S_MAX)
        except TimeoutError:
            coming.cancel()
            raise ConnectionResetError("the body stopped arriving") from None


async def _awaited(coming: Awaitable[Message]) -> Message:
    return await coming


class Door:
    """An ASGI application that runs a WSGI application in threads."""

    def __init__(
        self, app: Wsgi, *, threads: int, admission: Admission | None = None,
        headers: Mapping[str, str] = HEADERS,
    ) -> None:  # fmt: skip
        """Open the door.

        Args:
            headers: what stands on a refusal that the door tells by itself.
        """
        self._app = app
        self._admission = admission
        self._headers = headers
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._held: set[Waiter] = set()
        self._closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the ASGI server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Answer for the life of the server; at its end nobody is left waiting."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                _when_told_to_stop(self.let_go, asyncio.get_running_loop())
            else:
                self.let_go()
                self._pool.shutdown(wait=False)
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    def let_go(self) -> None:
        """Answer all that wait as if their time was over, and let nobody wait any more."""
        self._closing = True
        for waiter in list(self._held):
            waiter.wake(Word.NOTHING)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        body = await _arrived(receive, loop)
        if body is None:
            return
        offer, environ = Offer(), {**environ_of(scope), "wsgi.input": body}
        if isinstance(body, io.BytesIO):
            environ[OFFER] = offer
        refused = self._ask(environ)
        if refused is not None:
            await self._send(refused, send, loop)
            return
        reply = await loop.run_in_executor(self._pool, self._run, environ)
        if offer.waiter is not None:
            word = await self._hold(offer.waiter, receive, loop)
            if word is Word.GONE:
                return
            if isinstance(word, bytes):
                reply = _with_body(reply, word)
            elif word is Word.AGAIN:
                body.seek(0)
                # It was let in before, and waits no more for room.
                again = {**environ_of(scope), "wsgi.input": body, TICKET: None}
                reply = await loop.run_in_executor(self._pool, self._run, again)
        await self._send(reply, send, loop)

    def _ask(self, environ: dict[str, Any]) -> Reply | None:
        """Let a request in, before it takes a thread; or return what it is told."""
        if self._admission is None:
            return None
        asked = ask(self._admission, environ)
        if isinstance(asked, Ticket):
            environ[TICKET] = asked
            return None
        headers, body = told(asked, self._headers)
        return Reply(asked.status, _encoded(headers), body)

    async def _hold(
        self, waiter: Waiter, receive: Receive, loop: asyncio.AbstractEventLoop
    ) -> bytes | Word:
        """Hold an answer back until its waiter is woken, is gone, or has waited enough."""
        woken = loop.create_future()
        gone = loop.create_task(_gone(receive))

        def tell() -> None:
            loop.call_soon_threadsafe(_settle, woken)

        waiter.when_woken(tell)
        self._held.add(waiter)
        if self._closing:
            waiter.wake(Word.NOTHING)
        try:
            done, _ = await asyncio.wait(
                {woken, gone}, timeout=waiter.timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._held.discard(waiter)
            waiter.leave()
            gone.cancel()
        return Word.GONE if gone in done else waiter.word

    def _run(self, environ: dict[str, Any]) -> Reply:
        """Run the application in this thread; a long answer stays open."""
        try:
            return _answer(self._app, environ)
        except Exception as error:
            log.error("bug: %s outside of the application", type(error).__name__)
            return Reply(*BROKEN, b"")
        finally:
            if ticket := environ.get(TICKET):
                ticket.leave()

    async def _send(self, reply: Reply, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        )
        more = reply.rest is not None
        await send({"type": "http.response.body", "body": reply.body, "more_body": more})
        if reply.rest is not None:
            await loop.run_in_executor(self._pool, _pour, reply, send, loop)


def _when_told_to_stop(tell: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
    """Hear the signals that end the server, without taking them from it.

    A server lets open connections finish before it ends the life of the application; those that
    wait would keep it for a minute. The loop has its own handlers, which are woken through a file
    and go on working beside this one.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(name)
        if callable(before):
            signal.signal(name, _both(before, lambda: loop.call_soon_threadsafe(tell)))
            signal.siginterrupt(name, False)


def _both(before: Callable[..., Any], also: Callable[[], Any]) -> Callable[..., None]:
    def handle(number: int, frame: Any) -> None:
        also()
        before(number, frame)

    return handle


def _settle(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)


async def _gone(receive: Receive) -> None:
    """Return when the other side has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _arrived(
    receive: Receive, loop: asyncio.AbstractEventLoop
) -> io.BytesIO | Arriving | None:
    """Return a body: whole if it is small, else the beginning of a long one; None if cut."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            return io.BytesIO(b"".join(parts))
        if size >= AHEAD_BYTES:
            return Arriving(b"".join(parts), receive, loop)


def _answer(app: Wsgi, environ: dict[str, Any]) -> Reply:
    """Return what the application answers, whole if it is not too long."""
    said: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        said[:] = [status, headers]

    answer = app(environ, start)
    pieces, parts, size = iter(answer), [], 0
    rest: Iterator[bytes] | None = None
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            rest = pieces
            break
    close: Callable[[], None] = getattr(answer, "close", lambda: None)
    if rest is None:
        close()
    status = int(said[0].split(" ", 1)[0])
    return Reply(status, _encoded(said[1]), b"".join(parts), rest, close)


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _pour(reply: Reply, send: Send, loop: asyncio.AbstractEventLoop) -> None:
    """Send the rest of a long answer as it is made, no faster than it is taken."""

    def pass_on(body: bytes, *, more: bool) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": more}
        asyncio.run_coroutine_threadsafe(_sent(send, message), loop).result(CHUNK_S_MAX)

    try:
        for piece in reply.rest or ():
            pass_on(piece, more=True)
        pass_on(b"", more=False)
    finally:
        reply.close()


async def _sent(send: Send, message: Mapping[str, Any]) -> None:
    await send(dict(message))


BROKEN = (503, _encoded({**HEADERS, "Content-Length": "0", "Retry-After": "5"}.items()))


def _with_body(reply: Reply, body: bytes) -> Reply:
    """Return the held answer with what it waited for."""
    kept = [(name, value) for name, value in reply.headers if name.decode() not in NOT_FORWARDED]
    kept += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return Reply(200, kept, body)
