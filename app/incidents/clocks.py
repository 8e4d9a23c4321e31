"""The clocks that act: when a case is urged, and when it goes one level up, as a pure function."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.incidents.limits import Limits

LIMIT_OF_STATE: Mapping[str, str] = {
    "reported": "verify_due_at", "appealed": "verify_due_at", "dispatched": "sign_due_at",
    "claimed": "due_at", "in_progress": "due_at", "rework": "due_at", "returned": "due_at",
    "filed": "due_at", "hung": "step_until",
}  # fmt: skip
"""Which time limit runs in which state; in the others nobody is waited for."""
URGE, LIFT = "urge", "lift"
TOP = "city"


@dataclass(frozen=True, slots=True)
class Due:
    """What the clock does now, and for which limit."""

    act: str
    limit: str


def due_now(values: Mapping[str, Any], limits: Limits, now: datetime) -> Due | None:
    """Return what the clock must do with a case now, if anything.

    Each limit urges once and lifts once, whoever asks how often.
    """
    limit = limit_of(values)
    if limit is None or datetime.fromisoformat(limit) > now:
        return None
    if values.get("urged_for") != limit:
        return Due(URGE, limit)
    if values.get("lifted_for") == limit or not _can_be_lifted(values):
        return None
    return Due(LIFT, limit) if limits.lift_due(datetime.fromisoformat(limit)) <= now else None


def next_look(values: Mapping[str, Any], limits: Limits, now: datetime) -> datetime | None:
    """Return when the clock must look at a case again that has just been looked at."""
    limit = limit_of(values)
    if limit is None:
        return None
    moment = datetime.fromisoformat(limit)
    if moment > now:
        return moment
    lifted = values.get("lifted_for") == limit or not _can_be_lifted(values)
    return None if lifted else max(limits.lift_due(moment), now)


def limit_of(values: Mapping[str, Any]) -> str | None:
    """Return the time limit that runs in the state of a case."""
    name = LIMIT_OF_STATE.get(str(values.get("state")))
    found: str | None = values.get(name) if name else None
    return found


def _can_be_lifted(values: Mapping[str, Any]) -> bool:
    return values.get("level") != TOP and values.get("state") != "hung"
