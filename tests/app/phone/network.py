"""A network between phone and server that fails as told, and a server in a thread behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

LOST, HELD, BUSY, STRANGER, EXPIRED, CUT = "lost", "held", "busy", "stranger", "expired", "cut"
TORN = "torn"
WAIT_S = 30


@dataclass
class Network:
    """What happens to requests on their way.

    Attributes:
        faults: (end of the path, fault) for the coming requests; each happens once.
        seen: paths that arrived, in order.
        held: set when the server has answered a request whose reply is held back.
    """

    upstream: tuple[str, int]
    address: str = ""
    faults: list[tuple[str, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    expired_token: str = ""
    held: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def fail(self, path: str, *faults: str) -> None:
        """Plan faults for the next requests to a path."""
        self.faults += [(path, fault) for fault in faults]

    def fault_of(self, path: str) -> str:
        """Return the fault planned for a request, and strike it off."""
        self.seen.append(path.partition("/api/v1")[2])
        for planned in self.faults:
            if path.endswith(planned[0]):
                self.faults.remove(planned)
                return planned[1]
        return ""


class Relay(BaseHTTPRequestHandler):
    """One request on its way through the network."""

    network: Network
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.network.fault_of(self.path)
        self.close_connection = True
        if fault == BUSY:
            return self._reply(503, {"Retry-After": "7"}, b"{}")
        if fault == STRANGER:
            return self._reply(200, {}, b"<html>Welcome to our hotel</html>")
        status, headers, reply = self._forward(raw, fault)
        if fault == LOST:
            return None
        if fault == HELD:
            self.network.held.set()
            self.network.let_go.wait(WAIT_S)
        if fault == TORN:
            return self._reply(status, headers, reply[: len(reply) * 2 // 3], len(reply))
        return self._reply(status, headers, reply[: len(reply) // 2] if fault == CUT else reply)

    do_GET = do_DELETE = do_PATCH = do_HEAD = do_POST

    def _forward(self, raw: bytes, fault: str) -> tuple[int, dict[str, str], bytes]:
        headers = dict(self.headers)
        if fault == EXPIRED:
            headers["Authorization"] = f"Bearer {self.network.expired_token}"
        connection = HTTPConnection(*self.network.upstream)
        try:
            connection.request(self.command, self.path, raw or None, headers)
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def _reply(
        self, status: int, headers: dict[str, str], raw: bytes, length: int | None = None
    ) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                if name not in ("Server", "Date", "Connection", "Content-Length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length or len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def running(server: Any) -> Iterator[None]:
    """Let a server of the standard library run beside the test."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def network_before(app: Flask) -> Iterator[Network]:
    """Serve an application behind a network."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    network = Network(("127.0.0.1", server.port))
    relay = ThreadingHTTPServer(("127.0.0.1", 0), type("OneRelay", (Relay,), {"network": network}))
    relay.daemon_threads = True
    network.address = f"http://127.0.0.1:{relay.server_port}"
    with running(server), running(relay):
        yield network
        network.let_go.set()
