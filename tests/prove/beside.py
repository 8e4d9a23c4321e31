"""Judge a world at rest: at once, or in a copy of it while the world itself goes on.

The copy is a child process, born with everything as it stands at that moment; what the world
does afterwards it never sees. Nothing is looked at less closely there.
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from tests.simulation.demands import Demands, Violation

Look = Callable[[], None]
Verdict = tuple[Counter[str], tuple[str, str] | None]
"""How often what was demanded, and the name and the detail of what did not hold."""


class AtOnce:
    """Judge in the same process: the way for stores that lie in a database."""

    def judge(self, demands: Demands, look: Look) -> None:
        """Look at what must hold at rest.

        Raises:
            Violation: something does not hold.
        """
        look()

    def hear(self, demands: Demands) -> None:
        """Take in the verdict, if it has been given meanwhile: here it was given at once."""

    def wait(self, demands: Demands) -> None:
        """Wait for the verdict, if one is still to come: here none is."""


class Beside(AtOnce):
    """Judge in a child; only what lies in memory alone can be copied so.

    Attributes:
        afterwards: what is to be done when a child has ended and the world goes on.
    """

    def __init__(self, afterwards: Callable[[], None] = lambda: None) -> None:
        self._afterwards = afterwards
        self._child: tuple[BaseProcess, Connection[None, Verdict]] | None = None

    def judge(self, demands: Demands, look: Look) -> None:
        """Begin to look at what must hold at rest, once the last verdict has come.

        Raises:
            Violation: something did not hold the last time.
        """
        if self._child:
            self.wait(demands)
            self._afterwards()
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_give, args=(demands, look, theirs))
        child.start()
        theirs.close()
        self._child = (child, ours)

    def hear(self, demands: Demands) -> None:
        """Take in the verdict, if it has been given meanwhile.

        Raises:
            Violation: something does not hold.
        """
        if self._child and self._child[1].poll():
            self.wait(demands)
            self._afterwards()

    def wait(self, demands: Demands) -> None:
        """Wait for the verdict, if one is still to come; a child that dies gives none: EOFError.

        Raises:
            Violation: something does not hold.
        """
        if self._child is None:
            return
        (child, ours), self._child = self._child, None
        done, violation = ours.recv()
        child.join()
        demands.done += done
        if violation:
            raise Violation(*violation)


def _give(demands: Demands, look: Look, answer: "Connection[Verdict, None]") -> None:
    """Look, and send the verdict."""
    demands.done.clear()
    violation = None
    try:
        look()
    except Violation as found:
        violation = (found.name, found.detail)
    answer.send((demands.done, violation))
