"""Bring tasks to any state, and put them back as they were: the steps of a walk."""

from typing import Any

import sqlalchemy as sa

from app.core.moments import now_ms
from app.core.policy import table
from app.core.records import sync_tables
from app.tasks import timing
from app.tasks.models import Task
from app.tasks.rules import BY_STEP, HOUSE, REASON_NEEDED, UNCHANGED, WORKFLOW
from tests.app.core.county import County, household

DAY_MS = 86_400_000
WAY = {
    "assigned": (), "accepted": ("accepted",), "declined": ("declined",),
    "cancelled": ("cancelled",), "started": ("accepted", "started"),
    "done": ("accepted", "started", "done"),
    "verified": ("accepted", "started", "done", "verified"),
    "returned": ("accepted", "started", "done", "returned"), "expired": ("expired",),
}  # fmt: skip
BY_OFFICE = ("assigned", "verified", "returned", "cancelled")


def body(state: str) -> dict[str, Any]:
    """Return the body of a move, with a reason where it needs one."""
    reason = {"reason": "见说明"} if state in REASON_NEEDED else {}
    return {"state": state, **reason}


def at(county: County, state: str) -> dict[str, Any]:
    """Return a visit that has come to a state along its moves."""
    home = county.made("gw", "/households", household())
    task = county.task(household=home["id"])
    for step in WAY[state]:
        if step == "expired":
            timing.expire(now_ms() + 60 * DAY_MS)
            continue
        who = "ts" if step in BY_OFFICE else "gw"
        reply = county.ask(who, "POST", f"/tasks/{task['id']}/moves", body(step))
        assert reply.status_code == 200, reply.get_data(as_text=True)
    task = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
    assert task["state"] == state
    return task


def may(who: str, here: str | None, there: str) -> bool:
    """Tell by the two tables whether somebody in whose hands a task is may take a step."""
    move = BY_STEP.get((here, there))
    if move is None or move.action == HOUSE:
        return False
    return table()[move.action][who].letter != "-"


def asked(there: str, *, unchanged: bool) -> dict[str, Any]:
    """Return what a phone sets for a step, besides its round."""
    reason = {REASON_NEEDED[there]: "见说明"} if there in REASON_NEEDED else {}
    return {"state": there, **reason, **({"unchanged": True} if unchanged else {})}


def straight(here: str, there: str) -> bool:
    """Tell whether a step is only for who found nothing changed."""
    return (here, there) in BY_STEP and BY_STEP[here, there].guard == UNCHANGED


def round_after(task: dict[str, Any], there: str) -> int:
    """Return the round in which a task is after a step."""
    return int(task["round"]) + (there in WORKFLOW.new_round)


def columns(county: County, task: str) -> dict[str, Any]:
    """Return all columns of a task as they stand."""
    [row] = county.sql(sa.select(Task.__table__).where(Task.id == task))
    return dict(row._mapping)


def put_back(county: County, before: dict[str, Any]) -> None:
    """Put a task back as it was, and forget what has been parked of it."""
    t, parked = Task.__table__, sync_tables.parked
    county.sql(sa.delete(parked).where(parked.c.waits_for == before["id"]))
    county.sql(sa.update(t).where(t.c.id == before["id"]).values(**before))
