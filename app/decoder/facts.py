"""Lift time, place and maker out of a picture; what makes no sense is dropped, never an error."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

EXIF, GPS = 0x8769, 0x8825
MAKE, MODEL = 0x010F, 0x0110
TAKEN, OFFSET = 0x9003, 0x9011
CHINA = timezone(timedelta(hours=8))
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
NAME_CHARACTERS = 80
DECIMALS = 7
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


def lift(exif: Any, now: datetime) -> dict[str, Any]:
    """Return what an Exif block says: ``taken_at``, ``point``, ``camera``; None where nothing.

    Args:
        exif: of Pillow.
        now: no picture is taken after it.
    """
    base = _entries(lambda: dict(exif))
    own = _entries(lambda: exif.get_ifd(EXIF))
    place = _entries(lambda: exif.get_ifd(GPS))
    return {
        "taken_at": _quietly(lambda: _taken_at(own, now)),
        "point": _quietly(lambda: _point(place)),
        "camera": _quietly(lambda: _camera(base)),
    }


def _entries(read: Callable[[], Mapping[int, Any]]) -> Mapping[int, Any]:
    return _quietly(lambda: dict(read())) or {}


def _quietly(read: Callable[[], Any]) -> Any:
    """Return what can be read; a block that somebody else wrote may break in any way."""
    try:
        return read()
    except Exception:
        return None


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return _UNPRINTABLE.sub("", text).strip()


def _camera(base: Mapping[int, Any]) -> str | None:
    make, model = _text(base.get(MAKE)), _text(base.get(MODEL))
    whole = model if make and model.startswith(make) else f"{make} {model}".strip()
    return whole[:NAME_CHARACTERS] or None


def _taken_at(own: Mapping[int, Any], now: datetime) -> str | None:
    """Return the moment in UTC; a clock without a zone is China's."""
    local = datetime.strptime(_text(own[TAKEN])[:19], "%Y:%m:%d %H:%M:%S")
    moment = local.replace(tzinfo=_zone(_text(own.get(OFFSET)))).astimezone(UTC)
    if not OLDEST <= moment <= now + timedelta(days=1):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _zone(offset: str) -> timezone:
    found = re.fullmatch(r"([+-])(\d\d):(\d\d)", offset)
    if not found or int(found[2]) > 14 or int(found[3]) > 59:
        return CHINA
    minutes = int(found[2]) * 60 + int(found[3])
    return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))


def _point(place: Mapping[int, Any]) -> list[float] | None:
    """Return ``[lon, lat]`` in degrees; 0, 0 is a receiver without a fix."""
    lat = _degrees(place[2], _text(place.get(1)), "S", 90)
    lon = _degrees(place[4], _text(place.get(3)), "W", 180)
    if lon == 0 and lat == 0:
        return None
    return [lon, lat]


def _degrees(parts: Any, side: str, negative: str, most: int) -> float:
    degrees = sum(float(part) / 60**power for power, part in enumerate(parts))
    if not math.isfinite(degrees) or not 0 <= degrees <= most:
        raise ValueError("not an angle")
    return round(-degrees if side.upper().startswith(negative) else degrees, DECIMALS)
