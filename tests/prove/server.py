"""The real server in processes of its own, that can be killed without warning."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 30.0
ANSWER_WITHIN_S = 15.0
THREADS = 64


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


@dataclass
class Server:
    """Granian with the application, as ``make run`` starts it.

    Attributes:
        interface: how the application is spoken to; planted bugs often are plain WSGI.
    """

    environment: Mapping[str, str]
    application: str = "asgi:app"
    workers: int = 1
    interface: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start, wait until it can serve, and return the seconds this took."""
        interface = self.interface or ("asgi" if self.application == "asgi:app" else "wsgi")
        threads = ["--blocking-threads", str(THREADS)] if interface == "wsgi" else []
        words = ["--interface", interface, "--host", "127.0.0.1", "--port", str(self.port),
                 "--no-ws", "--workers", str(self.workers), "--backlog", "4096",
                 "--backpressure", "8192", *threads, "--log-level", "error",
                 self.application]  # fmt: skip
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "granian", *words], cwd=ROOT, start_new_session=True,
            env={**os.environ, "THREADS": str(THREADS), **self.environment},
        )  # fmt: skip
        while not self._is_ready():
            assert self.process.poll() is None, "the server ended while it started"
            assert time.monotonic() - began < READY_WITHIN_S, "the server does not get ready"
            time.sleep(0.02)
        return time.monotonic() - began

    def _is_ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def pids(self) -> list[int]:
        """Return the processes of the server."""
        assert self.process is not None
        found = [self.process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        return found

    def kill(self) -> None:
        """Kill all of its processes at once; none can put anything in order."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop in peace."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait()

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send one request on a connection of its own; return status and JSON.

        Raises:
            OSError: there was no answer, or not a whole one.
        """
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_WITHIN_S)
        try:
            data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
            line.request(method, path, data,
                         {"Content-Type": "application/json", **(headers or {})})  # fmt: skip
            reply = line.getresponse()
            return reply.status, json.loads(reply.read() or b"null")
        except (http.client.HTTPException, ValueError) as fault:
            raise OSError("no whole answer") from fault
        finally:
            line.close()
