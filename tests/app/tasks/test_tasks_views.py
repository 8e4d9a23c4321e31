"""Tasks over HTTP: assign, list, read and change them, each role within its own area."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from app.core.identifiers import new_id
from tests.app.core.county import County, household
from tests.app.identity.town import (
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    outcome,
)


def _task(county: County, **more: Any) -> dict[str, Any]:
    return {"grid": GRID, "task_kind": "visit", "title": "看望", "assignee": county.ids["gw"],
            **more}  # fmt: skip


def test_a_supervisor_assigns_a_task_and_the_worker_reads_it(county: County) -> None:
    task = county.task()
    assert (task["state"], task["round"]) == ("assigned", 0)
    assert task["assigned_by"] == county.ids["ts"]
    shown = county.ask("gw", "GET", f"/tasks/{task['id']}")
    assert (shown.status_code, shown.get_json()) == (200, task)
    assert shown.headers["ETag"] == '"v1"'


def test_a_task_is_due_when_its_kind_says(county: County) -> None:
    due = datetime.fromisoformat(county.task(task_kind="hazard_check")["due_at"])
    expected = datetime.now(UTC) + timedelta(days=14)
    assert abs(due - expected) < timedelta(minutes=5)
    assert county.task(due_at=None)["due_at"]
    assert county.task(due_at="2031-01-02T08:00:00+08:00")["due_at"] == "2031-01-02T00:00:00.000Z"


CREATORS = {
    "vl": 201, "ts": 201, "cm": 201, "gw": 403, "au": 403, "da": 403,
    "vl_next_village": 404, "ts_other_township": 404, "cm_other_county": 404,
}  # fmt: skip


def test_each_role_assigns_as_the_table_says(county: County) -> None:
    answers = {
        who: county.ask(who, "POST", "/tasks", _task(county)).status_code for who in CREATORS
    }
    assert answers == CREATORS


READERS = {
    "gw": 200, "vl": 200, "ts": 200, "cm": 200, "au": 200, "da": 403,
    "colleague": 404, "vl_next_village": 404, "ts_other_township": 404, "cm_other_county": 404,
}  # fmt: skip


def test_each_role_reads_a_task_as_the_table_says(county: County) -> None:
    task = county.task()
    answers = {who: county.ask(who, "GET", f"/tasks/{task['id']}").status_code for who in READERS}
    assert answers == READERS


def test_a_worker_of_the_grid_does_not_read_a_colleagues_task(county: County) -> None:
    county.person("second", "gw", GRID)
    task = county.task()
    assert outcome(county.ask("second", "GET", f"/tasks/{task['id']}")) == (403, "not_allowed")
    assert county.ask("second", "GET", "/tasks").get_json() == []


def test_out_of_scope_and_absent_look_the_same(county: County) -> None:
    task = county.task()
    for who in ("colleague", "ts_other_township"):
        assert county.same_nothing(who, "GET", "/tasks/{}", task["id"], new_id())
    assert county.same_nothing("ts_other_township", "PATCH", "/tasks/{}", task["id"], new_id())


def test_a_foreign_grid_and_an_absent_one_look_the_same(county: County) -> None:
    foreign = county.ask("ts", "POST", "/tasks", _task(county, grid=OTHER_TOWNSHIP_GRID))
    absent = county.ask("ts", "POST", "/tasks", _task(county, grid=999_999))
    assert (foreign.status_code, foreign.get_data()) == (404, absent.get_data())


def test_the_report_is_hidden_from_those_who_only_count(county: County) -> None:
    task = county.task()
    for body in ({"state": "accepted"}, {"state": "started"},
                 {"state": "done", "report_text": "老人安好"}):  # fmt: skip
        assert county.ask("gw", "POST", f"/tasks/{task['id']}/moves", body).status_code == 200
    texts = {
        who: county.ask(who, "GET", f"/tasks/{task['id']}").get_json()["report_text"]
        for who in ("ts", "cm", "au")
    }
    assert texts == {"ts": "老人安好", "cm": None, "au": None}
    assert county.ask("cm", "GET", "/tasks").get_json()[0]["report_text"] is None


def test_a_list_pages_to_its_end_without_gap_or_repetition(county: County) -> None:
    made = {county.task()["id"] for _ in range(5)}
    pages = county.pages("ts", "/tasks?limit=2&state=open")
    assert [len(page) for page in pages] == [2, 2, 1]
    seen = [row["id"] for page in pages for row in page]
    assert len(seen) == len(set(seen)) and set(seen) == made


def test_lists_are_filtered(county: County) -> None:
    home = county.made("gw", "/households", household())
    early = county.task(due_at="2030-01-01T00:00:00Z", household=home["id"])
    late = county.task(due_at="2032-01-01T00:00:00Z", task_kind="hazard_check")
    other = county.task(
        grid=SAME_VILLAGE_GRID, assignee=county.ids["colleague"], due_at="2033-01-01T00:00:00Z"
    )
    county.ask("gw", "POST", f"/tasks/{late['id']}/moves", {"state": "accepted"})
    wanted = {
        (("grid", GRID),): {early["id"], late["id"]},
        (("grid", NEXT_VILLAGE_GRID),): set(),
        (("state", "accepted"),): {late["id"]},
        (("state", "open"),): {early["id"], late["id"], other["id"]},
        (("assignee", county.ids["colleague"]),): {other["id"]},
        (("task_kind", "hazard_check"),): {late["id"]},
        (("due_before", "2031-01-01T08:00:00+08:00"),): {early["id"]},
        (("household", home["id"]),): {early["id"]},
        (("grid", GRID), ("state", "assigned")): {early["id"]},
    }
    for filters, ids in wanted.items():
        rows = county.ask("ts", "GET", f"/tasks?{urlencode(filters)}").get_json()
        assert {row["id"] for row in rows} == ids, filters


def test_wrong_filters_are_refused(county: County) -> None:
    for query in ("state=gone", "grid=0", "grid=x", "due_before=yesterday", "due_before=2031-01-01",
                  "household=7", "limit=0", "limit=201", "colour=red"):  # fmt: skip
        reply = county.ask("ts", "GET", f"/tasks?{query}")
        assert outcome(reply) == (422, "invalid_fields"), query
        assert reply.get_json()["errors"][0]["field"] == query.split("=")[0]


def test_the_office_changes_what_it_owns(county: County) -> None:
    task = county.task()
    path, seen = f"/tasks/{task['id']}", {"If-Match": '"v1"'}
    reply = county.ask("ts", "PATCH", path, {"title": "看望老人"}, headers=seen)
    assert reply.status_code == 200 and reply.get_json()["title"] == "看望老人"
    assert reply.headers["ETag"] == '"v2"'
    late = county.ask("vl", "PATCH", path, {"title": "另一件"}, headers=seen)
    assert outcome(late) == (412, "version_changed")
    blind = county.ask("vl", "PATCH", path, {"title": "x"})
    assert outcome(blind) == (428, "precondition_required")
    assert outcome(county.ask("gw", "PATCH", path, {"title": "x"}, headers=seen)) == (
        403, "not_allowed",
    )  # fmt: skip


def test_an_unchanged_task_costs_no_body(county: County) -> None:
    path = f"/tasks/{county.task()['id']}"
    for tag in ('"v1"', 'W/"v1"', '"v7", "v1"', "*"):
        reply = county.ask("gw", "GET", path, headers={"If-None-Match": tag})
        assert (reply.status_code, reply.get_data()) == (304, b""), tag
    for tag in ('"v11"', '"v2"', ""):
        assert county.ask("gw", "GET", path, headers={"If-None-Match": tag}).status_code == 200


def test_a_task_goes_only_to_who_serves_the_grid(county: County) -> None:
    for assignee in (county.ids["colleague"], county.ids["ts"], 999_999):
        reply = county.ask("ts", "POST", "/tasks", _task(county, assignee=assignee))
        assert outcome(reply) == (422, "invalid_fields")
        assert reply.get_json()["errors"] == [{"field": "assignee", "code": "does_not_serve_grid"}]


def test_a_task_names_a_known_kind_and_things_of_its_grid(county: County) -> None:
    elsewhere = county.made("colleague", "/households", household(grid=SAME_VILLAGE_GRID))
    cases = (
        ({"task_kind": "spying"}, ("task_kind", "unknown_code")),
        ({"household": elsewhere["id"]}, ("household", "unknown_record")),
        ({"household": new_id()}, ("household", "unknown_record")),
        ({"incident": new_id()}, ("incident", "unknown_record")),
    )
    for change, expected in cases:
        reply = county.ask("ts", "POST", "/tasks", _task(county, **change))
        assert outcome(reply) == (422, "invalid_fields")
        assert [(e["field"], e["code"]) for e in reply.get_json()["errors"]] == [expected]


def test_the_same_key_assigns_once(county: County) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = county.ask("ts", "POST", "/tasks", _task(county), headers=key)
    again = county.ask("ts", "POST", "/tasks", _task(county), headers=key)
    assert (first.status_code, first.get_data()) == (again.status_code, again.get_data())
    other = county.ask("ts", "POST", "/tasks", _task(county, title="别的"), headers=key)
    assert outcome(other) == (409, "edit_id_reused")
    assert len(county.ask("ts", "GET", "/tasks").get_json()) == 1


def test_a_key_belongs_to_its_user(county: County) -> None:
    key = {"Idempotency-Key": "monday-1"}
    ids = {
        county.ask(who, "POST", "/tasks", _task(county), headers=key).get_json()["id"]
        for who in ("ts", "vl", "ts_colleague")
    }
    assert len(ids) == 3


def test_a_move_sent_again_with_its_key_is_answered_again(county: County) -> None:
    path = f"/tasks/{county.task()['id']}/moves"
    key = {"Idempotency-Key": "accept-1"}
    first = county.ask("gw", "POST", path, {"state": "accepted"}, headers=key)
    again = county.ask("gw", "POST", path, {"state": "accepted"}, headers=key)
    assert (first.status_code, first.get_data()) == (200, again.get_data())
    other = county.ask("gw", "POST", path, {"state": "started"}, headers=key)
    assert outcome(other) == (409, "edit_id_reused")


def test_the_kinds_of_task_are_there_for_everybody(county: County) -> None:
    for who in ("gw", "vl", "ts", "cm", "au", "da"):
        kinds = county.ask(who, "GET", "/task-kinds").get_json()
        assert len(kinds) == 20 and {"code", "name_zh", "name_en"} <= kinds[0].keys()
