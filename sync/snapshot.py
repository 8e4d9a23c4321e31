"""The ready-made first copy of a scope: packed lines, and the cursor from which to go on.

A copy is read in one snapshot of the store, so its cursor says exactly what its rows contain:
a pull from that cursor brings what has changed since, however old the copy is. A copy is good
for all who see a scope alike; it names nobody. The lines are the items of a pull, most urgent
first; the last line is the cursor, the version and the digest, so that a cut copy is no copy.
What has been erased by law is named as in a pull: the phone may know of it from another time.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.cursor import Cursor, Place
from sync.digest import as_hex, scope_digest
from sync.encoding import dump, load
from sync.lines import whole_lines
from sync.pull import Project, item_of
from sync.store import PURGE, PUT, FeedRow, ScopeState, Store, Window

CHANGES_MAX = 500
ROWS_AT_ONCE = 5_000
PACKING_LEVEL = 6
TAG_CHARACTERS = 24
COPY_BYTES_MAX = 256 * 1024 * 1024


class NotACopy(Exception):
    """The bytes are not a whole and true copy of a scope."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ready-made copy of a scope.

    Attributes:
        tag: names these very bytes; other bytes have another tag.
        ver: the version of the scope that the copy shows.
    """

    epoch: str
    scope: str
    ver: int
    tag: str
    body: bytes


def make(store: Store, scope: str, project: Project) -> Snapshot | None:
    """Return a new copy of a scope from the snapshot that the caller has opened, if it exists."""
    state = store.scopes([scope]).get(scope)
    if state is None:
        return None
    epoch = store.epoch()
    items, purged = [], False
    for row in _rows(store, scope, state):
        items.append(item_of(row, project))
        purged = purged or row.op == PURGE
    tail = {
        "to": Cursor(epoch, {scope: Place(state.ver, state.ver)}, purged).write(),
        "scope": scope, "ver": state.ver, "digest": as_hex(state.digest), "rows": len(items),
    }  # fmt: skip
    text = "\n".join([*items, dump(tail)]) + "\n"
    body = gzip.compress(text.encode(), PACKING_LEVEL, mtime=0)
    return Snapshot(epoch, scope, state.ver, tag_of(body), body)


def _rows(store: Store, scope: str, state: ScopeState) -> Iterator[FeedRow]:
    """Yield what a scope shows, and what was erased, most urgent first, many rows at a time."""
    window: Window | None = Window(scope, 0, state.ver, -1, 0)
    while window:
        found = store.feed([window], ROWS_AT_ONCE)
        yield from (row for row in found if row.op in (PUT, PURGE))
        last = found[-1] if len(found) == ROWS_AT_ONCE else None
        window = last and window._replace(rank=last.rank, position=last.ver)


def tag_of(body: bytes) -> str:
    """Return the tag of a copy."""
    return hashlib.sha256(body).hexdigest()[:TAG_CHARACTERS]


def still_good(ver: int, state: ScopeState) -> bool:
    """Tell whether a copy of a version is worth giving: not too old, and with a usable cursor.

    Below the floor its cursor would be reset, and above the version it is from another world.
    """
    return max(state.floor, state.ver - CHANGES_MAX) <= ver <= state.ver


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy as a phone reads it."""

    scope: str
    cursor: str
    items: list[Mapping[str, Any]]


def read(body: bytes) -> Copy:
    """Read a copy, and prove that it is whole.

    Raises:
        NotACopy: it is cut, damaged, or does not hold what its digest says.
    """
    try:
        unpacking = zlib.decompressobj(wbits=31)
        raw = unpacking.decompress(body, COPY_BYTES_MAX)
        if not unpacking.eof:
            raise NotACopy
        *items, tail = [load(line) for line in whole_lines(raw)]
        copy = Copy(tail["scope"], tail["to"], items)
        shown = scope_digest((item["t"], item["id"], item["rv"])
                             for item in items if item["op"] == PUT)  # fmt: skip
        alike = as_hex(shown) == tail["digest"] and _only(copy.scope, items)
    except (zlib.error, ValueError, KeyError, TypeError):
        raise NotACopy from None
    if not alike:
        raise NotACopy
    return copy


def _only(scope: str, items: Iterable[Mapping[str, Any]]) -> bool:
    return all(item["s"] == scope and item["op"] in (PUT, PURGE) for item in items)
