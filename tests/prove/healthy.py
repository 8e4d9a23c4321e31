"""Healthy phones that go on exchanging, and what their answers took."""

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.app.core.county import County

PAUSE_S = 0.6
FEW_S = 10
"""Below that the answers are too few to say how long they take; then only a halt is found."""
HALT_S = 4.0
ANSWER_WITHIN_S = 10.0
SLOWER_MAX = 4.0
Line = Callable[[], http.client.HTTPConnection]


def plain_line(port: int) -> http.client.HTTPConnection:
    """Return a line to a server on this machine."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)


def tls_line(port: int) -> http.client.HTTPConnection:
    """Return a line to a server behind TLS whose certificate was made just now."""
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S, context=context)


@dataclass
class Phone:
    """One phone with its token, asking over one line."""

    headers: Mapping[str, str]
    body: bytes
    line: http.client.HTTPConnection
    took_s: list[float] = field(default_factory=list)
    seen: Counter[int] = field(default_factory=Counter)

    def ask(self) -> int:
        """Exchange once; a line that was cut is opened again."""
        began = time.monotonic()
        try:
            self.line.request("POST", "/api/v1/sync/exchange", self.body, dict(self.headers))
            reply = self.line.getresponse()
            reply.read()
            status = reply.status
        except (OSError, http.client.HTTPException):
            self.line.close()
            status = 0
        self.took_s.append(time.monotonic() - began)
        self.seen[status] += 1
        return status


def phones_of(county: County, count: int, line: Line) -> list[Phone]:
    """Enrol phones, each with a device of its own."""
    made: list[Phone] = []
    for _ in range(count):
        phone = county.another_phone("gw")
        body: dict[str, Any] = {"device": phone.device, "cursor": None, "edits": []}
        headers = {**county.headers[phone.who], "Content-Type": "application/json"}
        made.append(Phone(headers, json.dumps(body).encode(), line()))
    return made


def let_work(phones: list[Phone], seconds: float, *, pause_s: float = PAUSE_S) -> float:
    """Let phones exchange at their own pace, and return the p99 of what their answers took."""
    until = time.monotonic() + seconds

    def work(phone: Phone) -> None:
        while time.monotonic() < until:
            phone.ask()
            time.sleep(pause_s)

    for phone in phones:
        phone.took_s.clear()
    threads = [threading.Thread(target=work, args=(phone,)) for phone in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return p99([one for phone in phones for one in phone.took_s])


def too_slow(alone_s: float, beside_s: float, *, quick_s: float, seconds: int) -> list[str]:
    """Return what is wrong if answers take much longer beside something than alone."""
    most = max(quick_s, SLOWER_MAX * alone_s) if seconds >= FEW_S else max(HALT_S, 8 * alone_s)
    if beside_s <= most:
        return []
    return [f"healthy answers took {beside_s:.3f} s instead of {alone_s:.3f} s"]


def p99(took_s: list[float]) -> float:
    """Return the time that 99 of 100 answers did not exceed."""
    return sorted(took_s)[int(len(took_s) * 0.99)]
