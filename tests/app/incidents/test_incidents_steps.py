"""What follows from the steps of an incident: returns, reworks, levels, results, merging."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.identifiers import new_id
from app.incidents import watch
from app.incidents.rules import is_sampled, may_self_handle
from tests.app.core.county import GAS_LEAK, County, centre, household, place
from tests.app.identity.town import COUNTY, GRID, OTHER_VILLAGE, TOWNSHIP, outcome
from tests.app.incidents import cases
from tests.app.incidents.cases import (
    TO_ANSWERED,
    TO_CHECKED,
    TO_CLOSED,
    TO_DISPATCHED,
    TO_FILED,
    TO_PROGRESS,
    act,
    move,
    seen,
    walked,
)


def test_a_case_goes_its_whole_way_and_tells_who_took_each_step(county: County) -> None:
    case = walked(county, TO_CLOSED)
    assert (case["state"], case["close_kind"], case["result_text"]) == (
        "closed", "normal", "已清运",
    )  # fmt: skip
    assert (case["handler"], case["handlers"]) == (county.ids["second"], [county.ids["second"]])
    moments = [cases.when(case, name) for name in (
        "reported_at", "filed_at", "dispatched_at", "claimed_at", "answered_at", "closed_at",
    )]  # fmt: skip
    assert moments == sorted(moments)
    called = move(county, "ts", case["id"], "followed_up", score_service=5, score_result=4)
    shown = called.get_json()
    assert (shown["score_service"], shown["score_result"]) == (5, 4)
    history = county.ask("ts", "GET", f"/records/incident/{case['id']}/history").get_json()
    trail = [one["fields"]["state"]["set"] for one in history if "state" in one["fields"]]
    assert trail == ["reported", "verified", "filed", "dispatched", "claimed", "in_progress",
                     "answered", "checked", "closed", "followed_up"]  # fmt: skip


def test_scores_need_both_numbers_from_one_to_five(county: County) -> None:
    case = walked(county, TO_CLOSED)
    half = move(county, "ts", case["id"], "followed_up", score_service=5)
    assert outcome(half) == (422, "invalid_fields")
    wrong = move(county, "ts", case["id"], "followed_up", score_service=6, score_result=0)
    assert outcome(wrong) == (422, "invalid_fields")


def test_after_the_second_return_the_next_level_decides(county: County) -> None:
    case = walked(county, TO_DISPATCHED, category="0104", no_photo_reason="天黑")
    assert case["level"] == "village"
    for count, level in ((1, "village"), (2, "township")):
        back = move(county, "second", case["id"], "returned", reason="不归我管").get_json()
        assert (back["return_count"], back["level"], back["unit"]) == (count, level, None)
        if count == 1:
            again = move(county, "vl", case["id"], "dispatched", unit=GRID)
            assert (again.status_code, again.get_json()["round"]) == (200, 2)
    refused = move(county, "vl", case["id"], "dispatched", unit=GRID)
    assert outcome(refused) == (422, "invalid_fields")
    assert refused.get_json()["errors"][0]["code"] == "next_level_decides"
    assert move(county, "ts", case["id"], "dispatched").get_json()["unit"] == TOWNSHIP


def test_a_return_needs_a_reason_and_does_not_wind_the_clock_back(county: County) -> None:
    case = walked(county, TO_DISPATCHED)
    assert outcome(move(county, "second", case["id"], "returned")) == (422, "invalid_fields")
    move(county, "second", case["id"], "returned", reason="不归我管")
    again = move(county, "ts", case["id"], "dispatched", unit=GRID).get_json()
    assert again["due_at"] == case["due_at"] and again["sign_due_at"] >= case["sign_due_at"]


def test_a_unit_elsewhere_cannot_be_given_a_case(county: County) -> None:
    case = walked(county, TO_FILED)
    refused = move(county, "ts", case["id"], "dispatched", unit=OTHER_VILLAGE)
    assert refused.get_json()["errors"][0]["code"] == "unit_elsewhere"


def test_the_third_rework_is_supervised_one_level_up(county: County) -> None:
    case = walked(county, TO_ANSWERED)
    for count in (1, 2, 3):
        back = move(county, "gw", case["id"], "rework", reason="未清理干净").get_json()
        assert (back["rework_count"], back["round"]) == (count, 1 + count)
        assert back["supervised_level"] == ("township" if count == 3 else None)
        cases.on(county, case["id"], (
            ("second", "in_progress", {}), ("second", "answered", {"result_text": "再次清运"}),
        ))  # fmt: skip


def test_nobody_checks_his_own_answer(county: County) -> None:
    case = walked(county, TO_ANSWERED)
    refused = move(county, "second", case["id"], "checked")
    assert refused.get_json()["errors"][0]["code"] == "own_answer"
    assert move(county, "gw", case["id"], "checked").status_code == 200


def test_a_case_goes_up_and_down_one_level_at_a_time_with_what_was_tried(county: County) -> None:
    case = walked(county, TO_PROGRESS, category="0305")
    asked = act(county, "second", case["id"], "ask_hand_up", text="联系物业两次无果").get_json()
    assert (asked["hand_asked"], asked["hand_reason"]) == ("up", "联系物业两次无果")
    bare = move(county, "ts", case["id"], "filed", level="county")
    assert bare.get_json()["errors"] == [{"field": "state_reason", "code": "required"}]
    far = move(county, "ts", case["id"], "filed", level="city", reason="已试")
    assert far.get_json()["errors"][0]["code"] == "not_the_next_level"
    up = move(county, "ts", case["id"], "filed", level="county", reason="已试").get_json()
    assert (up["level"], up["unit"], up["handler"], up["hand_asked"]) == ("county",) + (None,) * 3
    low = move(county, "ts", case["id"], "dispatched", unit=GRID)
    assert low.get_json()["errors"][0]["code"] == "next_level_decides"
    given = move(county, "cm", case["id"], "dispatched").get_json()
    assert given["unit"] == COUNTY
    for state in ("claimed", "in_progress"):
        assert move(county, "cm", case["id"], state).status_code == 200
    down = move(county, "cm", case["id"], "filed", level="township", reason="属地更合适")
    assert down.get_json()["level"] == "township"


def test_a_hung_case_gets_back_the_time_it_stood_still(county: County) -> None:
    case = walked(county, TO_PROGRESS, category=GAS_LEAK)
    bare = move(county, "ts", case["id"], "hung", reason="等配件")
    assert bare.get_json()["errors"] == [{"field": "step_until", "code": "required"}]
    review = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    hung = move(county, "ts", case["id"], "hung", reason="等配件", until=review).get_json()
    before, pause = cases.when(hung, "due_at"), timedelta(hours=30)
    cases.turn_back(county, case["id"], hung_at=(datetime.now(UTC) - pause).isoformat(),
                    due_at=(before - pause).isoformat())  # fmt: skip
    back = move(county, "ts", case["id"], "in_progress").get_json()
    assert abs(cases.when(back, "due_at") - before) < timedelta(seconds=30)
    assert back["hung_at"] is None and back["watch_at"] == back["due_at"]


def test_one_extension_is_asked_for_and_granted_or_refused(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    until = "2031-05-01T08:00:00.000Z"
    early = act(county, "ts", case["id"], "grant_extension")
    assert early.get_json()["errors"][0]["code"] == "nothing_asked"
    assert act(county, "second", case["id"], "ask_extension", text="雨天").status_code == 422
    asked = act(county, "second", case["id"], "ask_extension", text="雨天", until=until)
    assert asked.get_json()["extension"] == "asked"
    assert asked.get_json()["due_at"] == case["due_at"]
    granted = act(county, "ts", case["id"], "grant_extension").get_json()
    assert (granted["extension"], granted["due_at"]) == ("granted", until)
    twice = act(county, "second", case["id"], "ask_extension", text="雪天", until=until)
    assert twice.get_json()["errors"][0]["code"] == "asked_before"


def test_a_refused_extension_says_why_and_leaves_the_time(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    act(county, "second", case["id"], "ask_extension", text="雨天", until="2031-05-01T08:00:00Z")
    assert act(county, "ts", case["id"], "refuse_extension").status_code == 422
    refused = act(county, "ts", case["id"], "refuse_extension", text="可先围挡").get_json()
    assert (refused["extension"], refused["extension_reason"]) == ("refused", "可先围挡")
    assert refused["due_at"] == case["due_at"]


def test_urging_and_supervision_come_from_above_and_reach_the_handler(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    phone = county.phone("second")
    phone.pull()
    assert act(county, "gw", case["id"], "urge").status_code == 403
    urged = act(county, "vl", case["id"], "urge", text="请尽快").get_json()
    assert (urged["urge_count"], urged["act_text"]) == (1, "请尽快") and urged["urged_at"]
    watched = act(county, "cm", case["id"], "supervise", text="县级督办").get_json()
    assert watched["supervised_level"] == "county"
    [item] = [one for one in phone.pull() if one["id"] == case["id"]]
    assert (item["f"]["urge_count"], item["f"]["supervised_level"]) == (1, "county")


def test_a_closed_case_is_reopened_within_thirty_days_by_its_reporter(county: County) -> None:
    case = walked(county, TO_CLOSED)
    assert outcome(move(county, "second", case["id"], "reopened", reason="又堆满")) == (
        403, "not_allowed",
    )  # fmt: skip
    again = move(county, "gw", case["id"], "reopened", reason="又堆满").get_json()
    assert (again["state"], again["closed_at"], again["due_at"]) == ("reopened", None, None)
    done = walked(county, TO_CLOSED)
    old = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    cases.turn_back(county, done["id"], closed_at=old)
    late = move(county, "gw", done["id"], "reopened", reason="又堆满")
    assert late.get_json()["errors"][0]["code"] == "too_late_to_reopen"


def test_only_what_is_neither_urgent_nor_personal_is_settled_on_the_spot(county: County) -> None:
    phone = county.phone("gw")
    for category, fine in (("0401", True), ("0103", False)):
        rec = new_id()
        phone.act("create", "incident", rec, set={
            "category": category, "text": "x", **place(*centre(GRID)), "state": "draft", "round": 0,
        })  # fmt: skip
        closed = phone.act("event", "incident", rec, base=1, set={
            "state": "closed", "round": 0, "result_text": "已清理",
        })  # fmt: skip
        assert (closed["status"] == "applied") == fine, closed
        if fine:
            shown = seen(county, rec)
            assert (shown["close_kind"], shown["sampled"]) == ("self_handled", is_sampled(rec))
        else:
            assert closed["errors"][0]["code"] == "not_self_handled"


def test_the_sample_is_one_in_ten_by_the_id_alone() -> None:
    ids = [new_id() for _ in range(3000)]
    assert 220 < sum(map(is_sampled, ids)) < 380
    assert all(is_sampled(one) == is_sampled(one.upper()) for one in ids[:50])


@pytest.mark.parametrize(
    ("priority", "sensitivity", "call", "allowed"),
    [(3, 0, None, True), (4, 0, None, True), (2, 0, None, False), (3, 1, None, False),
     (3, 0, "110", False)],
)  # fmt: skip
def test_which_categories_may_be_settled_on_the_spot(
    priority: int, sensitivity: int, call: str | None, allowed: bool
) -> None:
    category = {"priority": priority, "sensitivity": sensitivity, "emergency_call": call}
    assert may_self_handle(category) is allowed


def test_what_is_merged_tells_its_reporter_how_the_other_goes_on(county: County) -> None:
    first, second = walked(county, TO_FILED), cases.report(county)
    phone = county.phone("gw")
    assert move(county, "vl", second["id"], "merged").status_code == 422
    itself = move(county, "vl", second["id"], "merged", merged_into=second["id"])
    assert itself.get_json()["errors"][0]["code"] == "unknown_record"
    merged = move(county, "vl", second["id"], "merged", merged_into=first["id"])
    assert merged.get_json()["merged_into"] == first["id"]
    phone.pull()
    assert watch.tell() == 1 and watch.tell() == 0
    assert seen(county, second["id"])["told_state"] == "filed"
    move(county, "ts", first["id"], "dispatched", unit=GRID)
    assert watch.tell() == 1
    told = [one["f"]["told_state"] for one in phone.pull() if one["id"] == second["id"]]
    assert told[-1] == "dispatched"
    listed = county.ask("ts", "GET", f"/incidents?merged_into={first['id']}").get_json()
    assert [row["id"] for row in listed] == [second["id"]]


def test_a_dispute_has_parties_as_roles_and_is_never_linked_to_a_household(
    county: County,
) -> None:
    phone, home = county.phone("gw"), new_id()

    phone.act("create", "household", home, set=household())
    linked = {"category": "0601", "text": "邻里噪声", "grid": GRID, "address_text": "3 栋",
              "household": home}  # fmt: skip
    refused = county.ask("gw", "POST", "/incidents", linked)
    assert refused.get_json()["errors"][0]["code"] == "dispute_names_nobody"
    plain = {**linked, "parties": ["applicant", "respondent"]}
    del plain["household"]
    made = county.made("gw", "/incidents", plain)
    assert made["parties"] == ["applicant", "respondent"]
    named = county.ask("gw", "POST", "/incidents", {**plain, "parties": ["张三"]})
    assert outcome(named) == (422, "invalid_fields")


def test_mediation_stops_when_a_party_refuses(county: County) -> None:
    case = walked(county, TO_DISPATCHED, category="0601", text="邻里噪声")
    patched = county.ask("ts", "PATCH", f"/incidents/{case['id']}", {"refused_by": "respondent"},
                         headers={"If-Match": f'"v{case["rv"]}"'})  # fmt: skip
    assert patched.status_code == 200
    refused = move(county, "second", case["id"], "claimed")
    assert refused.get_json()["errors"][0]["code"] == "party_refused"
    assert move(county, "ts", case["id"], "cancelled", reason="一方不愿调解").status_code == 200


def test_what_belongs_to_a_step_is_not_written_without_one(county: County) -> None:
    case = walked(county, TO_CHECKED)
    phone = county.phone("vl")
    for field, value in (("score_service", 5), ("step_close", "normal"), ("step_unit", GRID)):
        receipt = phone.act("update", "incident", case["id"], base=case["rv"], set={field: value})
        assert receipt["errors"][0]["code"] == "only_with_a_step", receipt
    both = phone.act("event", "incident", case["id"], base=case["rv"], set={
        "state": "cancelled", "round": 1, "act": "urge", "act_text": None, "act_until": None,
    })  # fmt: skip
    assert both["code"] == "invalid_fields"
