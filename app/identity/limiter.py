"""Slow down whoever sends rubbish to a door whose secrets nobody can guess.

Enrolment codes, refresh tokens and wipe tickets have 128 bits and more: counting only saves work.
So the counts live in the memory of the process, and need no write while somebody hammers at the
door; what is right always passes. Doors of passwords and short codes count in ``attempts``.
"""

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import dataclass

from sync.errors import Problem

FREE_PER_ACCOUNT, FREE_PER_ADDRESS = 5, 60
WAIT_S_MAX = 900
FORGET_S = 3600
KEYS_MAX = 20_000
IPV6_HOME_BITS = 64


@dataclass(slots=True)
class _Count:
    failures: int
    last_s: float


class Doors:
    """The counts of failures of one process, the oldest forgotten first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def enter(self, address: str, account: str, now_s: float) -> None:
        """Let an attempt pass and count it as a failure until it has proved to be none.

        Counted first, since a crowd of attempts at the same moment would all find the door open.

        Raises:
            Problem: 429 with the seconds to wait; such an attempt is not counted.
        """
        with self._lock:
            wait = max(self._wait_s(key, free, now_s) for key, free in _keys(address, account))
            if wait > 0:
                raise Problem(429, "too_many_requests", retry_after_s=int(wait) + 1)
            for key, _ in _keys(address, account):
                self._add(key, now_s)

    def _wait_s(self, key: str, free: int, now_s: float) -> float:
        count = self._counts.get(key)
        if count is None or count.failures < free:
            return 0
        if now_s - count.last_s > FORGET_S:
            return 0
        pause = min(WAIT_S_MAX, 1 << min(20, count.failures - free))
        return count.last_s + pause - now_s

    def _add(self, key: str, now_s: float) -> None:
        count = self._counts.pop(key, None)
        if count is None or now_s - count.last_s > FORGET_S:
            count = _Count(0, now_s)
        count.failures += 1
        count.last_s = now_s
        self._counts[key] = count
        if len(self._counts) > KEYS_MAX:
            self._counts.popitem(last=False)


def _keys(address: str, account: str) -> tuple[tuple[str, int], tuple[str, int]]:
    home = home_of(address)
    return ((f"{home} {account}", FREE_PER_ACCOUNT), (home, FREE_PER_ADDRESS))


def home_of(address: str) -> str:
    """Return the network that one subscriber holds: a whole /64 of IPv6 is one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_HOME_BITS), strict=False))
