"""How many requests citizens may send: so many from one address, and so many in all."""

import ipaddress
import threading
from collections import OrderedDict, deque

from sync.errors import Problem

PER_ADDRESS, ADDRESS_S = 5, 600.0
IN_ALL, ALL_S = 60, 60.0
ADDRESSES_MAX = 10_000
IPV6_HOME_BITS = 64


class Turnstile:
    """Lets requests through as long as there are not too many; each process has its own."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()
        self._lock = threading.Lock()

    def enter(self, address: str, now_s: float, *, known: str = "") -> None:
        """Let one request through and count it.

        Args:
            known: the key of an app that speaks for many; then its address does not count.

        Raises:
            Problem: 429 with the seconds to wait; such a request is not counted.
        """
        with self._lock:
            mine = deque() if known else self._of(home_of(address))
            waits = (_wait(mine, PER_ADDRESS, ADDRESS_S, now_s),
                     _wait(self._all, IN_ALL, ALL_S, now_s))  # fmt: skip
            if max(waits) > 0:
                raise Problem(429, "too_many_requests", retry_after_s=int(max(waits)) + 1)
            mine.append(now_s)
            self._all.append(now_s)

    def _of(self, home: str) -> deque[float]:
        """Return the times of one address, the latest used; the longest unused is forgotten."""
        mine = self._by_address.setdefault(home, deque())
        self._by_address.move_to_end(home)
        if len(self._by_address) > ADDRESSES_MAX:
            self._by_address.popitem(last=False)
        return mine


def _wait(times: "deque[float]", most: int, within_s: float, now_s: float) -> float:
    while times and times[0] <= now_s - within_s:
        times.popleft()
    return times[0] + within_s - now_s if len(times) >= most else 0.0


def home_of(address: str) -> str:
    """Return the network that one subscriber holds: a whole /64 of IPv6 is one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_HOME_BITS), strict=False))
