"""How much happens in a simulated year, and how one watches it from a terminal."""

import gc
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How much happens.

    Attributes:
        rests: how often everything comes to rest and is checked, at the end of the year as well.
    """

    phones: int = 1000
    edits: int = 1_000_000
    days: int = 365
    rests: int = 4
    restores: int = 5


def silent(_word: str) -> None:
    """Tell nobody how far the year is."""


def on_stderr(word: str) -> None:
    """Tell whoever waits at the terminal; the line of figures goes to stdout alone."""
    print(word, file=sys.stderr, flush=True)


def look_for_no_garbage() -> None:
    """Nearly everything of a year lives to its end, and nothing that goes hangs in a circle."""
    gc.disable()
