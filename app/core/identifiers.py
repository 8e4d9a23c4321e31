"""Make ids that sort by time (UUID version 7), so that indexes grow at one end."""

import os
import time
import uuid


def uuid7(ms: int, random: bytes) -> str:
    """Return the UUID of a moment in ms and ten random bytes."""
    number = (ms << 80) | int.from_bytes(random, "big")
    number = number & ~(0xF << 76) | (7 << 76)
    number = number & ~(0x3 << 62) | (2 << 62)
    return str(uuid.UUID(int=number))


def new_id() -> str:
    """Return a new id."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))
