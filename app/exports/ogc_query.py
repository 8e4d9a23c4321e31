"""Read the query of the OGC interface as its standard has it: what makes no sense is a 400."""

from collections.abc import Mapping
from datetime import UTC, datetime

from app.exports.features import Box, Wish
from sync.errors import Problem

LIMIT, LIMIT_MAX = 100, 1_000
KNOWN = frozenset({"limit", "cursor", "bbox", "datetime", "f"})
OPEN = ("", "..")
HAIR = 1e-9
"""Degrees; less than a millimetre."""


def wish_of(query: Mapping[str, str]) -> Wish:
    """Return which features a query asks for; a larger limit than ours is taken as ours.

    Raises:
        Problem: 400, naming the parameter.
    """
    unknown = sorted(set(query) - KNOWN)
    if unknown:
        raise _nonsense(unknown[0])
    begins, ends = _times(query.get("datetime"))
    boxes = _boxes(query["bbox"]) if "bbox" in query else ()
    return Wish(_limit(query.get("limit")), query.get("cursor"), boxes, begins, ends)


def _nonsense(parameter: str) -> Problem:
    return Problem(400, "malformed_request", pointer=parameter)


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 18 and int(text)):
        raise _nonsense("limit")
    return min(int(text), LIMIT_MAX)


def _boxes(text: str) -> tuple[Box, ...]:
    """Return the box, in two parts when it crosses the date line; heights are left aside."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise _nonsense("bbox") from None
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4:
        raise _nonsense("bbox")
    west, south, east, north = numbers
    # A point or a line as a box: only what has an area is the same to both engines.
    east, north = east + HAIR * (west == east), north + HAIR * (south == north)
    if not (abs(west) <= 180 and abs(east) <= 180 + HAIR and -90 <= south <= north <= 90 + HAIR):
        raise _nonsense("bbox")
    if west > east:
        return (west, south, 180.0, north), (-180.0, south, east, north)
    return ((west, south, east, north),)


def _times(text: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last moment; a moment alone is both."""
    if text is None:
        return None, None
    parts = text.split("/")
    if len(parts) == 1:
        return (moment := _moment(text)), moment
    if len(parts) != 2 or all(part in OPEN for part in parts):
        raise _nonsense("datetime")
    begins, ends = (None if part in OPEN else _moment(part) for part in parts)
    if begins and ends and begins > ends:
        raise _nonsense("datetime")
    return begins, ends


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _nonsense("datetime") from None
    if moment.tzinfo is None:
        raise _nonsense("datetime")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _nonsense("datetime") from None
