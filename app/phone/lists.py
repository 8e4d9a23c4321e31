"""The lists of codes on the phone: what they are called, and what they say of photos."""

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def names(rows: Rows) -> dict[str, list[str]]:
    """Return what each code is called, in Chinese and English."""
    return {row["code"]: [row["name_zh"], row["name_en"]] for row in rows}


def photo_rules(rows: Rows) -> dict[str, list[str]]:
    """Return what each kind of task says of photos, and why."""
    return {row["code"]: [row["photo_why_zh"], row["photo_why_en"]] for row in rows}
