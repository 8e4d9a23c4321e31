"""Where a device stands in all its scopes, as one opaque text.

The text of a thousand scopes must fit into a request, so it is packed. Several texts may stand
in a row with a dot between them: a device that has taken a ready-made copy of a scope puts the
cursor of that copy behind its own, and for the scopes that it names the later text counts.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sync.encoding import dump, load

CURSOR_CHARACTERS_MAX = 49_152
CURSOR_SCOPES_MAX = 1_000
PACKED_FROM_BYTES = 200
UNPACKED_BYTES_MAX = 262_144
ZLIB_FIRST_BYTE = 0x78
JOINT = "."
NO_EPOCH = ""


class Place(NamedTuple):
    """Where a device stands in one scope."""

    ver: int = 0
    as_of: int = 0
    rank: int = -1
    position: int = 0

    @property
    def between(self) -> bool:
        """Tell whether a round has been begun and not finished."""
        return self.as_of > self.ver


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a device stands in all its scopes, in one epoch.

    Attributes:
        purged: True when the device has been told to erase something on its way here; by the
            request that brings such a cursor it says that it has done so.
    """

    epoch: str
    places: Mapping[str, Place]
    purged: bool = False

    def write(self) -> str:
        """Return the cursor as opaque text."""
        places = {scope: _shape(place) for scope, place in sorted(self.places.items())}
        shape = [self.epoch, places, *([1] if self.purged else [])]
        raw = dump(shape).encode()
        if len(raw) > PACKED_FROM_BYTES:
            raw = zlib.compress(raw, 9)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def joined(cursor: str | None, copy: str) -> str:
    """Return the cursor of a device that has just taken a ready-made copy."""
    return f"{cursor}{JOINT}{copy}" if cursor else copy


def begun_again(cursor: str | None) -> str:
    """Return a cursor by which all is sent again, and what was lost meanwhile is dropped."""
    return joined(cursor, Cursor(NO_EPOCH, {}).write())


def read_cursor(text: str | None) -> Cursor | None:
    """Read a cursor; None when there is none or it makes no sense (which is never an error).

    Parts of different epochs make a cursor of none: everything starts again, and the server
    still learns which scopes the device holds.
    """
    if not text or len(text) > CURSOR_CHARACTERS_MAX:
        return None
    try:
        parts = [_read(part) for part in text.split(JOINT)]
    except (ValueError, TypeError, AttributeError, RecursionError, zlib.error):
        return None
    places: dict[str, Place] = {}
    for part in parts:
        places |= part.places
    epochs = {part.epoch for part in parts}
    epoch = epochs.pop() if len(epochs) == 1 else NO_EPOCH
    purged = any(part.purged for part in parts)
    return Cursor(epoch, places, purged) if len(places) <= CURSOR_SCOPES_MAX else None


def _read(text: str) -> Cursor:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if raw[:1] == bytes((ZLIB_FIRST_BYTE,)):
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(raw, UNPACKED_BYTES_MAX)
        if not unpacking.eof:
            raise ValueError("too long, or cut off")
    epoch, shape, *purged = load(raw)
    places = {str(scope): _place(place) for scope, place in shape.items()}
    return Cursor(str(epoch), places, purged == [1])


def _shape(place: Place) -> int | list[int]:
    """Return a place as it is written; most are settled, and need one number only."""
    return place.ver if place == Place(place.ver, place.ver) else list(place)


def _place(shape: Any) -> Place:
    numbers = [shape, shape, *Place()[2:]] if type(shape) is int else shape
    if len(numbers) != 4 or not all(type(one) is int and abs(one) < 2**62 for one in numbers):
        raise ValueError("not a place")
    return Place(*numbers)
