"""The rules of photos as plain functions: what is asked for, and in which state a photo is."""

from collections.abc import Mapping, Sequence
from typing import Any

OPTIONAL = "optional"
EVIDENCE, DOCUMENT = "evidence", "document"
PURPOSES = (EVIDENCE, DOCUMENT)
"""Evidence of a state of things, or a paper that an errand needs for as long as it runs."""

EXPECTED, STORED, READY, REJECTED = "expected", "stored", "ready", "rejected"
STATES = (EXPECTED, STORED, READY, REJECTED)
"""The bytes are awaited; they are safe; they can be seen; they are no picture that we take."""
ARRIVED = (STORED, READY)

SIZE_BYTES_MAX = 20 * 1024 * 1024
PARTS_MAX = 20
PARTS = 1000
"""Parts of a picture are given in thousandths of its width and height."""
CLOSED_TASKS = ("verified", "cancelled")
"""States of a task after which its documents have no purpose any more."""

THUMB, VIEW, ORIGINAL = "thumb", "view", "original"
SIDE_OF = {THUMB: 256, VIEW: 1280}

Values = Mapping[str, Any]


def are_parts(value: Any) -> bool:
    """Tell whether a value names parts of a picture: four numbers each, within its edges."""
    return all(
        len(part) == 4 and part[0] + part[2] <= PARTS and part[1] + part[3] <= PARTS
        for part in value or ()
    )


def standing(
    file: str | None, fault: str | None, drawn: Sequence[Any] | None, wanted: Sequence[Any]
) -> str:
    """Return the state of a photo.

    Args:
        file: of its bytes, if they are safe.
        fault: what speaks against them, if anything does.
        drawn: the parts that its derivatives hide; None when there are none yet.
        wanted: the parts that they must hide.
    """
    if fault:
        return REJECTED
    if file is None:
        return EXPECTED
    return READY if drawn is not None and list(drawn) == list(wanted) else STORED
