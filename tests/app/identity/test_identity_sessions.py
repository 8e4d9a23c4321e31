"""Where people are signed in: everybody sees his own and ends one; admins see masked ones."""

import uuid

from tests.app.identity.town import TestPhone, Town, outcome


def own(town: Town, who: str) -> list[dict]:
    return town.call(who, "GET", "/auth/sessions").get_json()


def test_everybody_lists_his_own_sessions(town: Town) -> None:
    tokens = town.enrolled("gw", TestPhone())
    rows = {row["id"]: row for row in own(town, "gw")}
    assert len(rows) == 2
    phone = rows[tokens["session_id"]]
    assert (phone["kind"], phone["model"], phone["current"]) == ("phone", "Redmi 9A", False)
    assert [row["current"] for row in own(town, "gw_phone") if row["kind"] == "phone"] == [True]
    for who in ("vl", "ts", "cm", "au", "da"):
        assert [row["user_id"] for row in own(town, who)] == [town.ids[who]]
    assert outcome(town.call(None, "GET", "/auth/sessions")) == (401, "token_missing")
    assert outcome(town.call("gw", "GET", "/auth/sessions?limit=0")) == (422, "invalid_fields")


def test_device_admins_list_all_masked_and_others_as_the_table_says(town: Town) -> None:
    rows = town.call("da", "GET", f"/sessions?user_id={town.ids['gw_next_village']}").get_json()
    assert [(row["user_name"][0], row["user_name"][-1]) for row in rows] == [("g", "*")]
    assert len(town.call("da", "GET", "/sessions?limit=200").get_json()) == len(town.ids)
    assert {row["user_id"] for row in town.call("gw", "GET", "/sessions").get_json()} == {
        town.ids["gw"]}  # fmt: skip
    for who in ("vl", "ts", "cm", "au"):
        assert outcome(town.call(who, "GET", "/sessions")) == (403, "not_allowed")
    page = town.call("da", "GET", "/sessions?limit=1")
    assert len(page.get_json()) == 1 and "Link" in page.headers


ENDING = [
    ("vl", 204), ("ts", 204), ("cm", 204), ("da", 204), ("gw", 204), ("colleague", 403),
    ("au", 403), ("vl_next_village", 404), ("ts_other_township", 404), (None, 401),
]  # fmt: skip


def test_one_session_is_ended_by_the_table_and_the_others_go_on(town: Town) -> None:
    for number, (who, status) in enumerate(ENDING):
        tokens = town.enrolled("gw", TestPhone(f"install-{number}"))
        path = f"/sessions/{tokens['session_id']}"
        assert [town.call(who, "DELETE", path).status_code for _ in range(2)] == [status] * 2, who
        ended = town.call("gw_phone", "GET", "/auth/me").status_code
        assert ended == (401 if status == 204 else 200), who
    assert town.call("gw", "GET", "/auth/me").status_code == 200


def test_one_ends_ones_own_and_nobody_elses_by_the_own_door(town: Town) -> None:
    tokens = town.enrolled("ts", TestPhone())
    path = f"/auth/sessions/{tokens['session_id']}"
    for who in ("gw", "cm", "da"):
        assert outcome(town.call(who, "DELETE", path)) == (404, "not_found")
    assert [town.call("ts", "DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert outcome(town.call("ts_phone", "GET", "/auth/me")) == (401, "revoked")
    for door in ("/auth/sessions", "/sessions"):
        assert outcome(town.call("gw", "DELETE", f"{door}/{uuid.uuid4()}")) == (404, "not_found")
        assert town.call("gw", "DELETE", f"{door}/x").status_code == 404


def test_phones_are_told_how_long_they_may_be_away(town: Town) -> None:
    tokens = town.enrolled("gw", TestPhone())
    assert tokens["max_offline_days"] == 7
    assert town.call("gw_phone", "GET", "/auth/me").get_json()["max_offline_days"] == 7
    assert town.call("gw", "GET", "/auth/me").get_json()["max_offline_days"] is None


def test_two_people_share_a_phone_each_with_a_key_of_his_own(town: Town) -> None:
    """Switching needs no network: the app holds both sessions, and neither ends the other."""
    one, other = TestPhone("shared"), TestPhone("shared")
    first, second = town.enrolled("gw", one), town.enrolled("colleague", other)
    assert first["enrolment_id"] != second["enrolment_id"]
    assert town.refresh(one, first["refresh_token"]).status_code == 200
    assert town.refresh(other, second["refresh_token"]).status_code == 200
    assert outcome(town.refresh(other, first["refresh_token"], later_ms=9)) == (401, "bad_proof")
