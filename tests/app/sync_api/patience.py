"""Wait in a test until another thread has come so far."""

import time
from collections.abc import Callable

SOON_S = 3.0


def until(true: Callable[[], object], *, within_s: float = SOON_S) -> None:
    """Wait until something is true; that it never becomes true is a failure."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
