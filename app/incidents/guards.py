"""What must hold for a step, by the names that the table uses; each answers with what is wrong."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from app.areas.rules import path_ids
from app.incidents.rules import (
    RANK_OF_LEVEL,
    REOPEN_DAYS,
    held_rank,
    is_neighbour,
    may_self_handle,
)
from app.incidents.step import Step
from sync.errors import FieldError

Fault = FieldError | None
Guard = Callable[[Step], Fault]


def _given(field: str) -> Guard:
    """Return the guard that a field comes with the step."""

    def guard(step: Step) -> Fault:
        return None if step.said.get(field) else FieldError(field, "required")

    return guard


def _result(step: Step) -> Fault:
    return None if step.merged.get("result_text") else FieldError("result_text", "required")


def _scores(step: Step) -> Fault:
    missing = [one for one in ("score_service", "score_result") if not step.said.get(one)]
    return FieldError(missing[0], "required") if missing else None


def _self_handled(step: Step) -> Fault:
    category = step.found.categories.get(str(step.merged.get("category")))
    allowed = category["self_handling"] if category else False
    if allowed is None and category:
        allowed = may_self_handle(category)
    return None if allowed else FieldError("state", "not_self_handled")


def _at_level(step: Step) -> Fault:
    needed = step.before.get("level") or "township"
    if step.rank >= RANK_OF_LEVEL[needed]:
        return None
    return FieldError("level", "next_level_decides", {"level": needed})


def _unit(step: Step) -> Fault:
    unit = step.said.get("step_unit")
    if unit is None or unit in path_ids(step.path or ""):
        return None
    return FieldError("step_unit", "unit_elsewhere")


def _next_level(step: Step) -> Fault:
    wanted, here = step.said.get("step_level"), step.before.get("level") or "township"
    if wanted is None:
        return FieldError("step_level", "required")
    return None if is_neighbour(wanted, here) else FieldError("step_level", "not_the_next_level")


def _within_days(step: Step) -> Fault:
    closed = step.before.get("closed_at")
    if closed and step.now - datetime.fromisoformat(closed) > timedelta(days=REOPEN_DAYS):
        return FieldError("state", "too_late_to_reopen", {"most": REOPEN_DAYS})
    return None


def _target(step: Step) -> Fault:
    target = step.work.referred.get("merged_into")
    if not step.said.get("merged_into"):
        return FieldError("merged_into", "required")
    itself = (
        target is not None and step.work.record is not None and (target.id == step.work.record.id)
    )
    if target is None or itself or target.deleted or target.values.get("state") == "merged":
        return FieldError("merged_into", "unknown_record")
    return None


def _one_extension(step: Step) -> Fault:
    return FieldError("act", "asked_before") if step.before.get("extension") else None


def _extension_asked(step: Step) -> Fault:
    asked = step.before.get("extension") == "asked"
    return None if asked else FieldError("act", "nothing_asked")


def _above(step: Step) -> Fault:
    if step.rank > held_rank(step.before, step.unit_level):
        return None
    return FieldError("act", "not_above")


def _not_refused(step: Step) -> Fault:
    refused = step.before.get("refused_by")
    return FieldError("state", "party_refused", {"party": refused}) if refused else None


def _not_own_answer(step: Step) -> Fault:
    own = step.before.get("handler") == step.actor.user_id
    return FieldError("state", "own_answer") if own else None


GUARDS: Mapping[str, Guard] = {
    "reason": _given("state_reason"),
    "tried": _given("state_reason"),
    "review_date": _given("step_until"),
    "close_kind": _given("step_close"),
    "act_text": _given("act_text"),
    "act_until": _given("act_until"),
    "result": _result,
    "scores": _scores,
    "self_handled": _self_handled,
    "at_level": _at_level,
    "unit": _unit,
    "next_level": _next_level,
    "within_30_days": _within_days,
    "target": _target,
    "one_extension": _one_extension,
    "extension_asked": _extension_asked,
    "above": _above,
    "not_refused": _not_refused,
    "not_own_answer": _not_own_answer,
}


def faults(step: Step) -> list[FieldError]:
    """Return what is wrong with a step, by the guards of its row."""
    return [fault for name in step.move.guards if (fault := GUARDS[name](step))]
