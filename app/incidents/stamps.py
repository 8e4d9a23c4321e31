"""What the server writes with a step, by the names that the table uses."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.core.moments import as_text
from app.incidents.clocks import LIFT, Due, due_now, next_look
from app.incidents.rules import (
    LEVELS,
    RETURNS_MAX,
    REWORKS_MAX,
    above,
    is_sampled,
)
from app.incidents.step import Step

Written = dict[str, Any]
Stamp = Callable[[Step], Written]
HANDLERS_MAX = 50


def text_of(moment: datetime) -> str:
    """Write a moment as the wire does."""
    return as_text(round(moment.timestamp() * 1000))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _reported(step: Step) -> Written:
    category = step.found.categories.get(str(step.merged.get("category"))) or {}
    level = category.get("start_level")
    due = text_of(step.limits.verify_due(step.now))
    return {"reported_at": step.now_text, "verify_due_at": due, "watch_at": due, "overdue": False,
            "level": level if level in LEVELS else "township"}  # fmt: skip


def _filed(step: Step) -> Written:
    return {"filed_at": step.now_text, "watch_at": None}


def _dispatched(step: Step) -> Written:
    """Give it to a unit; the clock of the handling begins once, a return does not wind it back."""
    sign = text_of(step.limits.sign_due(step.now))
    due = step.before.get("due_at") or text_of(step.limits.handle_due(step.now))
    return {
        "unit": step.said.get("step_unit") or step.proposed_unit, "handler": None,
        "dispatched_at": step.now_text, "sign_due_at": sign, "due_at": due,
        "watch_at": min(sign, due), "overdue": False,
    }  # fmt: skip


def _returned(step: Step) -> Written:
    count = (step.before.get("return_count") or 0) + 1
    lifted = {"level": above(step.before.get("level"))} if count >= RETURNS_MAX else {}
    return {"return_count": count, "unit": None, "sign_due_at": None,
            "watch_at": step.before.get("due_at"), **lifted}  # fmt: skip


def _claimed(step: Step) -> Written:
    handlers = [*(step.before.get("handlers") or ()), step.actor.user_id]
    return {"handler": step.actor.user_id, "claimed_at": step.now_text,
            "handlers": list(dict.fromkeys(handlers))[-HANDLERS_MAX:]}  # fmt: skip


def _hung(step: Step) -> Written:
    return {"hung_at": step.now_text, "watch_at": step.said.get("step_until")}


def _resumed(step: Step) -> Written:
    due, hung = _moment(step.before.get("due_at")), _moment(step.before.get("hung_at"))
    moved = text_of(step.limits.after_pause(due, hung, step.now)) if due and hung else None
    return {"hung_at": None, "due_at": moved, "watch_at": moved}


def _handed(step: Step) -> Written:
    return {"level": step.said.get("step_level"), "unit": None, "handler": None,
            "hand_asked": None, "hand_reason": None,
            "watch_at": step.before.get("due_at")}  # fmt: skip


def _answered(step: Step) -> Written:
    return {"answered_at": step.now_text}


def _reworked(step: Step) -> Written:
    """Count it; the third one puts the case under the eyes of the next level."""
    count = (step.before.get("rework_count") or 0) + 1
    if count < REWORKS_MAX:
        return {"rework_count": count}
    return {"rework_count": count, "supervised_level": above(step.before.get("level")),
            "supervised_at": step.now_text}  # fmt: skip


def _over(step: Step) -> Written:
    return {"watch_at": None, "overdue": False}


def _closed(step: Step) -> Written:
    return {**_over(step), "closed_at": step.now_text, "close_kind": step.said.get("step_close")}


def _sampled(step: Step) -> Written:
    return {**_over(step), "sampled": is_sampled(step.work.edit.rec)}


def _self_handled(step: Step) -> Written:
    return {**_sampled(step), "closed_at": step.now_text, "close_kind": "self_handled"}


def _reopened(step: Step) -> Written:
    return {"closed_at": None, "close_kind": None, "unit": None, "handler": None, "due_at": None,
            "sign_due_at": None, "watch_at": None}  # fmt: skip


def _extension_asked(step: Step) -> Written:
    return {"extension": "asked", "extension_until": step.said.get("act_until"),
            "extension_reason": step.said.get("act_text")}  # fmt: skip


def _extension_granted(step: Step) -> Written:
    until = step.said.get("act_until") or step.before.get("extension_until")
    return {"extension": "granted", "extension_until": until, "due_at": until,
            "watch_at": until, "overdue": False}  # fmt: skip


def _extension_refused(step: Step) -> Written:
    return {"extension": "refused", "extension_reason": step.said.get("act_text")}


def _hand_asked(way: str) -> Stamp:
    return lambda step: {"hand_asked": way, "hand_reason": step.said.get("act_text")}


def _urged(step: Step) -> Written:
    return {"urge_count": (step.before.get("urge_count") or 0) + 1, "urged_at": step.now_text}


def _supervised(step: Step) -> Written:
    level = LEVELS[max(step.rank, 1) - 1]
    return {"supervised_level": level, "supervised_at": step.now_text}


def _clock(step: Step) -> Written:
    """Urge or lift what is due, and say when to look again; somebody may have been quicker."""
    due = due_now(step.before, step.limits, step.now)
    written = _due_stamps(step, due) if due else {}
    look = next_look({**step.before, **written}, step.limits, step.now)
    return {**written, "watch_at": text_of(look) if look else None}


def _due_stamps(step: Step, due: Due) -> Written:
    if due.act == LIFT:
        return {"level": above(step.before.get("level")), "lifted_for": due.limit}
    return {**_urged(step), "urged_for": due.limit, "overdue": True}


def _told(step: Step) -> Written:
    return {"told_state": step.found.targets.get(str(step.before.get("merged_into")))}


STAMPS: Mapping[str, Stamp] = {
    "reported": _reported,
    "filed": _filed,
    "dispatched": _dispatched,
    "returned": _returned,
    "claimed": _claimed,
    "hung": _hung,
    "resumed": _resumed,
    "handed": _handed,
    "answered": _answered,
    "reworked": _reworked,
    "over": _over,
    "closed": _closed,
    "sampled": _sampled,
    "self_handled": _self_handled,
    "reopened": _reopened,
    "extension_asked": _extension_asked,
    "extension_granted": _extension_granted,
    "extension_refused": _extension_refused,
    "hand_up_asked": _hand_asked("up"),
    "hand_down_asked": _hand_asked("down"),
    "urged": _urged,
    "supervised": _supervised,
    "clock": _clock,
    "told": _told,
}


def stamps(step: Step) -> Written:
    """Return what the server writes with a step: who and when, and what its row says."""
    written: Written = {}
    if step.move.there is not None:
        mine = step.before.get("reporter", step.actor.user_id) == step.actor.user_id
        hidden = mine and step.before.get("handler") != step.actor.user_id
        written = {"state_at": step.now_text, "state_by": None if hidden else step.actor.user_id,
                   "state_by_name": None if hidden else step.actor.name or None}  # fmt: skip
    for name in step.move.stamps:
        written |= STAMPS[name](step)
    return written
