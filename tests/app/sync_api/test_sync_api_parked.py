"""Parked edits over HTTP: in words, filtered, counted, mended by the author or the office."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskCliRunner

from app.core.identifiers import new_id
from app.core.records import sync_tables
from sync.parking import DAY_MS
from tests.app.core.county import GARBAGE, County, household, incident
from tests.app.identity.town import (
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    now_ms,
    outcome,
)

_t = sync_tables.parked


def _bad(county: County, who: str = "gw", grid: int = GRID) -> dict[str, Any]:
    return county.phone(who).act("create", "incident", set=incident(category="9999", grid=grid))


def _aged(county: County, edit: str, days: float) -> None:
    parked_ms = now_ms() - int(days * DAY_MS)
    county.sql(sa.update(_t).where(_t.c.edit == edit).values(parked_ms=parked_ms))


def _listed(county: County, who: str, query: str = "") -> list[str]:
    return [row["id"] for row in county.ask(who, "GET", f"/parked-edits{query}").get_json()]


def test_the_reason_stands_there_in_both_languages_with_what_to_do(county: County) -> None:
    receipt = _bad(county)
    row = county.ask("vl", "GET", f"/parked-edits/{receipt['id']}").get_json()
    assert row["words"]["zh"] == "部分字段有误" and row["words"]["mend"]
    [error] = row["errors"]
    assert error["words"] == {
        "zh": "没有这个代码", "en": "There is no such code", "mend_zh": "从列表中选择",
        "mend": "Choose from the list.",
    }  # fmt: skip
    assert (row["kind"], row["record"]) == ("incident", receipt["rec"])


def test_limits_stand_in_the_words(county: County) -> None:
    phone = county.phone("gw")
    receipt = phone.act("create", "household", set=household(residents_count=99))
    row = county.ask("gw", "GET", f"/parked-edits/{receipt['id']}").get_json()
    assert row["errors"][0]["words"]["zh"] == "须在 0 到 50 之间"


def test_receipts_speak_when_asked(county: County) -> None:
    phone = county.phone("gw")
    edits = [phone.edit("create", "incident", set=incident(category="9999")),
             phone.edit("create", "household", set=household())]  # fmt: skip
    for path in ("push", "exchange"):
        reply = phone.send(path, {"edits": edits, "words": True}).get_json()
        results = reply.get("push", reply)["results"]
        assert results[0]["words"]["en"] == "Some fields are wrong"
        assert results[0]["errors"][0]["words"]["mend"] == "Choose from the list."
        assert "words" not in results[1]
    assert "words" not in phone.push(*edits)[0]


def test_one_parked_edit_is_read_by_whoever_may_list_it(county: County) -> None:
    receipt = _bad(county)
    path = f"/parked-edits/{receipt['id']}"
    for who in ("gw", "vl", "ts", "au", "da"):
        assert county.ask(who, "GET", path).get_json()["id"] == receipt["id"]
    for who in ("colleague", "vl_next_village", "ts_other_township"):
        assert county.same_nothing(who, "GET", "/parked-edits/{}", receipt["id"], new_id())
    assert outcome(county.ask("cm", "GET", path)) == (403, "not_allowed")
    assert outcome(county.ask(None, "GET", path)) == (401, "token_missing")
    assert outcome(county.ask("vl", "GET", "/parked-edits/x")) == (404, "not_found")


def test_what_is_none_of_its_fields_values_is_hidden_from_who_sees_masks(county: County) -> None:
    home = new_id()
    phone = county.phone("gw")
    phone.act("create", "household", home, set=household())
    spoilt = {"household": home, "name": ["no", "text"], "phone": 13900000000, "relation": 7}
    receipt = phone.act("create", "contact", set=spoilt)
    assert receipt["status"] == "parked"
    for who in ("vl", "ts"):
        reply = county.ask(who, "GET", f"/parked-edits/{receipt['id']}")
        assert reply.status_code == 200
        shown = reply.get_json()["edit"]["set"]
        assert shown["name"] is shown["phone"] is shown["relation"] is None
        assert county.ask(who, "GET", "/parked-edits").status_code == 200


def test_lists_are_filtered_by_grid_person_and_reason(county: County) -> None:
    one, other = _bad(county), _bad(county, "colleague", SAME_VILLAGE_GRID)
    odd = county.phone("gw").act("create", "castle", set={})
    assert set(_listed(county, "vl")) == {one["id"], other["id"], odd["id"]}
    assert _listed(county, "vl", f"?grid={SAME_VILLAGE_GRID}") == [other["id"]]
    assert _listed(county, "vl", f"?user={county.ids['colleague']}") == [other["id"]]
    assert _listed(county, "vl", "?code=unknown_kind") == [odd["id"]]
    assert _listed(county, "vl", f"?code=unknown_kind&grid={SAME_VILLAGE_GRID}") == []
    assert _listed(county, "colleague", f"?user={county.ids['gw']}") == []


@pytest.mark.parametrize(
    "query", ["?grid=x", "?grid=0", "?user=-1", "?code=", "?state=lost", "?limit=0", "?who=me",
              f"?code={'x' * 61}"],
)  # fmt: skip
def test_a_senseless_filter_is_refused(county: County, query: str) -> None:
    assert outcome(county.ask("vl", "GET", f"/parked-edits{query}")) == (422, "invalid_fields")


def test_what_waits_is_counted_within_the_reach(county: County) -> None:
    one = _bad(county)
    _bad(county, "colleague", SAME_VILLAGE_GRID)
    county.phone("gw").act("create", "castle", set={})
    _aged(county, one["id"], 170)
    assert county.ask("vl", "GET", "/parked-edits/counts").get_json() == [
        {"state": "parked", "code": "invalid_fields", "count": 2, "expiring": 1},
        {"state": "parked", "code": "unknown_kind", "count": 1, "expiring": 0},
    ]
    [own, _] = county.ask("gw", "GET", "/parked-edits/counts").get_json()
    assert own["count"] == 1
    assert county.ask("ts_other_township", "GET", "/parked-edits/counts").get_json() == []
    assert outcome(county.ask("cm", "GET", "/parked-edits/counts")) == (403, "not_allowed")
    assert outcome(county.ask(None, "GET", "/parked-edits/counts")) == (401, "token_missing")


def test_two_weeks_before_the_end_the_list_warns(county: County) -> None:
    young, old = _bad(county), _bad(county)
    _aged(county, old["id"], 167)
    rows = {row["id"]: row for row in county.ask("vl", "GET", "/parked-edits").get_json()}
    assert rows[young["id"]]["expires_soon"] is False
    assert rows[old["id"]]["expires_soon"] is True
    assert rows[old["id"]]["expires_at"] > rows[old["id"]]["parked_at"]


def test_after_half_a_year_a_parked_edit_is_gone_and_its_sender_told(county: County) -> None:
    phone = county.phone("gw")
    edit = phone.edit("create", "incident", set=incident(category="9999"))
    phone.push(edit)
    _aged(county, edit["id"], 181)
    done = FlaskCliRunner(county.app).invoke(args=["sync", "expire-parked"])
    assert done.exit_code == 0 and "deleted 1 parked" in done.output
    assert _listed(county, "vl") == []
    [again] = phone.push(edit)
    assert (again["status"], again["code"]) == ("noted", "parking_expired")
    assert [(one["op"], one["t"]) for one in phone.pull()] == [("del", "parked")] * 2


# -- on phones ------------------------------------------------------------------------------------


def _pulled(county: County, who: str) -> dict[str, Any]:
    items = county.phone(who).pull()
    return {one["id"]: one.get("f") for one in items if one["t"] == "parked"}


def test_phones_of_author_and_supervisors_pull_it_as_each_may_see_it(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    person = {"household": home, "name": "张三丰", "relation": "cousin"}
    receipt = phone.act("create", "contact", set=person)
    names = {
        who: _pulled(county, who)[receipt["id"]]["edit"]["set"]["name"]
        for who in ("gw", "vl", "ts")
    }
    assert names == {"gw": "张三丰", "vl": "张*", "ts": "张*"}
    assert _pulled(county, "gw")[receipt["id"]]["words"]["zh"] == "部分字段有误"
    for who in ("colleague", "vl_next_village"):
        assert _pulled(county, who) == {}


def test_another_worker_of_the_grid_sees_that_it_waits_but_not_what(county: County) -> None:
    county.person("second", "gw", GRID)
    receipt = _bad(county)
    shown = _pulled(county, "second")[receipt["id"]]
    assert shown["code"] == "invalid_fields"
    assert set(shown["edit"]["set"].values()) == {None}


def test_a_worker_repairs_his_own_from_his_phone(county: County) -> None:
    phone = county.phone("gw")
    receipt = _bad(county)
    repair = phone.act("repair", "parked", receipt["id"], set={"category": GARBAGE})
    assert repair["status"] == "applied"
    shown = county.ask("gw", "GET", f"/incidents/{receipt['rec']}").get_json()
    assert (shown["category"], shown["reporter"]) == (GARBAGE, county.ids["gw"])
    fate = _pulled(county, "gw")[receipt["id"]]
    assert (fate["state"], fate["edit"]["set"]) == ("repaired", {})


def test_a_repair_that_mends_nothing_is_noted_and_all_stays(county: County) -> None:
    phone, receipt = county.phone("gw"), _bad(county)
    repair = phone.act("repair", "parked", receipt["id"], set={"category": "9998"})
    assert (repair["status"], repair["code"]) == ("noted", "invalid_fields")
    assert _listed(county, "gw") == [receipt["id"]]


def test_a_worker_cannot_let_through_what_he_may_not_do(county: County) -> None:
    phone = county.phone("gw")
    receipt = phone.act("create", "household", set=household(grid=NEXT_VILLAGE_GRID))
    assert receipt["code"] == "out_of_scope"
    repair = phone.act("repair", "parked", receipt["id"], set={})
    assert (repair["status"], repair["code"]) == ("noted", "out_of_scope")
    home = new_id()
    phone.act("create", "household", home, set=household())
    receipt = phone.act("delete", "household", home, base=1)
    assert phone.act("repair", "parked", receipt["id"], set={})["status"] == "noted"


def test_nobody_is_his_own_second_person(county: County) -> None:
    home = new_id()
    county.phone("gw").act("create", "household", home, set=household())
    receipt = county.phone("vl").act("delete", "household", home, base=1)
    assert receipt["code"] == "second_person_required"
    path = f"/parked-edits/{receipt['id']}/repair"
    own = county.ask("vl", "POST", path, {"set": {}})
    assert outcome(own) == (403, "second_person_required")
    assert county.ask("ts", "POST", path, {"set": {}}).get_json() == {"status": "applied"}


def test_a_colleague_can_neither_repair_nor_discard(county: County) -> None:
    receipt, other = _bad(county), county.phone("colleague")
    for op in ("repair", "discard"):
        noted = other.act(op, "parked", receipt["id"], set={})
        absent = other.act(op, "parked", new_id(), set={})
        assert noted["status"] == absent["status"] == "noted"
    assert _listed(county, "gw") == [receipt["id"]]


def test_a_worker_discards_his_own(county: County) -> None:
    receipt = _bad(county)
    done = county.phone("gw").act("discard", "parked", receipt["id"])
    assert done["status"] == "applied"
    assert _listed(county, "vl") == []


def test_an_office_users_own_edits_wait_at_the_desk_of_his_area(county: County) -> None:
    receipt = county.phone("ts").act("create", "castle", set={})
    assert receipt["status"] == "parked"
    for who in ("gw", "vl", "ts_other_township"):
        assert _listed(county, who) == []
    assert _listed(county, "ts") == [receipt["id"]]
    assert receipt["id"] in _pulled(county, "ts")
    assert _pulled(county, "gw") == {}
    path = f"/parked-edits/{receipt['id']}/discard"
    assert outcome(county.ask("vl", "POST", path)) == (404, "not_found")
    assert county.ask("ts", "POST", path).get_json() == {"status": "applied"}


def test_a_repair_sent_again_is_answered_again(county: County) -> None:
    path, key = f"/parked-edits/{_bad(county)['id']}/repair", {"Idempotency-Key": "mend-1"}
    body = {"set": {"category": GARBAGE}}
    first, again = (county.ask("vl", "POST", path, body, headers=key) for _ in range(2))
    assert (first.status_code, first.get_data()) == (200, again.get_data())


def test_a_repair_of_an_unknown_place_looks_absent(county: County) -> None:
    receipt = county.phone("gw").act(
        "create", "household", set=household(grid=OTHER_TOWNSHIP_GRID, occupancy="haunted")
    )
    path = "/parked-edits/{}/repair"
    reply = county.ask("vl", "POST", path.format(receipt["id"]), {"set": {}})
    assert outcome(reply) == (404, "not_found")
