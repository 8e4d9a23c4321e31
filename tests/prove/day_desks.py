"""What the offices do on the day, each at its desk through the REST interface."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.demo.day import PlannedTask, tasks_of
from app.demo.people import workers_of
from app.demo.plan import h
from app.demo.stories import household_id
from app.phone.line import Refused
from app.phone.office import Office
from tests.prove.day_stage import TOWNSHIP, Hand, Stage, told

COUNTY = TOWNSHIP[:6]
SUPERVISOR = f"{TOWNSHIP}s01"
POOL_KIND = "publicity"
Shape = Mapping[str, Any]


def _after(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def open_up(stage: Stage) -> None:
    """Give out the day's work before the first worker sets out."""
    desk = stage.desk(SUPERVISOR)
    for hand in stage.hands:
        for task in _tasks_of(stage, hand):
            desk.ask("POST", "/tasks", _task(stage, hand, task))
    desk.ask("POST", "/task-batches", {
        "grids": [stage.cast.areas[grid.code] for grid in stage.grids], "task_kind": POOL_KIND,
        "assign": "pool",
    })  # fmt: skip
    desk.ask("POST", "/notices", {
        "areas": [stage.township], "urgency": "normal", "title": "今冬取暖安全",
        "text": "请入户时提醒用火用电安全", "valid_until": _after(days=3),
    })  # fmt: skip


def _tasks_of(stage: Stage, hand: Hand) -> Sequence[PlannedTask]:
    worker = next(one for one in workers_of(hand.grid) if one.key == hand.key)
    return list(tasks_of([worker], stage.day))


def _task(stage: Stage, hand: Hand, task: PlannedTask) -> dict[str, Any]:
    visited = {}
    if task.kind.target == "household":
        number = h("visited", task.key) % hand.grid.households
        visited = {"household": household_id(hand.grid, number)}
    return {
        "grid": hand.area, "task_kind": task.kind.code, "title": task.kind.name,
        "assignee": stage.cast.users[hand.key], "due_at": _after(hours=10), **visited,
    }  # fmt: skip


def give_order(stage: Stage) -> None:
    """Let the county ask for the arrivals of the day: one proposes it, another one approves."""
    county = stage.cast.areas[COUNTY]
    order = stage.desk(f"{COUNTY}s01").ask("POST", "/orders", {
        "title": "返乡人员登记", "basis": "突发事件应对法 第四十九条", "purpose": "疫情防控",
        "county": county, "areas": [stage.township],
        "asks": ["count_arrived", "from_region", "arrived_on"],
        "starts": _after(hours=-1), "ends": _after(days=5), "destroy_by": _after(days=20),
        "notice": {"title": "返乡登记", "text": "逐户登记近期返乡人数"},
        "task": {"task_kind": "returnee_registration", "title": "登记返乡人员"},
    })  # fmt: skip
    stage.desk(f"{COUNTY}s02").ask("POST", f"/orders/{order['id']}/approval")


def sit(stage: Stage, hour: int) -> None:
    """Work through what has come in by this hour, village by village and then the township."""
    for unit in sorted({grid.unit_code for grid in stage.grids}):
        _verify(stage, stage.desk(f"{unit}s01"))
    desk = stage.desk(SUPERVISOR)
    for state, step in _STEPS.items():
        for incident in _today(stage, desk, f"/incidents?state={state}&limit=200"):
            step(stage, desk, incident, hour)
    _see_to_tasks(stage, desk)
    _settle(desk)


def _today(stage: Stage, desk: Office, path: str) -> list[Shape]:
    """Return what has begun today: yesterday's work is in nobody's hands here."""
    rows = list(desk.every(path))
    return [one for one in rows if (one.get("reported_at") or "") >= stage.begun]


def _verify(stage: Stage, desk: Office) -> None:
    for incident in _today(stage, desk, "/incidents?state=reported&limit=200"):
        if h("verify", told(incident)) % 12 == 0:
            _move(desk, incident, "rejected", reason="同一事项已有人上报")
        else:
            _move(desk, incident, "verified")


def _move(desk: Office, incident: Shape, state: str, **more: Any) -> None:
    desk.ask("POST", f"/incidents/{incident['id']}/moves", {"state": state, **more})


def _file(stage: Stage, desk: Office, incident: Shape, _hour: int) -> None:
    _at_its_level(stage, desk, incident, "filed")


def _at_its_level(stage: Stage, desk: Office, incident: Shape, state: str, **more: Any) -> None:
    """Take a step at the desk of the level to which a case belongs."""
    at = {"county": f"{COUNTY}s01", "city": f"{COUNTY[:4]}00s01"}.get(incident["level"])
    _move(stage.desk(at) if at else desk, incident, state, **more)


def _dispatch(stage: Stage, desk: Office, incident: Shape, _hour: int) -> None:
    _at_its_level(stage, desk, incident, "dispatched", unit=incident["grid"])


def _grant(_stage: Stage, desk: Office, incident: Shape, _hour: int) -> None:
    if incident["extension"] != "asked" or incident["level"] not in ("village", "township"):
        return
    desk.ask("POST", f"/incidents/{incident['id']}/acts",
             {"act": "grant_extension", "until": _after(hours=8)})  # fmt: skip


def _hang(stage: Stage, desk: Office, incident: Shape, hour: int) -> None:
    if h("hang", f"{told(incident)}{hour}") % 8 == 0:
        _at_its_level(stage, desk, incident, "hung", reason="等待配件", until=_after(days=2))


def _resume(stage: Stage, desk: Office, incident: Shape, _hour: int) -> None:
    _at_its_level(stage, desk, incident, "in_progress")


def _check(stage: Stage, desk: Office, incident: Shape, hour: int) -> None:
    draw = h("check", f"{told(incident)}{hour}") % 6
    if draw == 0 and not incident["rework_count"]:
        _move(desk, incident, "rework", reason="现场仍有残留")
    elif draw < 4:
        _move(desk, incident, "checked")


def _close(stage: Stage, desk: Office, incident: Shape, _hour: int) -> None:
    _at_its_level(stage, desk, incident, "closed", close_kind="normal")


def _call_back(_stage: Stage, desk: Office, incident: Shape, _hour: int) -> None:
    points = 3 + h("points", told(incident)) % 3
    _move(desk, incident, "followed_up", score_service=points, score_result=5)


_STEPS = {
    "verified": _file, "filed": _dispatch, "claimed": _grant, "hung": _resume,
    "in_progress": _hang, "answered": _check, "checked": _close, "closed": _call_back,
}  # fmt: skip


# -- tasks, conflicts, what is parked ---------------------------------------------------------


def _see_to_tasks(stage: Stage, desk: Office) -> None:
    for task in desk.every("/tasks?state=done&limit=200"):
        if task["done_at"] < stage.begun:
            continue
        if h("verify", told(task)) % 10 == 0 and not task["rework_count"]:
            _move_task(desk, task, "returned", reason="请补充说明")
        else:
            _move_task(desk, task, "verified")
    for task in desk.every("/tasks?state=declined&limit=200"):
        colleagues = [hand for hand in stage.hands if hand.area == task["grid"]
                      and stage.cast.users[hand.key] != task["assignee"]]  # fmt: skip
        if colleagues:
            _move_task(desk, task, "assigned", assignee=stage.cast.users[colleagues[0].key])


def _move_task(desk: Office, task: Shape, state: str, **more: Any) -> None:
    desk.ask("POST", f"/tasks/{task['id']}/moves", {"state": state, **more})


def _settle(desk: Office) -> None:
    """Choose where two have said different things, and let go what came too late."""
    for conflict in list(desk.every("/conflicts?limit=200")):
        choice = "swap" if h("choice", conflict["kind"]) % 4 == 0 else "keep"
        try:
            desk.ask("POST", f"/conflicts/{conflict['id']}/resolution", {"choice": choice})
        except Refused:  # what lost cannot be had any more: what stands is kept
            desk.ask("POST", f"/conflicts/{conflict['id']}/resolution", {"choice": "keep"})
    for edit in list(desk.every("/parked-edits?limit=200")):
        if edit["code"] == "already_claimed":
            desk.ask("POST", f"/parked-edits/{edit['id']}/discard")
