"""What the clocks of this machine say: the one people set, and the one that only runs."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sync.replica import Instant

Clock = Callable[[], Instant]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROCESS = str(uuid.uuid4())


def _boot() -> str:
    """Return what changes with each start; without the kernel's word, with each process."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return _PROCESS


def _running_ms() -> int:
    """Return the clock nobody can set; where it can, it also counts the hours asleep."""
    sleepless = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(sleepless) // 1_000_000


def now() -> Instant:
    """Return the present instant."""
    return Instant(time.time_ns() // 1_000_000, _running_ms(), _boot())
