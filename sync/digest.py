"""The digest of a scope: the XOR of a short hash of every record that it shows."""

import base64
import functools
import hashlib
import itertools
import operator
from collections.abc import Iterable

BUCKETS = 64
_SIGN = 1 << 63
_RANGE = 1 << 64
_BRIEF_BYTES = 6
BRIEF_LENGTH = 8


def record_digest(kind: str, record: str, rv: int) -> int:
    """Return the first 8 bytes of SHA-256("kind:id:rv") as a signed 64-bit number."""
    raw = hashlib.sha256(f"{kind}:{record}:{rv}".encode()).digest()[:8]
    return int.from_bytes(raw, "big", signed=True)


def brief_name(kind: str, record: str) -> str:
    """Return eight characters that stand for a record among those of one scope."""
    raw = hashlib.sha256(f"{kind}:{record}".encode()).digest()[:_BRIEF_BYTES]
    return base64.urlsafe_b64encode(raw).decode()


def scope_digest(rows: Iterable[tuple[str, str, int]]) -> int:
    """Return the digest of a set of (kind, id, version)."""
    return functools.reduce(operator.xor, itertools.starmap(record_digest, rows), 0)


def as_hex(digest: int) -> str:
    """Write a digest as 16 hexadecimal figures."""
    return f"{digest % _RANGE:016x}"


def as_signed(number: int) -> int:
    """Bring a number into the signed range that both engines store."""
    number %= _RANGE
    return number - _RANGE if number >= _SIGN else number


def bucket_of(kind: str, record: str) -> int:
    """Return in which of the 64 buckets a record lies: the first 6 bits of SHA-256("kind:id")."""
    return hashlib.sha256(f"{kind}:{record}".encode()).digest()[0] >> 2


def bucket_digests(rows: Iterable[tuple[str, str, int]]) -> list[str]:
    """Return the digests of all buckets of a set of (kind, id, version), as they travel."""
    totals = [0] * BUCKETS
    for kind, record, rv in rows:
        totals[bucket_of(kind, record)] ^= record_digest(kind, record, rv)
    return [as_hex(total) for total in totals]
