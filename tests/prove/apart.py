"""Tell the phones of a country something, or ask them: in this process, or in one of their own.

Apart from the world the phones take in their replies while the server answers somebody else. Each
phone does what it is told in that order, so its answers are the same; those who wait for a request
get it first.
"""

import fcntl
import multiprocessing
import pickle
import select
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from tests.prove.beside import AtOnce
from tests.prove.phones import Phones, unheeded
from tests.simulation.demands import Violation

URGENT = "request"
PIPE_BYTES = 1 << 20
WAITING_MAX = 200
Coming = Callable[[], Any]
"""An answer that may still be on its way: to call it is to wait for it."""


class Errand(NamedTuple):
    """What somebody is told to do.

    Attributes:
        serial: under which the answer is expected; 0 if none is.
        number: the phone; None for all phones together.
    """

    serial: int
    name: str
    number: int | None
    told: tuple[Any, ...]


class Here:
    """Phones in this process: what they are told is done at once."""

    def __init__(self, phones: Phones) -> None:
        self.phones = phones

    def tell(self, name: str, number: int | None, *told: Any) -> None:
        """Tell a phone, or all of them, to do something."""
        getattr(self.phones, name)(number, *told)

    def ask(self, name: str, number: int | None, *told: Any) -> Coming:
        """Tell a phone, or all of them, to do something and answer."""
        given = getattr(self.phones, name)(number, *told)
        return lambda: given

    def close(self) -> None:
        """Let the phones go: here they go with the world."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What is done by other processes meanwhile; for what happens it makes no difference.

    Attributes:
        judge: makes somebody who judges at rest, one for the server and one for the phones.
        line: brings the phones to where they live.
        grown: is called now and then when the phones may hold more than before.
    """

    judge: Callable[[], AtOnce] = AtOnce
    line: Callable[[Phones], Here] = Here
    grown: Callable[[], None] = unheeded


class Apart(Here):
    """Phones in a process of their own; those of this process are left behind as they were."""

    def __init__(self, phones: Phones) -> None:
        super().__init__(phones)
        context = multiprocessing.get_context("fork")
        inbox, self._errands = _pipe(context)
        self._answers, outbox = _pipe(context)
        ours = (self._errands, self._answers)
        self._process: BaseProcess = context.Process(
            target=_live, args=(phones, inbox, outbox, ours)
        )
        self._process.start()
        inbox.close()
        outbox.close()
        self._serial = 0
        self._given: dict[int, Any] = {}

    def tell(self, name: str, number: int | None, *told: Any) -> None:
        """Tell a phone, or all of them, to do something; go on at once."""
        self._send(Errand(0, name, number, told))

    def ask(self, name: str, number: int | None, *told: Any) -> Coming:
        """Tell a phone, or all of them, to do something and answer; go on at once."""
        self._serial += 1
        self._send(Errand(self._serial, name, number, told))
        return partial(self.answer, self._serial)

    def answer(self, serial: int) -> Any:
        """Wait for one answer, once; others that come before it are kept.

        Raises:
            Violation: the phones have found that something does not hold.
            RuntimeError: they have failed otherwise.
        """
        while serial not in self._given:
            came, given = pickle.loads(self._answers.recv_bytes())
            if came is None:
                raise Violation(*given) if len(given) > 1 else RuntimeError(*given)
            self._given[came] = given
        return self._given.pop(serial)

    def close(self) -> None:
        """Let the process of the phones end."""
        self._errands.close()
        self._answers.close()
        self._process.join()

    def _send(self, errand: Errand) -> None:
        try:
            self._errands.send_bytes(pickle.dumps(tuple(errand), pickle.HIGHEST_PROTOCOL))
        except BrokenPipeError:
            self.answer(errand.serial)  # the process has ended, and has said why


def _pipe(context: Any) -> tuple["Connection[Any, Any]", "Connection[Any, Any]"]:
    """Return the ends of a pipe, to read and to write, that takes in a large page at once."""
    reading, writing = context.Pipe(duplex=False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


def _live(
    phones: Phones, inbox: "Connection[Any, Any]", outbox: "Connection[Any, Any]",
    theirs: tuple["Connection[Any, Any]", ...],
) -> None:  # fmt: skip
    """Do what the phones are told, until nobody is left to tell them anything."""
    for one in theirs:
        one.close()
    try:
        for errand in _errands(inbox):
            given = getattr(phones, errand.name)(errand.number, *errand.told)
            if errand.serial:
                outbox.send_bytes(pickle.dumps((errand.serial, given), pickle.HIGHEST_PROTOCOL))
    except Violation as found:
        outbox.send_bytes(pickle.dumps((None, (found.name, found.detail))))
    except (BrokenPipeError, EOFError):
        return
    except Exception:
        outbox.send_bytes(pickle.dumps((None, (traceback.format_exc(),))))


def _errands(inbox: "Connection[Any, Any]") -> Iterator[Errand]:
    """Yield what is to be done, as it comes, but urgent things first."""
    poll = select.poll()
    poll.register(inbox, select.POLLIN)
    waiting: deque[Errand] = deque()
    while True:
        while not waiting or (len(waiting) < WAITING_MAX and poll.poll(0)):
            try:
                waiting.append(Errand(*pickle.loads(inbox.recv_bytes())))
            except EOFError:
                return
        yield first_of(waiting)


def first_of(waiting: deque[Errand]) -> Errand:
    """Take out what is to be done next: an urgent errand, unless its phone has one before it."""
    before = set()
    for place, errand in enumerate(waiting):
        if errand.number is None:
            break
        if errand.name == URGENT and errand.number not in before:
            del waiting[place]
            return errand
        before.add(errand.number)
    return waiting.popleft()
