"""Plain rules of incidents: the workflow that the table gives, levels, close kinds, samples."""

import hashlib
from collections.abc import Mapping
from typing import Any

from app.incidents.moves import RANKS, STATES, steps
from sync.kinds import Workflow

__all__ = ["STATES", "WORKFLOW"]

NEW_ROUND = frozenset({"dispatched", "rework"})
"""Each dispatch and each rework begins a round: a step of an earlier one comes too late."""
WORKFLOW = Workflow(RANKS, frozenset(steps()), NEW_ROUND, strict=True)

LEVELS = ("village", "township", "county", "city")
RANK_OF_LEVEL: Mapping[str, int] = {"grid": 0, **{name: n for n, name in enumerate(LEVELS, 1)}}
UNIT_LEVELS = ("grid", *LEVELS)
"""Of which level a unit can be."""
CLOSE_KINDS = ("normal", "late", "with_error", "special", "self_handled")
CHOSEN_CLOSE_KINDS = CLOSE_KINDS[:-1]
EXTENSIONS = ("asked", "granted", "refused")
PARTIES = ("applicant", "respondent", "third_party")
DISPUTES = "06"
HANDLING = ("dispatched", "claimed", "in_progress", "rework", "answered", "hung")
UNIT_STATES = (*HANDLING, "checked")

URGENT_PRIORITY = 1
URGENT_RANK, ORDINARY_RANK = 20, 40
NEAREST_WITHIN_M = 200.0
"""How far outside every border a position may lie and still count to the nearest grid."""
RETURNS_MAX = 2
"""From this return on the next level decides who handles it."""
REWORKS_MAX = 3
"""From this rework on one level up supervises it."""
REOPEN_DAYS = 30
SELF_HANDLED_PRIORITY_MIN = 3
SAMPLE_ONE_IN = 10


def above(level: str | None) -> str:
    """Return the next level up; above the city is nothing."""
    rank = RANK_OF_LEVEL.get(level or "village", 1)
    return LEVELS[min(rank, len(LEVELS) - 1)]


def is_neighbour(one: str | None, other: str | None) -> bool:
    """Tell whether two levels are next to one another."""
    if one not in LEVELS or other not in LEVELS:
        return False
    return abs(RANK_OF_LEVEL[one] - RANK_OF_LEVEL[other]) == 1


def is_sampled(record: str) -> bool:
    """Tell whether a case settled without a check is looked at later: one in ten, by its id.

    Nobody can know beforehand, everybody can check afterwards: the SHA-256 of the id in lower
    case, its first four bytes as a whole number, divides by ten.
    """
    digest = hashlib.sha256(record.lower().encode()).digest()
    return int.from_bytes(digest[:4], "big") % SAMPLE_ONE_IN == 0


def may_self_handle(category: Mapping[str, Any]) -> bool:
    """Tell whether a worker may settle it on the spot: nothing urgent, nothing personal."""
    plain = not category["sensitivity"] and not category["emergency_call"]
    return plain and (category["priority"] or 0) >= SELF_HANDLED_PRIORITY_MIN


def is_dispute(category: str | None) -> bool:
    """Tell whether a category is one of the disputes."""
    return str(category or "").startswith(DISPUTES)


def held_rank(values: Mapping[str, Any], unit_level: str | None) -> int:
    """Return the rank of the level that a case waits for now."""
    state = values.get("state")
    if state in UNIT_STATES and unit_level is not None:
        return RANK_OF_LEVEL[unit_level]
    if state in ("draft", "reported", "rejected", "appealed"):
        return RANK_OF_LEVEL["village"]
    return RANK_OF_LEVEL[values.get("level") or "township"]
