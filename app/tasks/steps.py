"""What a step of a task needs besides the right to it, and what the server notes of it.

A step that was made without knowing what stands is not judged by what stands: the merge decides
which of the two is further along, and keeps the other one for the supervisor.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.core.actor import Actor
from app.core.moments import as_text
from app.tasks.rules import (
    BEGUN_STATES,
    CONFIRMING,
    UNDO_WITHIN,
    WORKFLOW,
    is_straight,
    is_undo,
    missing_reason,
    too_late_to_undo,
)
from sync.errors import FieldError, Refusal
from sync.gate import Work

Values = Mapping[str, Any]
PROGRESS = "progress"


def check(work: Work, values: Values) -> None:
    """Refuse a step whose guard does not hold.

    Raises:
        Refusal: the server alone may take it, a reason is missing, it is too late, and so on.
    """
    before = _before(work)
    if values.get("state") == "expired":
        raise Refusal("not_allowed")
    merged = {**before, **values}
    reason = missing_reason(values.get("state"), merged)
    if reason:
        raise Refusal("invalid_fields", FieldError(reason, "required"))
    if values.get("unchanged") and not _asks_about_household(merged):
        raise Refusal("invalid_fields", FieldError("unchanged", "not_about_a_household"))
    if "state" in values and work.saw(PROGRESS):
        _check_guard(before, values, work.act.ms)


def _check_guard(before: Values, values: Values, at_ms: int) -> None:
    origin, to = before.get("state"), values["state"]
    if is_straight(origin, to) and not values.get("unchanged"):
        onward = sorted(state for here, state in WORKFLOW.moves if here == origin and state != to)
        limits = {"state": origin, "round": before.get("round") or 0, "possible": onward}
        raise Refusal("transition_not_allowed", FieldError("state", "no_such_move", limits))
    undone = before.get("done_at") if is_undo(origin, to) else None
    if undone and too_late_to_undo(ms_of(undone), at_ms):
        hours = {"hours": UNDO_WITHIN // timedelta(hours=1)}
        raise Refusal("transition_not_allowed", FieldError("state", "undo_too_late", hours))


def claims(values: Values) -> bool:
    """Tell whether a worker takes a task of the pool by this: he accepts it, or has done it."""
    return values.get("state") in ("accepted", "done")


def has_begun(task: Values) -> bool:
    """Tell whether a worker is at work on a task already."""
    return task.get("state") in BEGUN_STATES


def worker_adds(work: Work, values: Values, actor: Actor) -> dict[str, Any]:
    """Return what the server notes of a worker's step."""
    before, added = _before(work), dict[str, Any]()
    state, at = values.get("state"), as_text(work.act.ms)
    if before.get("assignee") is None and claims(values):
        added |= {"assignee": actor.user_id, "pool": True}
    if state == "done":
        added |= {"done_at": at, "done_by": actor.user_id}
        if values.get("unchanged"):
            added["confirmed_at"] = at
    if work.saw(PROGRESS) and is_undo(before.get("state"), state):
        added |= {"done_at": None, "done_by": None, "unchanged": None, "confirmed_at": None}
    return added


def office_adds(work: Work, values: Values, actor: Actor) -> dict[str, Any]:
    """Return what the server notes of what the office does."""
    before, added = _before(work), dict[str, Any]()
    if work.edit.op == "create":
        added = {"assigned_by": actor.user_id, "pool": values.get("assignee") is None}
    elif "assignee" in values:
        # Whoever worked on it while it was in the pool is still told who has it.
        added = {"assigned_by": actor.user_id} | ({} if values["assignee"] else {"pool": True})
    if values.get("state") == "returned" and before.get("state") == "done":
        added["rework_count"] = (before.get("rework_count") or 0) + 1
    if "due_at" in values and before.get("reminded_at"):
        added["reminded_at"] = None
    return added


def _asks_about_household(task: Values) -> bool:
    return bool(task.get("household")) and task.get("task_kind") in CONFIRMING


def _before(work: Work) -> Values:
    return work.record.values if work.record else {}


def ms_of(text: str) -> int:
    """Return a moment of the wire in ms since 1970."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)
