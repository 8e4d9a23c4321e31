"""Judge a world at rest: at once, or in a copy of it while the world itself goes on.

The copy is a child process, born with everything as it stands at that moment; what the world
does afterwards it never sees. Nothing is looked at less closely there.
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from tests.prove.wide_checks import WideChecks
from tests.simulation.demands import Violation

FOR_CHILD = 3
"""One in so many phones is the child's at the end of a year; with the server that is a half."""
Verdict = tuple[Counter[str], tuple[str, str] | None]
"""How often what was demanded, and the name and the detail of what did not hold."""


class AtOnce:
    """Judge in the same process: the way for stores that lie in a database."""

    def judge(self, checks: WideChecks) -> None:
        """Check what must hold at rest.

        Raises:
            Violation: something does not hold.
        """
        checks.at_rest()

    def judge_last(self, checks: WideChecks) -> None:
        """Check what must hold at rest when the world does not go on."""
        self.judge(checks)

    def hear(self, checks: WideChecks) -> None:
        """Take in the verdict, if it has been given meanwhile: here it was given at once."""


class Beside(AtOnce):
    """Judge in a child; only a world that lies in memory alone can be copied so.

    Attributes:
        afterwards: what is to be done when a child has ended and the world goes on.
    """

    def __init__(self, afterwards: Callable[[], None] = lambda: None) -> None:
        self._afterwards = afterwards
        self._child: tuple[BaseProcess, Connection[None, Verdict]] | None = None

    def judge(self, checks: WideChecks) -> None:
        """Begin to check what must hold at rest, once the last verdict has come.

        Raises:
            Violation: something did not hold the last time.
        """
        self._wait(checks)
        self._begin(checks, checks.at_rest)

    def judge_last(self, checks: WideChecks) -> None:
        """Check most phones here, the server and the others in a child: nothing else is to do.

        Raises:
            Violation: something does not hold, or did not the last time.
        """
        self._wait(checks)
        phones = checks.world.handsets
        there, here = phones[::FOR_CHILD], [x for n, x in enumerate(phones) if n % FOR_CHILD]

        def look() -> None:
            checks.server_at_rest()
            checks.phones_at_rest(there)

        self._begin(checks, look)
        checks.phones_at_rest(here)
        self._take_in(checks)

    def hear(self, checks: WideChecks) -> None:
        """Take in the verdict, if it has been given meanwhile.

        Raises:
            Violation: something does not hold.
        """
        if self._child and self._child[1].poll():
            self._wait(checks)

    def _begin(self, checks: WideChecks, look: Callable[[], None]) -> None:
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_give, args=(checks, look, theirs))
        child.start()
        theirs.close()
        self._child = (child, ours)

    def _wait(self, checks: WideChecks) -> None:
        """Wait for the verdict, if one is still to come, and be ready to go on."""
        if self._child:
            self._take_in(checks)
            self._afterwards()

    def _take_in(self, checks: WideChecks) -> None:
        """Wait for the verdict that is to come; a child that dies gives none: EOFError."""
        assert self._child, "somebody was asked"
        (child, ours), self._child = self._child, None
        done, violation = ours.recv()
        child.join()
        checks.done += done
        if violation:
            raise Violation(*violation)


def _give(
    checks: WideChecks, look: Callable[[], None], answer: "Connection[Verdict, None]"
) -> None:
    """Check, and send the verdict."""
    checks.done.clear()
    violation = None
    try:
        look()
    except Violation as found:
        violation = (found.name, found.detail)
    answer.send((checks.done, violation))
