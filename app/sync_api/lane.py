"""Let few exchanges at a time compute; the rest wait in the order in which they came.

At every call of a database a thread lets go of the interpreter. Threads that pass it to and fro a
hundred times for each exchange cost a fifth more than the same exchanges one after the other, and
all of them are answered later (page 38 of the decisions).
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app

EXTENSION = "wangge_lane"
PLACES_ON_SQLITE, PLACES_ELSEWHERE = 1, 2
"""On SQLite all work is done in this process; elsewhere the database works while one waits."""
PATIENCE_S = 0.5


class Lane:
    """Some places in this process, given in the order in which they were asked for.

    Whoever holds one for longer than ``patience_s`` is held up by something, a lock of the
    database perhaps, and no longer counts: he must not hold up all others.
    """

    def __init__(self, places: int, *, patience_s: float = PATIENCE_S) -> None:
        self._places = places
        self._patience_s = patience_s
        self._inside: dict[threading.Event, float] = {}
        """Whose turn it is, and since when."""
        self._waiting: deque[threading.Event] = deque()
        self._guard = threading.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        turn = self._enter()
        try:
            yield
        finally:
            with self._guard:
                del self._inside[turn]
                self._let_in()

    def _enter(self) -> threading.Event:
        turn = threading.Event()
        with self._guard:
            self._waiting.append(turn)
            self._let_in()
        while not turn.wait(self._patience_s):
            with self._guard:
                self._let_in()
        return turn

    def _let_in(self) -> None:
        """Give free places to those who have waited longest; under the guard."""
        now = time.monotonic()
        at_work = sum(now - since < self._patience_s for since in self._inside.values())
        while self._waiting and at_work < self._places:
            turn = self._waiting.popleft()
            self._inside[turn] = now
            at_work += 1
            turn.set()


def current_lane() -> Lane:
    """Return the lane of this process."""
    lane: Lane = current_app.extensions[EXTENSION]
    return lane
