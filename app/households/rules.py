"""Pure rules of households: sums that must be true, and what a masked view shows."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

AGE_BANDS = ("count_0_5", "count_6_13", "count_14_17", "count_18_59", "count_60_79", "count_80_up")
MASKED_DECIMALS = 3
MINOR_YEARS = 18


def people_add_up(values: Mapping[str, Any]) -> bool:
    """Tell whether the age bands fit into the number of residents."""
    total = values.get("residents_count")
    counted = sum(values.get(band) or 0 for band in AGE_BANDS)
    return total is None or counted <= total


def mask_name(name: str) -> str:
    """Show the first character of a name."""
    return name[:1] + "*"


def mask_phone(phone: str) -> str:
    """Show the beginning and the end of a telephone number."""
    digits = phone.removeprefix("+86")
    return f"{digits[:3]}****{digits[-4:]}"


def hide_all(_value: Any) -> str:
    """Show that something is there."""
    return "***"


def round_position(position: list[float]) -> list[float]:
    """Show a position to about a hundred metres."""
    return [round(position[0], MASKED_DECIMALS), round(position[1], MASKED_DECIMALS)]


def band_of(year: int) -> str:
    """Show a year of birth to about ten years."""
    return f"{year // 10 * 10}-{year // 10 * 10 + 9}"


def plain_address(values: Mapping[str, Any]) -> str | None:
    """Return an address as it is compared: letters and digits only, in one form."""
    parts = [values.get(name) or "" for name in ("address_text", "building", "unit_room")]
    if not parts[0]:
        return None
    plain = unicodedata.normalize("NFKC", "|".join(parts)).casefold()
    return re.sub(r"[\s,.;:，。；：、#()（）号栋幢楼室-]", "", plain)


def is_minor(values: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether somebody may be under 18 still; of his birth only the year is known."""
    born = values.get("birth_year")
    return type(born) is int and now.year - born <= MINOR_YEARS
