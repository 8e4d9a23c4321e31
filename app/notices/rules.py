"""Pure rules of notices: to which scopes an address leads, and what the dates make of a notice."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.areas.rules import path_ids

Values = Mapping[str, Any]

ROLES = ("gw", "vl", "ts")
"""Who serves with a phone; a notice to none of them is to all."""
NORMAL, EMERGENCY = "normal", "emergency"
SCHEDULED, PUBLISHED, WITHDRAWN, EXPIRED = "scheduled", "published", "withdrawn", "expired"
STATES = (SCHEDULED, PUBLISHED, WITHDRAWN, EXPIRED)
SHOWN = frozenset({PUBLISHED, WITHDRAWN})
"""What phones hold: a withdrawn notice stays as a line that says so, without its text."""
CONTENT = (
    "title", "text", "talking_points", "title_en", "text_en", "talking_points_en", "urgency",
)  # fmt: skip
WIPED = ("text", "talking_points", "text_en", "talking_points_en")
VILLAGE_DEPTH = 4
EMERGENCY_RANK, ORDINARY_RANK = 10, 35
MARK = ","


def joined(paths: Iterable[str]) -> str:
    """Write paths of areas as one text, each between commas, so that any can be searched for."""
    return MARK + "".join(path + MARK for path in sorted(set(paths)))


def split(paths: str | None) -> list[str]:
    """Return the paths of an address."""
    return [path for path in (paths or "").split(MARK) if path]


def areas_of(paths: str | None) -> tuple[int, ...]:
    """Return the areas of an address."""
    return tuple(path_ids(path)[-1] for path in split(paths))


def scopes_of(values: Values) -> tuple[str, ...]:
    """Return the scopes that show a notice: one for each area, or for each role in it.

    A grid has no scope of its own for notices: its village reads what is meant for it.
    """
    if values.get("state") not in SHOWN:
        return ()
    areas = sorted({path_ids(path)[:VILLAGE_DEPTH][-1] for path in split(values.get("paths"))})
    roles = values.get("roles")
    if not roles:
        return tuple(f"area:{area}" for area in areas)
    return tuple(f"area:{area}:{role}" for area in areas for role in roles)


def state_at(values: Values, now: str) -> str:
    """Return the state of a notice at a moment, by its dates and whether it was withdrawn.

    Args:
        now: in the form of the wire, as the dates are.
    """
    if now >= values["valid_until"]:
        return EXPIRED
    begun = values["valid_from"] <= now
    if values.get("withdraw_reason"):
        return WITHDRAWN if begun else EXPIRED
    return PUBLISHED if begun else SCHEDULED


def next_version(before: Values, changed: Values) -> int:
    """Return the version of the content: it grows when anybody has to read it again."""
    version: int = before.get("version") or 0
    new = any(name in changed and changed[name] != before.get(name) for name in CONTENT)
    return version + 1 if new or not version else version


def faults(values: Values) -> Sequence[tuple[str, str]]:
    """Return what is wrong with a notice as a whole: field and code."""
    found = [(name, "required") for name in ("text", "urgency") if not values.get(name)]
    if not values.get("areas") and not values.get("point"):
        found.append(("areas", "required"))
    if values.get("areas") and values.get("point"):
        found.append(("areas", "areas_or_place"))
    if values["valid_from"] >= values["valid_until"]:
        found.append(("valid_until", "ends_before_it_begins"))
    return found
