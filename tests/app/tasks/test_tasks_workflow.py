"""The workflow of a task, walked from every state to every state by every role."""

from typing import Any

import sqlalchemy as sa

from app.tasks.models import Task
from app.tasks.rules import ACTION_OF_STATE, MOVES, REASON_NEEDED, STATES, WORKFLOW
from tests.app.core.county import County
from tests.app.identity.town import outcome

WALKERS = ("gw", "vl", "ts", "cm")
REFUSED_TO_ALL = ("au", "da")
MAY = {
    "accepted": {"gw"}, "declined": {"gw"}, "started": {"gw"}, "done": {"gw"},
    "verified": {"vl", "ts"}, "returned": {"vl", "ts"},
    "cancelled": {"vl", "ts", "cm"}, "assigned": {"vl", "ts", "cm"},
}  # fmt: skip
WAY = {
    "assigned": (), "accepted": ("accepted",), "declined": ("declined",),
    "cancelled": ("cancelled",), "started": ("accepted", "started"),
    "done": ("accepted", "started", "done"),
    "verified": ("accepted", "started", "done", "verified"),
    "returned": ("accepted", "started", "done", "returned"),
}  # fmt: skip


def _body(state: str) -> dict[str, Any]:
    reason = {"reason": "见说明"} if state in REASON_NEEDED else {}
    return {"state": state, **reason}


def _at(county: County, state: str) -> dict[str, Any]:
    """Return a task that has come to a state along its moves."""
    task = county.task()
    for step in WAY[state]:
        who = "gw" if "gw" in MAY[step] else "ts"
        reply = county.ask(who, "POST", f"/tasks/{task['id']}/moves", _body(step))
        assert reply.status_code == 200, reply.get_data(as_text=True)
        task = reply.get_json()
    assert task["state"] == state
    return task


def test_every_state_has_an_action_and_a_way() -> None:
    assert set(ACTION_OF_STATE) == set(STATES) == set(MAY) == set(WAY)


def test_only_the_moves_of_the_table_are_taken_and_only_by_their_roles(county: County) -> None:
    for here in STATES:
        task = _at(county, here)
        for there in STATES:
            for who in WALKERS:
                _try(county, task, who, there)


def _try(county: County, task: dict[str, Any], who: str, there: str) -> None:
    """Try one move, see that the table decides it, and put the task back as it was."""
    path, here = f"/tasks/{task['id']}/moves", task["state"]
    before = _columns(county, task["id"])
    reply = county.ask(who, "POST", path, _body(there))
    if who not in MAY[there]:
        assert outcome(reply) == (403, "not_allowed"), (who, here, there)
    elif (here, there) not in MOVES:
        assert outcome(reply) == (409, "transition_not_allowed"), (who, here, there)
        [error] = reply.get_json()["errors"]
        assert error["possible"] == sorted(to for origin, to in MOVES if origin == here)
    else:
        assert reply.status_code == 200, (who, here, there, reply.get_data(as_text=True))
        moved = reply.get_json()
        grows = there in WORKFLOW.new_round
        assert (moved["state"], moved["round"]) == (there, task["round"] + grows)
        county.sql(sa.update(Task).where(Task.id == task["id"]).values(before))
    assert _columns(county, task["id"])["state"] == here


def _columns(county: County, task: str) -> dict[str, Any]:
    [row] = county.sql(
        sa.select(Task.state, Task.round, Task.rv, Task.marks, Task.body).where(Task.id == task)
    )
    return dict(row._mapping)


def test_who_has_no_part_in_tasks_moves_none(county: County) -> None:
    path = f"/tasks/{county.task()['id']}/moves"
    for who in REFUSED_TO_ALL:
        assert outcome(county.ask(who, "POST", path, _body("accepted"))) == (403, "not_allowed")
    assert outcome(county.ask("colleague", "POST", path, _body("accepted"))) == (404, "not_found")


def test_a_refusal_needs_its_reason(county: County) -> None:
    for here, there, who in (
        ("assigned", "declined", "gw"), ("done", "returned", "ts"), ("started", "cancelled", "vl"),
    ):  # fmt: skip
        path = f"/tasks/{_at(county, here)['id']}/moves"
        reply = county.ask(who, "POST", path, {"state": there})
        assert outcome(reply) == (422, "invalid_fields")
        [error] = reply.get_json()["errors"]
        assert error == {"field": REASON_NEEDED[there], "code": "required"}


def test_a_returned_task_begins_its_next_round(county: County) -> None:
    task = _at(county, "returned")
    assert (task["round"], task["return_reason"]) == (1, "见说明")
    path = f"/tasks/{task['id']}/moves"
    for state in ("started", "done", "verified"):
        who = "ts" if state == "verified" else "gw"
        moved = county.ask(who, "POST", path, _body(state))
        assert (moved.status_code, moved.get_json()["round"]) == (200, 1)
    assert moved.get_json()["done_at"]
