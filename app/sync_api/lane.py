"""Let few exchanges at a time compute; the rest wait in the order in which they came.

At every call of a database a thread lets go of the interpreter. Threads that pass it to and fro a
hundred times for each exchange cost a fifth more than the same exchanges one after the other, and
all of them are answered later (page 38 of the decisions).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from flask import current_app

EXTENSION = "wangge_lane"
PLACES = {True: 1, False: 2}
"""On SQLite all work is done in this process; elsewhere the database works while one waits."""
PATIENCE_S = 0.5


class Lane:
    """Some places in this process, given in the order in which they were asked for.

    Whoever holds one for longer than ``patience_s`` is held up by something, a lock of the
    database perhaps, and no longer counts: he must not hold up all others.
    """

    def __init__(
        self,
        places: int,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._patience_s = patience_s
        self._clock = clock
        self._numbers = count()
        self._inside: dict[int, float] = {}
        """Who holds a place, and since when."""
        self._waiting: OrderedDict[int, threading.Event] = OrderedDict()
        self._guard = threading.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        number = self._enter()
        try:
            yield
        finally:
            with self._guard:
                del self._inside[number]
                self._let_in()

    def _enter(self) -> int:
        with self._guard:
            number, turn = next(self._numbers), threading.Event()
            self._waiting[number] = turn
            self._let_in()
        while not turn.wait(self._patience_s):
            with self._guard:
                self._let_in()
        return number

    def _let_in(self) -> None:
        """Give free places to those who have waited longest; under the guard."""
        now = self._clock()
        at_work = sum(now - since < self._patience_s for since in self._inside.values())
        while self._waiting and at_work < self._places:
            number, turn = self._waiting.popitem(last=False)
            self._inside[number] = now
            at_work += 1
            turn.set()


def current_lane() -> Lane:
    """Return the lane of this process."""
    lane: Lane = current_app.extensions[EXTENSION]
    return lane
