"""Households and contacts over HTTP: who may see and change what, and how it is shown."""

import uuid
from typing import Any

import pytest

from app.core.identifiers import new_id
from tests.app.core.county import County, centre, household
from tests.app.households.answers import agreed
from tests.app.identity.town import (
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    outcome,
)

CONTACT = {"name": "张三丰", "phone": "138 0013 8000", "relation": "self", "is_emergency": True}


def add_contact(county: County, home: str) -> None:
    """Let a worker take down a contact that agreed to it."""
    contact = new_id()
    county.made("gw", "/consents", agreed(home, "contact", contact))
    county.made("gw", "/contacts", {"id": contact, "household": home, **CONTACT})


@pytest.fixture
def home(county: County) -> dict[str, Any]:
    """Return a household of the first grid with a door and one contact."""
    door = {"door_point": centre(GRID), "door_accuracy_m": 5, "door_source": "gps"}
    home = county.made("gw", "/households", household(**door))
    add_contact(county, home["id"])
    return home


def test_a_worker_captures_a_household_and_reads_it_whole(
    county: County, home: dict[str, Any]
) -> None:
    shown = county.ask("gw", "GET", f"/households/{home['id']}")
    assert shown.status_code == 200
    assert shown.get_json() == home
    assert shown.headers["ETag"] == f'"v{home["rv"]}"'
    assert home["address_text"] == "人民路 12 号" and home["door_point"] == centre(GRID)
    assert home["last_confirmed_at"]


def test_reading_a_household_is_written_down(county: County, home: dict[str, Any]) -> None:
    county.ask("vl", "GET", f"/households/{home['id']}")
    reads = county.events("household.read")
    assert [(row[0].user_id, row[0].subject) for row in reads] == [(county.ids["vl"], home["id"])]


READERS = {
    "gw": (200, None), "vl": (200, None),
    "colleague": (404, "not_found"), "vl_next_village": (404, "not_found"),
    "ts": (403, "reason_required"), "cm": (403, "reason_required"),
    "ts_other_township": (404, "not_found"), "cm_other_county": (404, "not_found"),
    "au": (403, "not_allowed"), "da": (403, "not_allowed"),
}  # fmt: skip


def test_each_role_reads_a_household_as_the_table_says(
    county: County, home: dict[str, Any]
) -> None:
    replies = {who: county.ask(who, "GET", f"/households/{home['id']}") for who in READERS}
    answers = {who: (r.status_code, r.get_json().get("code")) for who, r in replies.items()}
    assert answers == READERS


def test_out_of_scope_and_absent_look_the_same(county: County, home: dict[str, Any]) -> None:
    for method in ("GET", "PATCH"):
        assert county.same_nothing("colleague", method, "/households/{}", home["id"], new_id())


def test_without_a_token_nothing_is_answered(county: County, home: dict[str, Any]) -> None:
    for path in ("/households", f"/households/{home['id']}", "/contacts"):
        assert outcome(county.ask(None, "GET", path)) == (401, "token_missing")


def test_lists_are_masked_as_the_role_demands(county: County, home: dict[str, Any]) -> None:
    [whole] = county.ask("gw", "GET", "/households").get_json()
    [masked] = county.ask("ts", "GET", "/households").get_json()
    assert whole == home
    assert masked["address_text"] == "***" and masked["unit_room"] is None
    assert masked["door_point"] == [round(part, 3) for part in centre(GRID)]
    assert masked["occupancy"] == "lived_in"
    assert county.ask("vl", "GET", "/households").get_json() == [masked]


def test_contacts_are_masked_as_the_role_demands(county: County, home: dict[str, Any]) -> None:
    [whole] = county.ask("gw", "GET", f"/contacts?household={home['id']}").get_json()
    [masked] = county.ask("ts", "GET", "/contacts").get_json()
    assert (whole["name"], whole["phone"], whole["grid"]) == ("张三丰", "+8613800138000", GRID)
    assert (masked["name"], masked["phone"]) == ("张*", "138****8000")
    assert county.ask("vl", "GET", "/contacts").get_json() == [masked]


def test_managers_see_no_list_of_households(county: County) -> None:
    for who in ("cm", "au", "da"):
        for path in ("/households", "/contacts"):
            assert outcome(county.ask(who, "GET", path)) == (403, "not_allowed")


def test_a_list_pages_to_its_end_without_gap_or_repetition(county: County) -> None:
    made = {county.made("gw", "/households", household())["id"] for _ in range(7)}
    county.made("colleague", "/households", household(grid=SAME_VILLAGE_GRID))
    pages = county.pages("gw", "/households?limit=3")
    assert [len(page) for page in pages] == [3, 3, 1]
    seen = [row["id"] for page in pages for row in page]
    assert len(seen) == len(set(seen)) and set(seen) == made


def test_the_next_page_keeps_the_filters(county: County) -> None:
    for grid in (GRID, SAME_VILLAGE_GRID, GRID, SAME_VILLAGE_GRID, GRID):
        county.made("vl", "/households", household(grid=grid))
    pages = county.pages("vl", f"/households?limit=1&grid={GRID}")
    assert [row["grid"] for page in pages for row in page] == [GRID] * 3


def test_a_filter_beyond_ones_scope_finds_nothing(county: County, home: dict[str, Any]) -> None:
    assert county.ask("colleague", "GET", f"/households?grid={GRID}").get_json() == []
    assert county.ask("colleague", "GET", f"/contacts?household={home['id']}").get_json() == []


def test_an_unchanged_household_costs_no_body(county: County, home: dict[str, Any]) -> None:
    path = f"/households/{home['id']}"
    same = county.ask("gw", "GET", path, headers={"If-None-Match": f'"v{home["rv"]}"'})
    assert (same.status_code, same.get_data()) == (304, b"")
    older = county.ask("gw", "GET", path, headers={"If-None-Match": '"v11"'})
    assert older.status_code == 200


def test_a_change_needs_the_version_that_was_seen(county: County, home: dict[str, Any]) -> None:
    path, change = f"/households/{home['id']}", {"occupancy": "empty"}
    assert outcome(county.ask("gw", "PATCH", path, change)) == (428, "precondition_required")
    seen = {"If-Match": f'"v{home["rv"]}"'}
    changed = county.ask("gw", "PATCH", path, change, headers=seen)
    assert changed.status_code == 200
    assert changed.get_json()["occupancy"] == "empty"
    assert changed.headers["ETag"] == f'"v{home["rv"] + 1}"'
    assert outcome(county.ask("gw", "PATCH", path, change, headers=seen)) == (
        412, "version_changed",
    )  # fmt: skip


def test_a_township_may_not_change_a_household(county: County, home: dict[str, Any]) -> None:
    reply = county.ask("ts", "PATCH", f"/households/{home['id']}", {"occupancy": "empty"})
    assert outcome(reply) == (403, "not_allowed")


def test_the_same_key_creates_once(county: County) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = county.ask("gw", "POST", "/households", household(), headers=key)
    second = county.ask("gw", "POST", "/households", household(), headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_data() == second.get_data()
    other = county.ask("gw", "POST", "/households", household(building="9"), headers=key)
    assert outcome(other) == (409, "edit_id_reused")
    assert len(county.ask("gw", "GET", "/households").get_json()) == 1


def test_a_change_sent_again_with_its_key_is_answered_again(
    county: County, home: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4()), "If-Match": f'"v{home["rv"]}"'}
    path, change = f"/households/{home['id']}", {"occupancy": "seasonal"}
    first = county.ask("gw", "PATCH", path, change, headers=headers)
    second = county.ask("gw", "PATCH", path, change, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.get_data() == second.get_data()


WRONG_FORMS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"occupancy": "haunted"}, "occupancy", "invalid"),
    ({"address_text": "x" * 121}, "address_text", "invalid"),
    ({"address_text": None}, "address_text", "invalid"),
    ({"grid": "10"}, "grid", "invalid"),
    ({"residents_count": 51}, "residents_count", "invalid"),
    ({"blood_group": "A"}, "blood_group", "unknown_field"),
    ({"last_confirmed_at": "2026-01-01T00:00:00Z"}, "last_confirmed_at", "unknown_field"),
)


def test_a_wrong_field_is_named(county: County) -> None:
    for change, field, code in WRONG_FORMS:
        reply = county.ask("gw", "POST", "/households", household(**change))
        assert outcome(reply) == (422, "invalid_fields")
        [error] = reply.get_json()["errors"]
        assert (error["field"], error["code"], error["pointer"]) == (field, code, f"/json/{field}")


def test_a_missing_field_is_named(county: County) -> None:
    body = household()
    del body["occupancy"]
    reply = county.ask("gw", "POST", "/households", body)
    assert outcome(reply) == (422, "invalid_fields")
    assert [(e["field"], e["code"]) for e in reply.get_json()["errors"]] == [
        ("occupancy", "required")
    ]


NOBODY = dict.fromkeys(
    ("count_0_5", "count_6_13", "count_14_17", "count_18_59", "count_60_79", "count_80_up"), 0
)
BROKEN_RULES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"door_point": [104.1, 36.5]}, "door_accuracy_m", "group_incomplete"),
    ({"door_point": [0, 0], "door_accuracy_m": 1, "door_source": "gps"}, "door_point",
     "null_island"),
    ({**NOBODY, "residents_count": 2, "count_0_5": 3}, "residents_count", "bands_exceed_total"),
)  # fmt: skip


def test_a_rule_of_the_engine_names_its_field_too(county: County) -> None:
    for change, field, code in BROKEN_RULES:
        reply = county.ask("gw", "POST", "/households", household(**change))
        assert outcome(reply) == (422, "invalid_fields")
        assert (field, code) in [(e["field"], e["code"]) for e in reply.get_json()["errors"]]


def test_nobody_captures_in_a_grid_that_is_not_his(county: County) -> None:
    for grid in (NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID, 999_999):
        reply = county.ask("gw", "POST", "/households", household(grid=grid))
        assert outcome(reply) == (404, "not_found")


def test_a_contact_needs_a_household_in_scope(county: County, home: dict[str, Any]) -> None:
    body = {"household": home["id"], **CONTACT}
    foreign = county.ask("colleague", "POST", "/contacts", body)
    absent = county.ask("colleague", "POST", "/contacts", {**body, "household": new_id()})
    assert foreign.status_code == absent.status_code == 404
    assert foreign.get_data() == absent.get_data()


def test_a_number_that_is_no_telephone_is_refused(county: County, home: dict[str, Any]) -> None:
    body = {"household": home["id"], **CONTACT, "phone": "12345"}
    reply = county.ask("gw", "POST", "/contacts", body)
    assert outcome(reply) == (422, "invalid_fields")
    assert reply.get_json()["errors"] == [{"field": "phone", "code": "not_a_phone"}]


def test_moving_a_household_is_for_the_office(county: County, home: dict[str, Any]) -> None:
    path = f"/households/{home['id']}"
    seen = {"If-Match": f'"v{home["rv"]}"'}
    moved = county.ask("vl", "PATCH", path, {"grid": SAME_VILLAGE_GRID}, headers=seen)
    assert moved.status_code == 200 and moved.get_json()["grid"] == SAME_VILLAGE_GRID
    assert county.ask("gw", "GET", path).status_code == 404
    assert county.ask("colleague", "GET", path).status_code == 200
