"""The workflow of a task as data: states, their rank, the moves, who makes each, and its guard.

The table is the only place where a move is written down: the engine, the policies, the tests that
walk through all of it and docs/tasks.md read it here.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from sync.kinds import Workflow

HOUSE = "house"
"""Who makes a move that only the server itself makes; no action of the authorisation table."""

REASON = "reason"
UNCHANGED = "unchanged"
IN_TIME = "in_time"


class Move(NamedTuple):
    """One step of the workflow.

    Attributes:
        origin: the state it leaves; None when the task is not there yet.
        action: the action of the authorisation table that it needs, or ``HOUSE``.
        guard: what must be true besides; empty when nothing.
    """

    origin: str | None
    to: str
    action: str
    guard: str = ""


TABLE = (
    Move(None, "assigned", "task.create"),
    Move("assigned", "accepted", "task.accept"),
    Move("assigned", "declined", "task.accept", REASON),
    Move("assigned", "done", "task.report", UNCHANGED),
    Move("assigned", "cancelled", "task.cancel", REASON),
    Move("assigned", "expired", HOUSE),
    Move("accepted", "started", "task.start"),
    Move("accepted", "declined", "task.accept", REASON),
    Move("accepted", "done", "task.report", UNCHANGED),
    Move("accepted", "cancelled", "task.cancel", REASON),
    Move("accepted", "expired", HOUSE),
    Move("started", "done", "task.report"),
    Move("started", "cancelled", "task.cancel", REASON),
    Move("started", "expired", HOUSE),
    Move("declined", "assigned", "task.assign"),
    Move("declined", "cancelled", "task.cancel", REASON),
    Move("done", "verified", "task.verify"),
    Move("done", "returned", "task.return", REASON),
    Move("done", "started", "task.start", IN_TIME),
    Move("done", "cancelled", "task.cancel", REASON),
    Move("returned", "started", "task.start"),
    Move("returned", "done", "task.report", UNCHANGED),
    Move("returned", "cancelled", "task.cancel", REASON),
    Move("returned", "expired", HOUSE),
    Move("expired", "assigned", "task.assign"),
)
MOVES = tuple((move.origin, move.to) for move in TABLE)
BY_STEP: Mapping[tuple[str | None, str], Move] = {(one.origin, one.to): one for one in TABLE}
RANKS = {
    "assigned": 0, "returned": 5, "accepted": 10, "declined": 15, "started": 20, "expired": 25,
    "cancelled": 30, "done": 40, "verified": 50,
}  # fmt: skip
WORKFLOW = Workflow(RANKS, frozenset(MOVES), new_round=frozenset({"returned", "assigned"}))
STATES = tuple(RANKS)
OPEN_STATES = ("assigned", "returned", "accepted", "started")
BEGUN_STATES = ("accepted", "started", "returned")

ACTION_OF_STATE = {
    "assigned": "task.assign", "accepted": "task.accept", "declined": "task.accept",
    "started": "task.start", "done": "task.report", "verified": "task.verify",
    "returned": "task.return", "cancelled": "task.cancel", "expired": "task.cancel",
}  # fmt: skip
WORKERS_ACTIONS = frozenset({"task.accept", "task.start", "task.report"})
REASON_NEEDED = {
    "declined": "decline_reason", "returned": "return_reason", "cancelled": "cancel_reason",
}  # fmt: skip

UNDO_WITHIN = timedelta(hours=24)
"""How long after his report a worker may take it back himself, while nobody has verified it."""
EXPIRES_AFTER = timedelta(days=14)
"""How long after its due time an open task is left to be done late; then it expires."""
CONFIRMING = frozenset({"visit", "household_update"})
"""The kinds of task to which "nothing changed" is a whole answer: they ask about a household."""

RANK, REMINDED_RANK = 30, 22
"""The place in a pull; a task of which one is reminded comes after urgent incidents."""


def missing_reason(state: str | None, values: Mapping[str, Any]) -> str | None:
    """Return the field that must say why, when a move needs a reason and has none."""
    field = REASON_NEEDED.get(state or "")
    return field if field and not values.get(field) else None


def is_straight(origin: str | None, to: str | None) -> bool:
    """Tell whether a step may be taken only by somebody who found nothing changed."""
    move = BY_STEP.get((origin, to or ""))
    return move is not None and move.guard == UNCHANGED


def is_undo(origin: str | None, to: str | None) -> bool:
    """Tell whether a step takes a report back."""
    move = BY_STEP.get((origin, to or ""))
    return move is not None and move.guard == IN_TIME


def too_late_to_undo(done_ms: int, now_ms: int) -> bool:
    """Tell whether a report is too old for its author to take it back."""
    return now_ms - done_ms > UNDO_WITHIN / timedelta(milliseconds=1)
