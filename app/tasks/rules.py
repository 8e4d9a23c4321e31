"""The workflow of a task as data: states, their rank, the moves, and who makes each."""

from sync.kinds import Workflow

MOVES = (
    (None, "assigned"),
    ("assigned", "accepted"),
    ("assigned", "declined"),
    ("assigned", "cancelled"),
    ("accepted", "started"),
    ("accepted", "declined"),
    ("accepted", "cancelled"),
    ("started", "done"),
    ("started", "cancelled"),
    ("declined", "assigned"),
    ("declined", "cancelled"),
    ("done", "verified"),
    ("done", "returned"),
    ("returned", "started"),
    ("returned", "cancelled"),
)
RANKS = {
    "assigned": 0, "returned": 5, "accepted": 10, "declined": 15, "started": 20, "cancelled": 30,
    "done": 40, "verified": 50,
}  # fmt: skip
WORKFLOW = Workflow(RANKS, frozenset(MOVES), new_round=frozenset({"returned", "assigned"}))
STATES = tuple(RANKS)
OPEN_STATES = ("assigned", "returned", "accepted", "started")

ACTION_OF_STATE = {
    "assigned": "task.assign", "accepted": "task.accept", "declined": "task.accept",
    "started": "task.start", "done": "task.report", "verified": "task.verify",
    "returned": "task.return", "cancelled": "task.cancel",
}  # fmt: skip
REASON_NEEDED = {
    "declined": "decline_reason", "returned": "return_reason", "cancelled": "cancel_reason",
}  # fmt: skip


def missing_reason(state: str | None, values: dict[str, object]) -> str | None:
    """Return the field that must say why, when a move needs a reason and has none."""
    field = REASON_NEEDED.get(state or "")
    return field if field and not values.get(field) else None
