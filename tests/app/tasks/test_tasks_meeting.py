"""What two people do with one task at once: cancelled and done, claimed twice, given to a cover."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.moments import now_ms
from tests.app.core.county import County, SyncPhone, household
from tests.app.identity.town import GRID, outcome
from tests.app.tasks import walk
from tests.app.workflows.handset import Handset

FOUND_SAME = {"state": "done", "round": 0, "unchanged": True}
ACCEPTED = {"state": "accepted", "round": 0}


def _steps(phone: SyncPhone, task: dict[str, Any], *states: str, **report: Any) -> list[Any]:
    """Let a phone take steps that it made offline, all from the version it had seen."""
    edits = [
        phone.edit("event", "task", task["id"], base=task["rv"],
                   set={"state": state, "round": 0, **(report if state == "done" else {})})
        for state in states
    ]  # fmt: skip
    return phone.push(*edits)


def _shown(county: County, task: dict[str, Any]) -> dict[str, Any]:
    return county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()  # type: ignore[no-any-return]


# -- done offline, cancelled in the office -------------------------------------------------------


@pytest.fixture
def late(county: County) -> dict[str, Any]:
    """Return a task that was done offline while the office cancelled it, with its conflict."""
    task = county.task()
    cancelled = county.ask("ts", "POST", f"/tasks/{task['id']}/moves", walk.body("cancelled"))
    assert cancelled.status_code == 200
    receipts = _steps(county.phone("gw"), task, "accepted", "started", "done",
                      report_text="老人安好", report_count=3)  # fmt: skip
    assert [one["status"] for one in receipts] == ["conflict"] * 3
    [conflict] = {name for one in receipts for name in one["conflicts"]}
    return {**_shown(county, task), "conflict": conflict}


def test_a_report_that_comes_for_a_cancelled_task_is_kept_and_the_supervisor_is_asked(
    late: dict[str, Any],
) -> None:
    assert (late["state"], late["report_text"], late["report_count"]) == ("done", "老人安好", 3)
    assert late["cancel_reason"] == "见说明"


def test_the_supervisor_takes_the_report(county: County, late: dict[str, Any]) -> None:
    assert _chosen(county, late, "keep").status_code == 200
    verified = county.ask("ts", "POST", f"/tasks/{late['id']}/moves", {"state": "verified"})
    assert verified.get_json()["state"] == "verified"


def test_the_supervisor_keeps_the_cancellation_and_the_report_stays(
    county: County, late: dict[str, Any]
) -> None:
    assert _chosen(county, late, "swap").status_code == 200
    shown = _shown(county, late)
    assert (shown["state"], shown["report_text"]) == ("cancelled", "老人安好")
    assert _chosen(county, late, "undo").status_code == 200
    assert _shown(county, late)["state"] == "done"


def _chosen(county: County, late: dict[str, Any], choice: str) -> Any:
    return county.ask("ts", "POST", f"/conflicts/{late['conflict']}/resolution", {"choice": choice})


# -- the pool ------------------------------------------------------------------------------------


@pytest.fixture
def free(county: County) -> dict[str, Any]:
    """Return a task that nobody has, in a grid with two workers."""
    county.person("second", "gw", GRID)
    task = county.task(assignee=None)
    assert (task["assignee"], task["pool"]) == (None, True)
    return task


def test_of_two_who_claim_offline_the_first_to_arrive_has_it_and_the_others_work_is_kept(
    county: County, free: dict[str, Any]
) -> None:
    first, second = county.phone("gw"), county.phone("second")
    won = _steps(first, free, "accepted")
    lost = _steps(second, free, "accepted", "started", "done", report_text="我也办了")
    assert [one["status"] for one in won] == ["applied"]
    assert [(one["status"], one["code"]) for one in lost] == [("parked", "already_claimed")] * 3
    [error] = lost[0]["errors"]
    assert error == {"field": "assignee", "code": "already_claimed", "user": county.ids["gw"],
                     "name": _name(county, "gw")}  # fmt: skip
    shown = _shown(county, free)
    assert (shown["assignee"], shown["state"]) == (county.ids["gw"], "accepted")
    waiting = county.ask("ts", "GET", "/parked-edits").get_json()
    assert "我也办了" in [one["edit"]["set"].get("report_text") for one in waiting]


def test_the_supervisor_who_gives_the_task_to_the_other_one_lets_his_report_through(
    county: County, free: dict[str, Any]
) -> None:
    first, second = county.phone("gw"), county.phone("second")
    _steps(first, free, "accepted")
    lost = _steps(second, free, "started", "done", report_text="我也办了")
    task = _shown(county, free)
    given = county.ask("ts", "PATCH", f"/tasks/{free['id']}", {"assignee": county.ids["second"]},
                       headers={"If-Match": f'"v{task["rv"]}"'})  # fmt: skip
    assert given.status_code == 200
    for receipt in lost:
        done = county.ask("ts", "POST", f"/parked-edits/{receipt['id']}/repair", {"set": {}})
        assert done.status_code == 200, done.get_data(as_text=True)
    shown = _shown(county, free)
    assert (shown["state"], shown["report_text"]) == ("done", "我也办了")
    assert shown["done_by"] == county.ids["second"]


def _name(county: County, who: str) -> str:
    return str(county.ask(who, "GET", "/auth/me").get_json()["name"])


def test_two_phones_that_claimed_offline_end_equal(county: County, free: dict[str, Any]) -> None:
    phones = [Handset(county, "gw"), Handset(county, "second")]
    for phone in phones:
        phone.sync()
        phone.edit("event", "task", free["id"], state="accepted", round=0)
    for phone in (*phones, phones[0]):
        phone.sync()
    assert phones[0].rows() == phones[1].rows()
    assert [phone.replica.alarms for phone in phones] == [[], []]
    assert phones[1].rows()["task", free["id"]][1]["assignee"] == county.ids["gw"]
    [parked] = phones[1].replica.parked()
    assert parked.values["code"] == "already_claimed"


def test_only_who_serves_the_grid_claims_and_nobody_declines_for_all(
    county: County, free: dict[str, Any]
) -> None:
    path = f"/tasks/{free['id']}/moves"
    assert outcome(county.ask("colleague", "POST", path, {"state": "accepted"})) == (
        404, "not_found",
    )  # fmt: skip
    refused = county.ask("gw", "POST", path, walk.body("declined"))
    assert outcome(refused) == (403, "not_allowed")
    worked = county.phone("gw").act("update", "task", free["id"], base=1,
                                    set={"report_text": "先写上"})  # fmt: skip
    assert worked["code"] == "not_allowed"
    assert [one["id"] for one in county.ask("gw", "GET", "/tasks").get_json()] == [free["id"]]
    claimed = county.ask("gw", "POST", path, {"state": "accepted"})
    assert claimed.get_json()["assignee"] == county.ids["gw"]
    assert county.ask("second", "GET", "/tasks").get_json() == []


def test_a_worker_cannot_give_himself_a_task_that_is_somebody_elses(county: County) -> None:
    county.person("second", "gw", GRID)
    task = county.task()
    phone = county.phone("gw")
    proposed = phone.act("update", "task", task["id"], base=1,
                         set={"assignee": county.ids["second"]})  # fmt: skip
    assert proposed["status"] == "conflict"
    claimed = phone.act("event", "task", task["id"], base=1,
                        set=ACCEPTED | {"assignee": county.ids["second"]})  # fmt: skip
    assert "assignee" in claimed.get("lost", ()) or claimed["status"] == "parked"
    assert _shown(county, task)["assignee"] == county.ids["gw"]


def test_a_task_goes_back_to_the_pool_only_before_it_has_begun(county: County) -> None:
    task = walk.at(county, "started")
    seen = {"If-Match": f'"v{task["rv"]}"'}
    refused = county.ask("ts", "PATCH", f"/tasks/{task['id']}", {"assignee": None}, headers=seen)
    assert refused.get_json()["errors"] == [{"field": "assignee", "code": "task_has_begun"}]
    fresh = county.task()
    freed = county.ask("ts", "PATCH", f"/tasks/{fresh['id']}", {"assignee": None},
                       headers={"If-Match": '"v1"'})  # fmt: skip
    assert (freed.get_json()["assignee"], freed.get_json()["pool"]) == (None, True)


# -- cover ---------------------------------------------------------------------------------------


def _cover(county: County, who: str, *, covers: str | None, days: int = 7) -> Any:
    ends = datetime.now(UTC) + timedelta(days=days)
    body = {"role": "gw", "area_id": GRID, "mode": "cover", "ends": ends.isoformat(),
            "covers": county.ids[covers] if covers else None, "reason": "休假"}  # fmt: skip
    return county.ask("ts", "POST", f"/users/{county.ids[who]}/posts", body)


def test_a_cover_lists_accepts_and_reports_the_tasks_of_who_is_away_and_of_nobody_else(
    county: County,
) -> None:
    county.person("second", "gw", GRID)
    task, others = county.task(), county.task(assignee=county.ids["second"])
    given = _cover(county, "colleague", covers="gw")
    assert (given.status_code, given.get_json()["covers"]) == (201, county.ids["gw"])
    listed = [one["id"] for one in county.ask("colleague", "GET", "/tasks").get_json()]
    assert listed == [task["id"]]
    receipts = _steps(county.phone("colleague"), task, "accepted", "started", "done",
                      report_text="代办")  # fmt: skip
    assert [one["status"] for one in receipts] == ["applied"] * 3
    shown = _shown(county, task)
    assert (shown["state"], shown["assignee"]) == ("done", county.ids["gw"])
    assert shown["done_by"] == county.ids["colleague"]
    refused = _steps(county.phone("colleague"), others, "accepted")
    assert refused[0].get("code") == "not_allowed"
    assert outcome(county.ask("colleague", "GET", f"/tasks/{others['id']}"))[0] == 403


def test_what_a_cover_did_before_the_end_counts_and_nothing_after_it(county: County) -> None:
    task = county.task()
    post = _cover(county, "colleague", covers=None).get_json()
    phone = county.phone("colleague")
    anchored = {"anchor": phone.anchor, "elapsed_ms": 0, "claimed": now_ms()}
    early = phone.edit("event", "task", task["id"], base=1, at=anchored,
                       set={"state": "accepted", "round": 0})  # fmt: skip
    assert county.ask("ts", "DELETE", f"/posts/{post['id']}").status_code == 204
    late = phone.edit("event", "task", task["id"], base=1,
                      set={"state": "started", "round": 0})  # fmt: skip
    kept, refused = phone.push(early, late)
    assert (kept["status"], kept.get("flags")) == ("applied", ["late_scope"])
    assert refused["status"] == "parked"
    assert _shown(county, task)["state"] == "accepted"


def test_a_cover_names_a_colleague_who_serves_there(county: County) -> None:
    reply = _cover(county, "colleague", covers="ts")
    assert reply.get_json()["errors"] == [{"field": "covers", "code": "not_to_be_covered"}]


# -- nothing changed -----------------------------------------------------------------------------


def _visit(county: County, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    home = county.made("gw", "/households", household())
    return home, county.task(household=home["id"], **more)


def test_nothing_changed_is_one_edit_for_the_task_and_its_household(county: County) -> None:
    home, task = _visit(county)
    phone = Handset(county, "gw")
    phone.sync()
    phone.edit("event", "task", task["id"], state="done", round=0, unchanged=True)
    assert len(phone.replica.outbox()) == 1
    phone.sync()
    rows = phone.rows()
    done, seen = rows["task", task["id"]][1], rows["household", home["id"]][1]
    assert (done["state"], done["confirmed_at"]) == ("done", done["done_at"])
    assert seen["last_confirmed_at"] == done["done_at"] > home["last_confirmed_at"]
    assert phone.is_exact()


def test_nothing_changed_is_all_or_nothing(county: County) -> None:
    home, task = _visit(county)
    county.ask("ts", "POST", f"/tasks/{task['id']}/moves", walk.body("cancelled"))
    county.person("second", "gw", GRID)
    for who in ("second", "colleague"):
        refused = county.phone(who).act("event", "task", task["id"], base=1,
                                        set=FOUND_SAME)  # fmt: skip
        assert refused["status"] == "parked"
    shown = county.ask("gw", "GET", f"/households/{home['id']}").get_json()
    assert (shown["rv"], shown["last_confirmed_at"]) == (home["rv"], home["last_confirmed_at"])


def test_an_older_visit_does_not_make_a_household_look_older(county: County) -> None:
    home, task = _visit(county)
    phone = county.phone("gw")
    visit = phone.edit(
        "event", "task", task["id"], base=1, set=FOUND_SAME,
        at={"anchor": phone.anchor, "elapsed_ms": 0, "claimed": now_ms()},
    )  # fmt: skip
    later = county.ask("gw", "PATCH", f"/households/{home['id']}", {"occupancy": "seasonal"},
                       headers={"If-Match": f'"v{home["rv"]}"'}).get_json()  # fmt: skip
    assert phone.push(visit)[0]["status"] == "applied"
    shown = county.ask("gw", "GET", f"/households/{home['id']}").get_json()
    assert _shown(county, task)["confirmed_at"] < later["last_confirmed_at"]
    assert shown["last_confirmed_at"] == later["last_confirmed_at"]


def test_only_a_visit_to_a_household_finds_nothing_changed(county: County) -> None:
    phone = county.phone("gw")
    home = county.made("gw", "/households", household())
    for more in ({}, {"household": home["id"], "task_kind": "notice_delivery"}):
        task = county.task(**more)
        receipt = phone.act("event", "task", task["id"], base=1,
                            set=FOUND_SAME)  # fmt: skip
        assert receipt["errors"] == [{"field": "unchanged", "code": "not_about_a_household"}]


def test_a_visit_of_the_pool_that_found_nothing_changed_is_claimed_by_that(county: County) -> None:
    _, task = _visit(county, assignee=None)
    receipt = county.phone("gw").act("event", "task", task["id"], base=1,
                                     set=FOUND_SAME)  # fmt: skip
    assert receipt["status"] == "applied"
    assert _shown(county, task)["assignee"] == county.ids["gw"]
