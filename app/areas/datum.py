"""Convert positions between WGS-84 and the shifted Chinese datums GCJ-02 and BD-09."""

import enum
import math
from collections.abc import Callable

Position = tuple[float, float]


class Datum(enum.StrEnum):
    """The datums a border or a position may be declared in."""

    WGS84 = "wgs84"
    # The frames differ by less than a metre and the ellipsoids by 0.1 mm: one datum for our use.
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"


# The Krasovsky 1940 ellipsoid, on which the shift of GCJ-02 is defined.
AXIS_M = 6378245.0
ECCENTRICITY_SQUARED = 0.00669342162296594323
# The shift is defined inside this box only; positions outside keep their numbers.
WEST, EAST, SOUTH, NORTH = 72.004, 137.8347, 0.8293, 55.8271
BAIDU_WAVE = math.pi * 3000.0 / 180.0
# 1e-11 degrees is a micrometre; a step shrinks the error about a hundredfold, so 5 are usual.
STEP_DEGREES_MIN = 1e-11
STEPS_MAX = 30


def to_wgs84(lon: float, lat: float, datum: Datum) -> Position:
    """Return the WGS-84 position of one given in another datum, in degrees."""
    if datum is Datum.GCJ02:
        return _invert(_gcj_of_wgs, lon, lat)
    if datum is Datum.BD09:
        return _invert(_gcj_of_wgs, *_invert(_bd_of_gcj, lon, lat))
    return lon, lat


def from_wgs84(lon: float, lat: float, datum: Datum) -> Position:
    """Return a WGS-84 position in another datum, in degrees."""
    if datum is Datum.GCJ02:
        return _gcj_of_wgs(lon, lat)
    if datum is Datum.BD09:
        return _bd_of_gcj(*_gcj_of_wgs(lon, lat))
    return lon, lat


def _outside(lon: float, lat: float) -> bool:
    return not (WEST <= lon <= EAST and SOUTH <= lat <= NORTH)


def _invert(forward: Callable[[float, float], Position], lon: float, lat: float) -> Position:
    """Find the position that `forward` takes to the given one, by fixed-point steps."""
    if _outside(lon, lat):
        return lon, lat
    x, y = lon, lat
    for _ in range(STEPS_MAX):
        shifted_x, shifted_y = forward(x, y)
        step_x, step_y = lon - shifted_x, lat - shifted_y
        x, y = x + step_x, y + step_y
        if max(abs(step_x), abs(step_y)) < STEP_DEGREES_MIN:
            break
    return x, y


def _gcj_of_wgs(lon: float, lat: float) -> Position:
    if _outside(lon, lat):
        return lon, lat
    east_m, north_m = _shift_m(lon - 105.0, lat - 35.0)
    sine = math.sin(math.radians(lat))
    bulge = 1.0 - ECCENTRICITY_SQUARED * sine * sine
    meridian_m = AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / (bulge * math.sqrt(bulge))
    parallel_m = AXIS_M / math.sqrt(bulge) * math.cos(math.radians(lat))
    return lon + math.degrees(east_m / parallel_m), lat + math.degrees(north_m / meridian_m)


def _shift_m(x: float, y: float) -> Position:
    """Return the shift east and north in metres, x and y in degrees from 105° E, 35° N."""
    root = math.sqrt(abs(x))
    ripple = 20.0 * _wave(6.0 * x) + 20.0 * _wave(2.0 * x)
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += 2.0 / 3.0 * (ripple + 20.0 * _wave(x) + 40.0 * _wave(x / 3.0))
    east += 2.0 / 3.0 * (150.0 * _wave(x / 12.0) + 300.0 * _wave(x / 30.0))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += 2.0 / 3.0 * (ripple + 20.0 * _wave(y) + 40.0 * _wave(y / 3.0))
    north += 2.0 / 3.0 * (160.0 * _wave(y / 12.0) + 320.0 * _wave(y / 30.0))
    return east, north


def _wave(turns: float) -> float:
    return math.sin(turns * math.pi)


def _bd_of_gcj(lon: float, lat: float) -> Position:
    if _outside(lon, lat):
        return lon, lat
    radius = math.hypot(lon, lat) + 0.00002 * math.sin(lat * BAIDU_WAVE)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * BAIDU_WAVE)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006
