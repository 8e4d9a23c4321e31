"""Give evenly spread points that need no random generator: the Halton sequence in bases 2 and 3."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count

from app.demo.plan import h

Place = tuple[float, float]
Box = tuple[float, float, float, float]

START_MODULUS = 9_973


def start_of(salt: str, key: str) -> int:
    """Return the index at which the sequence of a key starts."""
    return 1 + h(salt, key) % START_MODULUS


@cache
def radical_inverse(index: int, base: int) -> float:
    """Mirror the digits of an index behind the point: a number from 0 to 1."""
    value, share = 0.0, 1.0
    while index:
        index, digit = divmod(index, base)
        share /= base
        value += share * digit
    return value


def points_from(start: int) -> Iterator[Place]:
    """Yield the points of the unit square from an index on."""
    for index in count(start):
        yield radical_inverse(index, 2), radical_inverse(index, 3)


def points_inside(
    start: int, box: Box, contains: Callable[[float, float], bool]
) -> Iterator[Place]:
    """Yield the points that lie inside a shape, from an index on.

    Args:
        box: the least and largest x and y of the shape: west, south, east, north.
        contains: tells whether x and y lie inside the shape.
    """
    west, south, east, north = box
    for second, third in points_from(start):
        x, y = west + (east - west) * second, south + (north - south) * third
        if contains(x, y):
            yield x, y
