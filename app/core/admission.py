"""Let in what can be done in time; tell the rest at once when to come again.

A process takes so many requests at a time as it has room. Above it, 503 costs it nothing: no
thread waits, no token is checked, no database is asked. While there is room for half of them,
anybody gets in; then no township holds more than its share of those that are here or were just
turned away. Each device has a budget of its own, so that one that runs wild is told 429 alone.

Who asks is known by the token as it stands: the same text is the same device, and nobody can
spend the budget of one whose token he does not hold. Which township it belongs to is what the
last request of this token turned out to be.
"""

import hashlib
import random
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

TICKET = "wangge.ticket"
KEYS_MAX = 50_000
LIGHT_MAX = 2_048
BURST_S = 10
RECENT_S = 10.0
TURNED_AWAY_S = 5.0
WINDOW_S_MIN, WINDOW_S_MAX = 5.0, 120.0
LEAST_SHARE = 4
NOBODY, NEW = "nobody", "new"
WHOLE, SMALL, NONE = "whole", "small", "none"

LIGHT = frozenset({"/livez", "/readyz", "/api/v1/sync/head", "/api/v1/sync/wait"})
"""What costs next to nothing has a room of its own: who waits must learn that he may go on."""
PATIENT = "/api/v1/files"
"""Bytes of photos come slowly and in many pieces; they have a quota of their own for each day."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not let in: the status, the code, and when to come again."""

    status: int
    code: str
    retry_after_s: int


@dataclass(slots=True)
class Ticket:
    """A request that was let in; whoever serves it says when it is done, and whose it was."""

    admission: "Admission"
    key: bytes
    group: str
    room: str
    left: bool = False

    def belongs_to(self, group: str) -> None:
        """Note the township of the one who asks, for his next request."""
        self.admission.learn(self.key, group)

    def leave(self) -> None:
        """Make room; a second time changes nothing."""
        self.admission.leave(self)


@dataclass(slots=True)
class _Device:
    """What is known of a token: how much it may still ask, and where it belongs."""

    budget: float
    seen_s: float
    group: str = NEW


@dataclass
class Admission:
    """The counts of one process.

    Attributes:
        room: how many requests may be in work at a time.
        per_s: how many requests a second one device may go on asking; 0 for any number.
        clock: seconds of a clock that never goes back.
    """

    room: int
    per_s: int
    clock: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.SystemRandom)
    _devices: "OrderedDict[bytes, _Device]" = field(default_factory=OrderedDict)
    _in_work: "Counter[str]" = field(default_factory=Counter)
    _light: int = 0
    _away: dict[str, float] = field(default_factory=dict)
    _let_in: "deque[float]" = field(default_factory=lambda: deque(maxlen=20_000))
    _refused: "deque[float]" = field(default_factory=lambda: deque(maxlen=50_000))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, path: str, authorization: str) -> Ticket | Refused:
        """Let a request in, or say when to come again; whoever got a ticket must leave."""
        key = hashlib.blake2b(authorization.encode(), digest_size=16).digest()
        with self._lock:
            now = self.clock()
            device = self._device(key, now) if authorization else None
            patient = path.startswith(PATIENT)
            if device and self.per_s and not patient:
                if device.budget < 1:
                    return Refused(429, "too_many_requests", self._until_one(device))
                device.budget -= 1
            group = device.group if device else NOBODY
            if patient:
                return Ticket(self, key, group, NONE)
            if path in LIGHT:
                return self._light_or_not(key, group, now)
            if not self._has_room(group, now):
                self._note(self._refused, now)
                self._away[group] = now
                return Refused(503, "retry", self._jittered(now))
            self._note(self._let_in, now)
            self._in_work[group] += 1
            return Ticket(self, key, group, WHOLE)

    def leave(self, ticket: Ticket) -> None:
        """Take a request out of the count."""
        with self._lock:
            if ticket.left or ticket.room == NONE:
                return
            ticket.left = True
            if ticket.room == SMALL:
                self._light -= 1
                return
            self._in_work[ticket.group] -= 1
            if self._in_work[ticket.group] <= 0:
                del self._in_work[ticket.group]

    def learn(self, key: bytes, group: str) -> None:
        """Note where a device belongs."""
        with self._lock:
            if device := self._devices.get(key):
                device.group = group

    def in_work(self) -> int:
        """Return how many requests are in work."""
        with self._lock:
            return self._in_work.total()

    # -- under the lock -------------------------------------------------------------------------

    def _device(self, key: bytes, now: float) -> _Device:
        most = float(self.per_s * BURST_S)
        device = self._devices.pop(key, None) or _Device(most, now)
        device.budget = min(most, device.budget + (now - device.seen_s) * self.per_s)
        device.seen_s = now
        self._devices[key] = device
        if len(self._devices) > KEYS_MAX:
            self._devices.popitem(last=False)
        return device

    def _until_one(self, device: _Device) -> int:
        """Return after how many seconds a device may ask again, and a little for the crowd."""
        return int((1 - device.budget) / self.per_s) + 1 + self.rng.randrange(3)

    def _light_or_not(self, key: bytes, group: str, now: float) -> Ticket | Refused:
        if self._light >= LIGHT_MAX:
            return Refused(503, "retry", self._jittered(now))
        self._light += 1
        return Ticket(self, key, group, SMALL)

    def _has_room(self, group: str, now: float) -> bool:
        total = self._in_work.total()
        if total >= self.room:
            return False
        return total < self.room // 2 or self._in_work[group] < self._share(group, now)

    def _share(self, group: str, now: float) -> int:
        """Return how many one township may have in work while others want to get in."""
        self._away = {one: at for one, at in self._away.items() if now - at < TURNED_AWAY_S}
        wanting = {group, *self._in_work, *self._away}
        return max(LEAST_SHARE, self.room // len(wanting))

    def _note(self, times: "deque[float]", now: float) -> None:
        times.append(now)
        while times and now - times[0] > RECENT_S:
            times.popleft()

    def _jittered(self, now: float) -> int:
        """Return when to come again: spread over the time that those turned away will take."""
        while self._let_in and now - self._let_in[0] > RECENT_S:
            self._let_in.popleft()
        needed = RECENT_S * len(self._refused) / max(1, len(self._let_in))
        window = min(WINDOW_S_MAX, max(WINDOW_S_MIN, needed))
        return 1 + self.rng.randrange(int(window))
