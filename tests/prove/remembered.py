"""Hashes that a large world reckons again and again, remembered.

What a record hashes to never changes; phones ask for it for all their rows at each complete pull,
and for the names of all rows of a scope whenever some of them leave it.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sync import digest, replica_tables

ASKED_IN: tuple[tuple[Any, str], ...] = (
    (digest, "record_digest"),
    (replica_tables, "brief_name"),
)
"""Where those who call most look each function up."""
HASHES_MAX = 1 << 20
# Without an order of use: to keep one costs more than to reckon some hashes anew.
_remembered = [functools.cache(getattr(where, name)) for where, name in ASKED_IN]


@contextmanager
def hashes() -> Iterator[None]:
    """Remember them until the end of a world."""
    right = [getattr(where, name) for where, name in ASKED_IN]
    _put(_remembered)
    try:
        yield
    finally:
        _put(right)
        forget_hashes(above=0)


def _put(functions: list[Any]) -> None:
    for (where, name), one in zip(ASKED_IN, functions, strict=True):
        setattr(where, name, one)


def forget_hashes(*, above: int = HASHES_MAX) -> None:
    """Begin anew when there are too many: most are of versions that nobody holds any more."""
    for one in _remembered:
        if one.cache_info().currsize > above:
            one.cache_clear()
