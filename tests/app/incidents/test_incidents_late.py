"""What a phone proposes must hold in the state it saw and now; else it is kept with the case."""

from typing import Any

import pytest

from app.incidents.models import Incident
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID
from tests.app.incidents import cases
from tests.app.incidents.cases import TO_ANSWERED, TO_DISPATCHED, TO_PROGRESS, move, seen, walked


def _answer(phone: SyncPhone, rec: str, base: int, round_: int = 1, **more: str) -> dict[str, str]:
    return phone.act("event", "incident", rec, base=base, set={
        "state": "answered", "round": round_, "result_text": "手机上填的结果", **more,
    }, was={"state": "in_progress", "round": round_})  # fmt: skip


def _conflict(county: County, rec: str) -> dict[str, object]:
    [found] = [one for one in county.ask("ts", "GET", "/conflicts").get_json()
               if one["record"] == rec]  # fmt: skip
    return dict(found)


def test_an_answer_to_a_case_closed_meanwhile_is_kept_and_says_so(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    phone = county.phone("second")
    cancelled = move(county, "ts", case["id"], "cancelled", reason="重复").get_json()
    receipt = _answer(phone, case["id"], case["rv"])
    assert (receipt["status"], receipt["code"], receipt["flags"]) == (
        "noted", "overtaken", ["overtaken"],
    )  # fmt: skip
    assert receipt["errors"][0]["state"] == "cancelled" and receipt["errors"][0]["ms"] > 0
    after = seen(county, case["id"])
    assert after == cancelled, "half a step would be nobody's"
    assert after["state_by"] == county.ids["ts"] and after["state_at"]
    conflict = _conflict(county, case["id"])
    assert conflict["rule"] == "late" and conflict["state"] == "open"
    assert conflict["lost"]["values"]["result_text"] == "手机上填的结果"  # type: ignore[index]


def test_the_office_takes_up_what_was_reported_late_but_never_the_step(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    move(county, "ts", case["id"], "cancelled", reason="重复")
    _answer(county.phone("second"), case["id"], case["rv"])
    conflict = _conflict(county, case["id"])
    reply = county.ask("ts", "POST", f"/conflicts/{conflict['id']}/resolution", {"choice": "swap"})
    assert reply.status_code == 200, reply.get_json()
    after = seen(county, case["id"])
    assert (after["state"], after["result_text"]) == ("cancelled", "手机上填的结果")


def test_of_two_who_claim_the_first_has_it_and_the_other_is_told(county: County) -> None:
    case = walked(county, TO_DISPATCHED)
    claims = [
        county.phone(who).act("event", "incident", case["id"], base=case["rv"],
                              set={"state": "claimed", "round": 1})
        for who in ("second", "gw")
    ]  # fmt: skip
    assert [one["status"] for one in claims] == ["applied", "noted"]
    assert claims[1]["code"] == "overtaken"
    assert seen(county, case["id"])["handler"] == county.ids["second"]


@pytest.mark.parametrize(("steps", "said", "quicker"), [
    (TO_DISPATCHED, {"state": "claimed", "round": 1}, ("second", "claimed")),
    (TO_ANSWERED, {"state": "checked", "round": 1}, ("ts", "checked")),
])  # fmt: skip
def test_whoever_was_asked_and_came_second_is_told_so_whether_or_not_the_case_was_ever_his(
    county: County, steps: cases.Steps, said: dict[str, Any], quicker: tuple[str, str]
) -> None:
    case = walked(county, steps)
    county.person("third", "gw", GRID)
    county.person("elsewhere", "gw", SAME_VILLAGE_GRID)
    assert move(county, quicker[0], case["id"], quicker[1]).status_code == 200
    was = {"state": case["state"], "round": 1}
    late, stranger = (
        county.phone(who).act("event", "incident", case["id"], base=case["rv"], set=said, was=was)
        for who in ("third", "elsewhere")
    )
    assert (late["status"], late["code"]) == ("noted", "overtaken")
    assert (stranger["status"], stranger["code"]) == ("parked", "unknown_record")
    assert seen(county, case["id"])["state"] == quicker[1]


def test_a_step_of_an_earlier_round_comes_too_late(county: County) -> None:
    """The case was handed up and dispatched again: the first handler's answer is not an answer."""
    case = walked(county, TO_PROGRESS)
    phone = county.phone("second")
    cases.on(county, case["id"], (
        ("vl", "filed", {"level": "township", "reason": "需乡镇协调"}),
        ("ts", "dispatched", {"unit": GRID}), ("gw", "claimed", {}), ("gw", "in_progress", {}),
    ))  # fmt: skip
    receipt = _answer(phone, case["id"], case["rv"])
    assert (receipt["status"], receipt["code"]) == ("noted", "overtaken")
    after = seen(county, case["id"])
    assert (after["state"], after["handler"], after["result_text"]) == (
        "in_progress", county.ids["gw"], None,
    )  # fmt: skip


def test_a_step_made_beside_a_mark_or_another_allowed_step_stands(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    phone = county.phone("second")
    cases.act(county, "ts", case["id"], "urge")
    assert _answer(phone, case["id"], case["rv"])["status"] in ("applied", "merged")
    assert seen(county, case["id"])["state"] == "answered"


def test_a_phone_goes_through_several_steps_without_a_network(county: County) -> None:
    case = walked(county, TO_DISPATCHED)
    phone = county.phone("second")
    base = {"base": case["rv"]}
    receipts = phone.push(
        phone.edit("event", "incident", case["id"], **base, set={"state": "claimed", "round": 1}),
        phone.edit("event", "incident", case["id"], **base,
                   set={"state": "in_progress", "round": 1}),
        phone.edit("event", "incident", case["id"], **base,
                   set={"state": "answered", "round": 1, "result_text": "已清运"}),
    )  # fmt: skip
    assert [one["status"] for one in receipts] == ["applied"] * 3
    after = seen(county, case["id"])
    assert (after["state"], after["handler"]) == ("answered", county.ids["second"])


def test_a_step_that_the_state_it_saw_did_not_allow_is_refused(county: County) -> None:
    """It holds now by chance: what its author saw was another case."""
    case = walked(county, TO_ANSWERED)
    phone = county.phone("gw")
    receipt = phone.act("event", "incident", case["id"], base=case["rv"] - 1, set={
        "state": "checked", "round": 1,
    }, was={"state": "in_progress"})  # fmt: skip
    assert (receipt["status"], receipt["code"]) == ("parked", "transition_not_allowed")
    assert seen(county, case["id"])["state"] == "answered"


def test_what_only_the_office_decides_is_not_taken_from_a_later_sync(county: County) -> None:
    case = walked(county, TO_DISPATCHED)
    receipt = county.phone("ts").act("event", "incident", case["id"], base=case["rv"], set={
        "state": "cancelled", "round": 1, "state_reason": "重复",
    })  # fmt: skip
    assert (receipt["code"], receipt["errors"][0]["code"]) == ("not_allowed", "only_online")
    assert Incident.workflow is not None and Incident.workflow.strict
