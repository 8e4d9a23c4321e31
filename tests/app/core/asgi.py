"""A line to an ASGI application: its loop in a thread, and requests as a server would pass them."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.core.door import Door

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Call:
    """One request under way."""

    loop: asyncio.AbstractEventLoop
    inbox: "asyncio.Queue[dict[str, Any]]"
    future: "Future[Answer]" = field(default_factory=Future)

    def done(self) -> bool:
        """Tell whether there is an answer."""
        return self.future.done()

    def result(self, timeout_s: float) -> Answer:
        """Return status, headers and body."""
        return self.future.result(timeout_s)

    def send(self, body: bytes, *, more: bool) -> None:
        """Send a part of the body."""
        message = {"type": "http.request", "body": body, "more_body": more}
        self.loop.call_soon_threadsafe(self.inbox.put_nowait, message)

    def hang_up(self) -> None:
        """Close the connection."""
        self.loop.call_soon_threadsafe(self.inbox.put_nowait, {"type": "http.disconnect"})


@dataclass
class Line:
    """A running loop with a door."""

    door: Door
    loop: asyncio.AbstractEventLoop

    @classmethod
    @contextmanager
    def open(cls, door: Door) -> Iterator["Line"]:
        """Run a loop in a thread while the line is open."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield cls(door, loop)
        finally:
            loop.call_soon_threadsafe(door.let_go)
            loop.call_soon_threadsafe(loop.call_later, 0.1, loop.stop)
            thread.join()
            loop.close()

    def ask(
        self, method: str, path: str, *, body: bytes | None = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Call:  # fmt: skip
        """Send a request; a body of None is sent by and by."""
        call = Call(self.loop, asyncio.Queue())
        if body is not None:
            call.send(body, more=False)
        place, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": place, "query_string": query.encode(),
            "http_version": "1.1", "scheme": "http", "server": ("server", 80),
            "client": ("127.0.0.1", 5), "headers": [
                (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
            ],
        }  # fmt: skip
        asyncio.run_coroutine_threadsafe(self._serve(scope, call), self.loop)
        return call

    async def _serve(self, scope: dict[str, Any], call: Call) -> None:
        said: dict[str, Any] = {"body": b""}

        async def send(message: Mapping[str, Any]) -> None:
            said["body"] += message.get("body", b"")
            said.update({name: message[name] for name in ("status", "headers") if name in message})

        try:
            await self.door(scope, call.inbox.get, send)
        except BaseException as error:
            call.future.set_exception(error)
            raise
        if "status" in said:
            names = {name.decode(): value.decode() for name, value in said["headers"]}
            call.future.set_result((said["status"], names, said["body"]))
