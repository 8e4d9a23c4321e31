"""Plain geometry on positions, for rules that must not ask a database."""

import math
from collections.abc import Sequence

EARTH_RADIUS_M = 6_371_008.8


def metres_between(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the distance of two positions ``[lon, lat]`` in metres, on a sphere."""
    lon1, lat1, lon2, lat2 = map(math.radians, (*one, *other))
    half = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


def near(one: Sequence[float] | None, other: Sequence[float] | None, within_m: float) -> bool:
    """Tell whether two positions are known and lie close together."""
    if one is None or other is None:
        return False
    return metres_between(one, other) <= within_m
