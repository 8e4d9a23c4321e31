"""Moments: milliseconds inside, ISO 8601 in UTC on the wire."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Return the server's time in ms since 1970."""
    return time.time_ns() // 1_000_000


def as_text(ms: int) -> str:
    """Write a moment the way the wire does (``2026-01-31T08:00:00.000Z``)."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
