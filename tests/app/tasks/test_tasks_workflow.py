"""The workflow of a task, walked from every state to every state by every role."""

import json
from typing import Any

from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.moments import as_text, now_ms
from app.tasks import rules, timing
from app.tasks.rules import ACTION_OF_STATE, BY_STEP, MOVES, REASON_NEEDED, STATES
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import GRID, outcome
from tests.app.tasks import walk

OFFICE = ("gw", "vl", "ts", "cm")
REFUSED_TO_ALL = ("au", "da")
STEPS = [(there, False) for there in STATES] + [("done", True)]
TAKEN = ("applied", None)


def test_the_table_names_every_move_once_and_leads_everywhere() -> None:
    assert len(set(MOVES)) == len(MOVES)
    assert {there for _, there in MOVES} == set(STATES) == set(walk.WAY) == set(ACTION_OF_STATE)


def test_over_http_exactly_the_moves_of_the_table_are_taken_by_their_roles(county: County) -> None:
    for here in STATES:
        task = walk.at(county, here)
        before = walk.columns(county, task["id"])
        for there, unchanged in STEPS:
            for who in OFFICE:
                said = {"unchanged": True} if unchanged else {}
                path = f"/tasks/{task['id']}/moves"
                reply = county.ask(who, "POST", path, walk.body(there) | said)
                _judge_reply(reply, (who, here, there, unchanged), task)
                if reply.status_code == 200:
                    walk.put_back(county, before)


def _judge_reply(reply: Any, step: tuple[str, str, str, bool], task: dict[str, Any]) -> None:
    who, here, there, unchanged = step
    if there == "expired" or not _has_right(who, there):
        assert outcome(reply) == (403, "not_allowed"), step
    elif not _leads(who, here, there, unchanged=unchanged):
        assert outcome(reply) == (409, "transition_not_allowed"), step
        [error] = reply.get_json()["errors"]
        onward = {to for origin, to in MOVES if origin == here}
        assert set(error["possible"]) in (onward, onward - {"done"}), step
    else:
        assert reply.status_code == 200, (step, reply.get_data(as_text=True))
        moved = reply.get_json()
        assert (moved["state"], moved["round"]) == (there, walk.round_after(task, there))


def _has_right(who: str, there: str) -> bool:
    """Tell by the authorisation table whether a role may ask for a state at all."""
    return walk.table()[ACTION_OF_STATE[there]][who].letter != "-"


def _leads(who: str, here: str, there: str, *, unchanged: bool) -> bool:
    return walk.may(who, here, there) and (unchanged or not walk.straight(here, there))


def test_over_push_exactly_the_moves_of_the_table_are_taken_by_their_roles(county: County) -> None:
    county.person("second", "gw", GRID)
    for here in STATES:
        task = walk.at(county, here)
        before = walk.columns(county, task["id"])
        for who in ("gw", "second", "colleague", "vl", "ts"):
            taken = [step for step in STEPS if _fate(who, here, *step) == TAKEN]
            refused = [step for step in STEPS if step not in taken]
            # What is refused changes nothing, so all of it may come at once.
            for some in (refused, *([step] for step in taken)):
                found = _fates(county.phone(who), task, some)
                assert found == [_fate(who, here, *step) for step in some], (who, here, some)
                walk.put_back(county, before)


def _fates(
    phone: SyncPhone, task: dict[str, Any], steps: list[tuple[str, bool]]
) -> list[tuple[str, str | None]]:
    edits = [
        phone.edit("event", "task", task["id"], base=task["rv"],
                   set=walk.asked(there, unchanged=unchanged)
                   | {"round": walk.round_after(task, there)})
        for there, unchanged in steps
    ]  # fmt: skip
    return [(one["status"], one.get("code")) for one in phone.push(*edits)]


def _fate(who: str, here: str, there: str, unchanged: bool) -> tuple[str, str | None]:
    """Return status and code of a step by the two tables."""
    role = "gw" if who in ("second", "colleague") else who
    if who == "colleague":
        return ("parked", "unknown_record")
    if who == "second" or there == "expired" or not _has_right(role, there):
        return ("parked", "not_allowed")
    leads = _leads(role, here, there, unchanged=unchanged)
    return TAKEN if leads else ("parked", "transition_not_allowed")


def test_who_has_no_part_in_tasks_moves_none(county: County) -> None:
    path = f"/tasks/{county.task()['id']}/moves"
    for who in REFUSED_TO_ALL:
        assert outcome(county.ask(who, "POST", path, walk.body("accepted"))) == (403, "not_allowed")
    refused = county.ask("colleague", "POST", path, walk.body("accepted"))
    assert outcome(refused) == (404, "not_found")


def test_a_refusal_needs_its_reason(county: County) -> None:
    for here, there, who in (
        ("assigned", "declined", "gw"), ("done", "returned", "ts"), ("started", "cancelled", "vl"),
    ):  # fmt: skip
        path = f"/tasks/{walk.at(county, here)['id']}/moves"
        reply = county.ask(who, "POST", path, {"state": there})
        assert outcome(reply) == (422, "invalid_fields")
        [error] = reply.get_json()["errors"]
        assert error == {"field": REASON_NEEDED[there], "code": "required"}


def test_a_returned_task_begins_its_next_round_and_the_server_counts_the_rework(
    county: County,
) -> None:
    task = walk.at(county, "returned")
    assert (task["round"], task["return_reason"], task["rework_count"]) == (1, "见说明", 1)
    path = f"/tasks/{task['id']}/moves"
    for state, who in (("started", "gw"), ("done", "gw"), ("returned", "ts"), ("started", "gw"),
                       ("done", "gw"), ("verified", "ts")):  # fmt: skip
        moved = county.ask(who, "POST", path, walk.body(state))
        assert moved.status_code == 200
    shown = moved.get_json()
    assert (shown["round"], shown["rework_count"]) == (2, 2)
    assert (shown["done_at"] is not None, shown["done_by"]) == (True, county.ids["gw"])


def test_to_assign_again_is_a_new_round_but_no_rework(county: County) -> None:
    task = walk.at(county, "declined")
    county.person("second", "gw", GRID)
    given = county.ask("ts", "POST", f"/tasks/{task['id']}/moves",
                       {"state": "assigned", "assignee": county.ids["second"]})  # fmt: skip
    shown = given.get_json()
    assert (shown["round"], shown["rework_count"]) == (1, None)
    assert shown["assignee"] == county.ids["second"]


def test_nobody_writes_what_the_server_keeps(county: County) -> None:
    task = county.task()
    for field, value in (("rework_count", 0), ("pool", True), ("reminded_at", None),
                         ("done_by", 1), ("batch", new_id())):  # fmt: skip
        receipt = county.phone("gw").act("update", "task", task["id"], base=1, set={field: value})
        assert receipt["errors"] == [{"field": field, "code": "read_only"}]


def test_a_worker_takes_a_mistaken_report_back(county: County) -> None:
    task = walk.at(county, "done")
    path = f"/tasks/{task['id']}/moves"
    undone = county.ask("gw", "POST", path, {"state": "started"}).get_json()
    assert (undone["state"], undone["round"], undone["done_at"]) == ("started", 0, None)
    again = county.ask("gw", "POST", path, {"state": "done", "report_text": "已办"}).get_json()
    assert again["state"] == "done" and again["done_at"] and not again["rework_count"]


def test_a_report_is_taken_back_only_in_time_and_only_until_it_is_verified(county: County) -> None:
    task = walk.at(county, "done")
    phone = county.phone("gw")
    late_ms = now_ms() + 25 * 3_600_000
    done_ms = now_ms() - 25 * 3_600_000
    assert rules.too_late_to_undo(now_ms(), late_ms)
    _age(county, task["id"], done_ms)
    late = phone.act("event", "task", task["id"], base=task["rv"],
                     set={"state": "started", "round": 0})  # fmt: skip
    assert (late["status"], late.get("code")) == ("parked", "transition_not_allowed")
    assert late["errors"] == [{"field": "state", "code": "undo_too_late", "hours": 24}]
    county.ask("ts", "POST", f"/tasks/{task['id']}/moves", {"state": "verified"})
    verified = phone.act("event", "task", task["id"], base=task["rv"],
                         set={"state": "started", "round": 0})  # fmt: skip
    assert verified["status"] == "conflict" and "overtaken" in verified["flags"]
    assert county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()["state"] == "verified"


def _age(county: County, task: str, ms: int) -> None:
    """Let a report be older than it is."""
    row, seal = walk.columns(county, task), current_engine().seal
    values = json.loads(seal.open("task", task, row["body"])) | {"done_at": as_text(ms)}
    walk.put_back(county, row | {"body": seal.close("task", task, json.dumps(values))})


def test_what_a_stale_phone_starts_is_no_undo_of_a_report_it_has_not_seen(county: County) -> None:
    task = county.task()
    first, second = county.phone("gw"), county.another_phone("gw")
    for state in ("accepted", "started", "done"):
        first.act("event", "task", task["id"], base=task["rv"], set={"state": state, "round": 0})
    stale = second.act("event", "task", task["id"], base=task["rv"],
                       set={"state": "started", "round": 0})  # fmt: skip
    assert stale["status"] == "conflict" and "overtaken" in stale["flags"]
    shown = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
    assert shown["state"] == "done" and shown["done_at"]


def test_an_open_task_expires_long_after_it_was_due_and_may_be_assigned_again(
    county: County,
) -> None:
    tasks = {state: walk.at(county, state) for state in rules.OPEN_STATES}
    spared = {state: walk.at(county, state) for state in ("done", "verified", "declined")}
    due_ms = 30 * walk.DAY_MS
    assert timing.expire(now_ms() + due_ms + 13 * walk.DAY_MS) == 0
    assert timing.expire(now_ms() + due_ms + 15 * walk.DAY_MS) == len(tasks)
    assert timing.expire(now_ms() + due_ms + 15 * walk.DAY_MS) == 0
    for task in tasks.values():
        shown = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
        assert (shown["state"], shown["round"]) == ("expired", task["round"])
        again = county.ask("ts", "POST", f"/tasks/{task['id']}/moves", {"state": "assigned"})
        assert again.get_json()["round"] == task["round"] + 1
    for state, task in spared.items():
        assert county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()["state"] == state


def test_every_move_has_an_action_of_the_table_or_is_the_houses() -> None:
    actions = {move.action for move in BY_STEP.values()}
    assert actions - {rules.HOUSE} <= set(walk.table())
