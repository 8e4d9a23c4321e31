"""Judge a world at rest: at once, or in a copy of it while the world itself goes on.

The copy is a child process, born with everything as it stands at that moment; what the world
does afterwards it never sees. Nothing is looked at less closely there.
"""

import multiprocessing
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from tests.simulation.demands import Violation
from tests.simulation.rest import RestChecks

Verdict = tuple[Counter[str], tuple[str, str] | None]
"""How often what was demanded, and the name and the detail of what did not hold."""


class AtOnce:
    """Judge in the same process: the way for stores that lie in a database."""

    def judge(self, checks: RestChecks) -> None:
        """Check what must hold at rest.

        Raises:
            Violation: something does not hold.
        """
        checks.at_rest()

    def hear(self, checks: RestChecks, *, wait: bool = False) -> None:
        """Take in the verdict: here it was given at once."""


class Beside(AtOnce):
    """Judge in a child; only a world that lies in memory alone can be copied so."""

    def __init__(self) -> None:
        self._child: tuple[BaseProcess, Connection[None, Verdict]] | None = None

    def judge(self, checks: RestChecks) -> None:
        """Begin to check what must hold at rest, once the last verdict has come.

        Raises:
            Violation: something did not hold the last time.
        """
        self.hear(checks, wait=True)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_give, args=(checks, theirs))
        child.start()
        theirs.close()
        self._child = (child, ours)

    def hear(self, checks: RestChecks, *, wait: bool = False) -> None:
        """Take in the verdict if it has been given, or wait for it.

        Raises:
            Violation: something does not hold.
            EOFError: the child has died without a verdict.
        """
        if self._child is None or not (wait or self._child[1].poll()):
            return
        (child, ours), self._child = self._child, None
        done, violation = ours.recv()
        child.join()
        checks.done += done
        if violation:
            raise Violation(*violation)


def _give(checks: RestChecks, answer: "Connection[Verdict, None]") -> None:
    """Check, and send the verdict."""
    checks.done.clear()
    violation = None
    try:
        checks.at_rest()
    except Violation as found:
        violation = (found.name, found.detail)
    answer.send((checks.done, violation))
