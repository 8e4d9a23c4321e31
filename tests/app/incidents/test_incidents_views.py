"""Incidents over HTTP: report, list, read, change, and take the first decisions."""

from typing import Any
from urllib.parse import urlencode

from app.core.identifiers import new_id
from tests.app.core.county import GARBAGE, GAS_LEAK, County, centre, place
from tests.app.identity.town import (
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    outcome,
)


def _report(**more: Any) -> dict[str, Any]:
    return {"category": GARBAGE, "text": "垃圾无人清运", **place(*centre(GRID)), **more}


def test_a_worker_reports_an_incident_with_its_place(county: County) -> None:
    made = county.made("gw", "/incidents", _report(category=GAS_LEAK))
    assert (made["state"], made["round"], made["grid"]) == ("reported", 0, GRID)
    assert (made["priority"], made["grid_distance_m"]) == (1, 0)
    assert made["reporter"] == county.ids["gw"] and made["reported_at"]
    shown = county.ask("ts", "GET", f"/incidents/{made['id']}")
    assert (shown.status_code, shown.get_json()) == (200, made)
    assert shown.headers["ETag"] == '"v1"'


READERS = {
    "gw": 200, "vl": 200, "ts": 200, "cm": 200, "au": 200, "da": 403,
    "colleague": 404, "vl_next_village": 404, "ts_other_township": 404, "cm_other_county": 404,
}  # fmt: skip


def test_each_role_reads_an_incident_as_the_table_says(county: County) -> None:
    made = county.made("gw", "/incidents", _report())
    replies = {who: county.ask(who, "GET", f"/incidents/{made['id']}") for who in READERS}
    assert {who: reply.status_code for who, reply in replies.items()} == READERS
    assert replies["cm"].get_json()["text"] == made["text"]
    assert replies["au"].get_json()["text"] is None
    assert county.ask("au", "GET", "/incidents").get_json()[0]["text"] is None


def test_out_of_scope_and_absent_look_the_same(county: County) -> None:
    made = county.made("gw", "/incidents", _report())
    for method in ("GET", "PATCH"):
        path = "/incidents/{}"
        assert county.same_nothing("ts_other_township", method, path, made["id"], new_id())


REPORTERS = {
    "gw": 201, "vl": 201, "ts": 201, "cm": 201, "au": 403, "da": 403,
    "colleague": 404, "vl_next_village": 404, "ts_other_township": 404,
}  # fmt: skip


def test_each_role_reports_as_the_table_says(county: County) -> None:
    answers = {
        who: county.ask(who, "POST", "/incidents", _report()).status_code for who in REPORTERS
    }
    assert answers == REPORTERS


def test_a_foreign_place_and_a_foreign_grid_look_absent(county: County) -> None:
    address = {"category": GARBAGE, "text": "x", "address_text": "路口"}
    replies = [
        county.ask("gw", "POST", "/incidents", _report(**place(*centre(NEXT_VILLAGE_GRID)))),
        county.ask("gw", "POST", "/incidents", {**address, "grid": OTHER_TOWNSHIP_GRID}),
        county.ask("gw", "POST", "/incidents", {**address, "grid": 999_999}),
    ]
    assert {(reply.status_code, reply.get_data()) for reply in replies} == {
        (404, replies[0].get_data())
    }


def test_an_incident_needs_a_place_or_an_address(county: County) -> None:
    bare = {"category": GARBAGE, "text": "x"}
    for body in (bare, {**bare, "grid": GRID}, {**bare, "address_text": "路口"}):
        reply = county.ask("ts", "POST", "/incidents", body)
        assert reply.status_code in (404, 422), reply.get_data(as_text=True)
    by_address = county.made("gw", "/incidents", {**bare, "grid": GRID, "address_text": "路口"})
    assert (by_address["grid"], by_address["point"]) == (GRID, None)


def test_wrong_fields_are_named(county: County) -> None:
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"category": "9999"}, "category"), ({"category": "04"}, "category"),
        ({"text": None}, "text"), ({"point": [104.105]}, "point"),
        ({"point": [200, 36.5]}, "point"), ({"accuracy_m": -1}, "accuracy_m"),
        ({"point_source": "guess"}, "point_source"), ({"state": "closed"}, "state"),
        ({"priority": 1}, "priority"), ({"reporter": 1}, "reporter"),
    )  # fmt: skip
    for change, field in cases:
        reply = county.ask("gw", "POST", "/incidents", _report(**change))
        assert outcome(reply) == (422, "invalid_fields"), change
        assert field in [error["field"] for error in reply.get_json()["errors"]], change


def test_half_a_place_is_refused(county: County) -> None:
    reply = county.ask("gw", "POST", "/incidents",
                       {"category": GARBAGE, "text": "x", "point": centre(GRID)})  # fmt: skip
    assert outcome(reply) == (422, "invalid_fields")
    assert {(e["field"], e["code"]) for e in reply.get_json()["errors"]} == {
        ("accuracy_m", "group_incomplete"), ("point_source", "group_incomplete"),
    }  # fmt: skip


def test_lists_are_filtered_and_paged(county: County) -> None:
    garbage = [county.made("gw", "/incidents", _report())["id"] for _ in range(3)]
    gas = county.made("colleague", "/incidents", _report(
        category=GAS_LEAK, **place(*centre(SAME_VILLAGE_GRID))))["id"]  # fmt: skip
    county.ask("vl", "POST", f"/incidents/{garbage[0]}/moves", {"state": "verified"})
    lon, lat = centre(SAME_VILLAGE_GRID)
    box = f"{lon - 0.001},{lat - 0.001},{lon + 0.001},{lat + 0.001}"
    wanted: dict[str, set[str]] = {
        urlencode({"grid": GRID}): set(garbage), urlencode({"grid": 999_999}): set(),
        urlencode({"state": "verified"}): {garbage[0]},
        urlencode({"category": GAS_LEAK}): {gas}, urlencode({"category": "04"}): set(garbage),
        urlencode({"bbox": box}): {gas}, urlencode({"bbox": "0,0,1,1"}): set(),
    }  # fmt: skip
    for query, ids in wanted.items():
        rows = county.ask("ts", "GET", f"/incidents?{query}").get_json()
        assert {row["id"] for row in rows} == ids, query
    pages = county.pages("ts", "/incidents?limit=2&category=04")
    assert [len(page) for page in pages] == [2, 1]
    assert {row["id"] for page in pages for row in page} == set(garbage)


def test_wrong_filters_are_refused(county: County) -> None:
    for query in ("bbox=1,2,3", "bbox=a,b,c,d", "bbox=10,10,5,20", "bbox=nan,0,1,1", "bbox=,,,",
                  "bbox=-1e999,0,1,1", "state=gone", "grid=0", "category=4"):  # fmt: skip
        reply = county.ask("ts", "GET", f"/incidents?{query}")
        assert outcome(reply) == (422, "invalid_fields"), query


def test_the_reporter_mends_his_report_and_nobody_elses(county: County) -> None:
    county.person("second", "gw", GRID)
    made = county.made("gw", "/incidents", _report())
    path, seen = f"/incidents/{made['id']}", {"If-Match": '"v1"'}
    assert outcome(county.ask("second", "PATCH", path, {"text": "y"}, headers=seen)) == (
        403, "not_allowed",
    )  # fmt: skip
    mended = county.ask("gw", "PATCH", path, {"text": "垃圾已堆满"}, headers=seen)
    assert (mended.status_code, mended.get_json()["text"]) == (200, "垃圾已堆满")
    assert outcome(county.ask("gw", "PATCH", path, {"text": "z"}, headers=seen)) == (
        412, "version_changed",
    )  # fmt: skip
    assert outcome(county.ask("gw", "PATCH", path, {"text": "z"})) == (428, "precondition_required")


def test_the_office_decides_step_by_step(county: County) -> None:
    made = county.made("gw", "/incidents", _report())
    path = f"/incidents/{made['id']}/moves"
    assert outcome(county.ask("gw", "POST", path, {"state": "verified"})) == (403, "not_allowed")
    assert outcome(county.ask("vl", "POST", path, {"state": "filed"})) == (
        409, "transition_not_allowed",
    )  # fmt: skip
    for who, state in (("vl", "verified"), ("ts", "filed")):
        moved = county.ask(who, "POST", path, {"state": state})
        assert (moved.status_code, moved.get_json()["state"]) == (200, state)


def test_a_rejection_has_a_reason_and_may_be_appealed(county: County) -> None:
    made = county.made("gw", "/incidents", _report())
    path = f"/incidents/{made['id']}/moves"
    bare = county.ask("vl", "POST", path, {"state": "rejected"})
    assert outcome(bare) == (422, "invalid_fields")
    assert bare.get_json()["errors"] == [{"field": "state_reason", "code": "required"}]
    steps = (("vl", "rejected", "重复上报"), ("gw", "appealed", "另一处"), ("ts", "verified", None))
    for who, state, reason in steps:
        body = {"state": state, **({"reason": reason} if reason else {})}
        moved = county.ask(who, "POST", path, body)
        assert (moved.status_code, moved.get_json()["state"]) == (200, state)


def test_a_case_settled_on_the_spot_says_how(county: County) -> None:
    phone, rec = county.phone("gw"), new_id()
    draft = _report(state="draft", round=0)
    assert phone.act("create", "incident", rec, set=draft)["status"] == "applied"
    path = f"/incidents/{rec}/moves"
    bare = county.ask("gw", "POST", path, {"state": "closed"})
    assert outcome(bare) == (422, "invalid_fields")
    closed = county.ask("gw", "POST", path, {"state": "closed", "result_text": "已清理"})
    assert (closed.status_code, closed.get_json()["result_text"]) == (200, "已清理")


def test_a_report_sent_again_with_its_key_is_made_once(county: County) -> None:
    key = {"Idempotency-Key": "report-1"}
    first = county.ask("gw", "POST", "/incidents", _report(), headers=key)
    again = county.ask("gw", "POST", "/incidents", _report(), headers=key)
    assert (first.status_code, first.get_data()) == (201, again.get_data())
    path = f"/incidents/{first.get_json()['id']}/moves"
    key = {"Idempotency-Key": "verify-1"}
    first = county.ask("vl", "POST", path, {"state": "verified"}, headers=key)
    again = county.ask("vl", "POST", path, {"state": "verified"}, headers=key)
    assert (first.status_code, first.get_data()) == (200, again.get_data())


def test_the_categories_are_there_for_everybody(county: County) -> None:
    rows = county.ask("da", "GET", "/incident-categories").get_json()
    assert [row["level"] for row in rows].count(1) == 14 and len(rows) == 14 + 98


def test_a_box_without_an_area_holds_what_lies_on_it_on_both_engines(county: County) -> None:
    lon, lat = centre(GRID)
    made = county.made("gw", "/incidents", _report(**place(lon, lat)))
    boxes = {
        f"{lon},{lat},{lon},{lat}": [made["id"]],
        f"{lon},{lat - 0.001},{lon},{lat + 0.001}": [made["id"]],
        f"{lon - 0.001},{lat},{lon + 0.001},{lat}": [made["id"]],
        f"{lon + 0.000001},{lat},{lon + 0.000001},{lat}": [],
        f"{lon},{lat + 0.000001},{lon},{lat + 0.001}": [],
    }
    for box, found in boxes.items():
        rows = county.ask("ts", "GET", f"/incidents?bbox={box}").get_json()
        assert [row["id"] for row in rows] == found, box
