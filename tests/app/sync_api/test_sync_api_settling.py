"""The office settles what waits: conflicts and parked edits, each within its own area."""

from typing import Any

from app.core.identifiers import new_id
from tests.app.core.county import County, household, incident
from tests.app.identity.town import NEXT_VILLAGE_GRID, outcome


def _clash(county: County) -> tuple[str, dict[str, Any]]:
    """Let two phones of a worker say different things of a household."""
    one, two, home = county.phone("gw"), county.another_phone("gw"), new_id()
    one.act("create", "household", home, set=household())
    one.act("update", "household", home, base=1, set={"occupancy": "empty"})
    assert (
        two.act("update", "household", home, base=1, set={"occupancy": "seasonal"})["status"]
        == "conflict"
    )
    [conflict] = county.ask("vl", "GET", "/conflicts?state=settled").get_json()
    return home, conflict


def test_both_values_of_a_conflict_are_kept(county: County) -> None:
    home, conflict = _clash(county)
    assert (conflict["kind"], conflict["record"], conflict["unit"]) == (
        "household", home, "occupancy",
    )  # fmt: skip
    assert {conflict[side]["values"].get("occupancy") for side in ("won", "lost")} <= {
        "empty", "seasonal", None,
    }  # fmt: skip
    own = county.phone("gw").pull()
    [shown] = [item["f"] for item in own if item["t"] == "conflict"]
    assert {shown[side]["values"]["occupancy"] for side in ("won", "lost")} == {
        "empty", "seasonal",
    }  # fmt: skip


def test_a_swap_brings_the_other_value_back(county: County) -> None:
    home, conflict = _clash(county)
    path = f"/conflicts/{conflict['id']}/resolution"
    before = county.ask("vl", "GET", f"/households/{home}").get_json()["occupancy"]
    reply = county.ask("vl", "POST", path, {"choice": "swap"})
    assert (reply.status_code, reply.get_json()) == (200, {"status": "applied"})
    after = county.ask("vl", "GET", f"/households/{home}").get_json()["occupancy"]
    assert {before, after} == {"empty", "seasonal"}
    assert outcome(county.ask("vl", "POST", path, {"choice": "keep"})) == (
        409, "already_resolved",
    )  # fmt: skip


def test_a_resolution_sent_again_with_its_key_is_answered_again(county: County) -> None:
    _, conflict = _clash(county)
    path, key = f"/conflicts/{conflict['id']}/resolution", {"Idempotency-Key": "choice-1"}
    first = county.ask("vl", "POST", path, {"choice": "swap"}, headers=key)
    again = county.ask("vl", "POST", path, {"choice": "swap"}, headers=key)
    assert (first.status_code, first.get_data()) == (200, again.get_data())
    other = county.ask("vl", "POST", path, {"choice": "keep"}, headers=key)
    assert outcome(other) == (409, "edit_id_reused")


def test_a_conflict_elsewhere_looks_absent(county: County) -> None:
    _, conflict = _clash(county)
    body = {"choice": "keep"}
    for who in ("ts_other_township", "vl_next_village"):
        foreign = county.ask(who, "POST", f"/conflicts/{conflict['id']}/resolution", body)
        absent = county.ask(who, "POST", f"/conflicts/{new_id()}/resolution", body)
        assert (foreign.status_code, foreign.get_data()) == (404, absent.get_data())
        assert county.ask(who, "GET", "/conflicts?state=settled").get_json() == []
    assert outcome(county.ask("cm", "POST", f"/conflicts/{conflict['id']}/resolution", body)) == (
        403,
        "not_allowed",
    )


def test_a_choice_must_be_one(county: County) -> None:
    _, conflict = _clash(county)
    path = f"/conflicts/{conflict['id']}/resolution"
    for body in ({}, {"choice": "both"}, {"choice": None}, {"choice": "keep", "x": 1}):
        assert outcome(county.ask("vl", "POST", path, body)) == (422, "invalid_fields")


def test_a_parked_edit_is_seen_by_its_author_and_its_area(county: County) -> None:
    phone = county.phone("gw")
    receipt = phone.act("create", "incident", set=incident(category="9999"))
    for who in ("gw", "vl", "ts", "au", "da"):
        [parked] = county.ask(who, "GET", "/parked-edits").get_json()
        assert (parked["id"], parked["code"], parked["state"]) == (
            receipt["id"], "invalid_fields", "parked",
        )  # fmt: skip
        [error] = parked["errors"]
        assert (error["field"], error["code"]) == ("category", "unknown_code")
    for who in ("colleague", "vl_next_village", "ts_other_township"):
        assert county.ask(who, "GET", "/parked-edits").get_json() == []
    whole = county.ask("ts", "GET", "/parked-edits").get_json()[0]["edit"]["set"]
    masked = county.ask("au", "GET", "/parked-edits").get_json()[0]["edit"]["set"]
    assert whole["text"] == "垃圾无人清运" and set(masked.values()) == {None}


def test_personal_fields_of_a_parked_edit_are_masked(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    person = {"household": home, "name": "张三丰", "phone": "13812345678", "relation": "cousin"}
    phone.act("create", "household", home, set=household())
    assert phone.act("create", "contact", set=person)["status"] == "parked"
    seen = {
        who: county.ask(who, "GET", "/parked-edits").get_json()[0]["edit"]["set"]["name"]
        for who in ("gw", "vl", "ts", "au", "da")
    }
    assert seen == {"gw": "张三丰", "vl": "张*", "ts": "张*", "au": None, "da": None}


def test_a_repaired_edit_is_applied_as_its_authors(county: County) -> None:
    phone, rec = county.phone("gw"), new_id()
    receipt = phone.act("create", "incident", rec, set=incident(category="9999"))
    path = f"/parked-edits/{receipt['id']}/repair"
    assert outcome(county.ask("gw", "POST", path, {"set": {"category": "0401"}})) == (
        403, "not_allowed",
    )  # fmt: skip
    assert county.ask("vl", "POST", path, {"set": {"category": "9998"}}).status_code == 422
    reply = county.ask("vl", "POST", path, {"set": {"category": "0401"}})
    assert (reply.status_code, reply.get_json()) == (200, {"status": "applied"})
    shown = county.ask("gw", "GET", f"/incidents/{rec}").get_json()
    assert (shown["category"], shown["priority"]) == ("0401", 3)
    assert shown["reporter"] == county.ids["gw"]
    assert county.ask("vl", "GET", "/parked-edits").get_json() == []
    assert len(county.ask("vl", "GET", "/parked-edits?state=repaired").get_json()) == 1
    assert outcome(county.ask("vl", "POST", path, {"set": {}})) == (404, "not_found")


def test_what_waited_for_a_parked_edit_follows_its_repair(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    first, second = phone.push(
        phone.edit("create", "household", home, set=household(occupancy="haunted")),
        phone.edit("create", "contact", set={"household": home, "name": "张三"}),
    )
    assert (first["status"], second["status"]) == ("parked", "held")
    reply = county.ask("vl", "POST", f"/parked-edits/{first['id']}/repair",
                       {"set": {"occupancy": "empty"}})  # fmt: skip
    assert reply.status_code == 200, reply.get_data(as_text=True)
    assert county.ask("gw", "GET", f"/households/{home}").get_json()["occupancy"] == "empty"
    [contact] = county.ask("gw", "GET", f"/contacts?household={home}").get_json()
    assert contact["name"] == "张三"


def test_a_discarded_edit_is_laid_aside(county: County) -> None:
    receipt = county.phone("gw").act("create", "incident", set=incident(category="9999"))
    path = f"/parked-edits/{receipt['id']}/discard"
    assert outcome(county.ask("ts_other_township", "POST", path)) == (404, "not_found")
    assert county.ask("ts", "POST", path).get_json() == {"status": "applied"}
    assert county.ask("ts", "GET", "/parked-edits").get_json() == []
    [laid] = county.ask("gw", "GET", "/parked-edits?state=discarded").get_json()
    assert laid["id"] == receipt["id"]


def test_a_parked_edit_elsewhere_looks_absent(county: County) -> None:
    receipt = county.phone("gw").act("create", "incident", set=incident(category="9999"))
    for act, body in (("repair", {"set": {}}), ("discard", None)):
        who, path = "vl_next_village", "/parked-edits/{}/" + act
        foreign = county.ask(who, "POST", path.format(receipt["id"]), body)
        absent = county.ask(who, "POST", path.format(new_id()), body)
        assert (foreign.status_code, foreign.get_data()) == (404, absent.get_data())


def test_parked_edits_page_to_their_end(county: County) -> None:
    phone = county.phone("gw")
    ids = {phone.act("create", "incident", set=incident(category="9999"))["id"] for _ in range(5)}
    pages = county.pages("ts", "/parked-edits?limit=2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {row["id"] for page in pages for row in page} == ids


def test_an_edit_for_another_grid_waits_for_the_people_there(county: County) -> None:
    phone = county.phone("gw")
    receipt = phone.act("create", "household", set=household(grid=NEXT_VILLAGE_GRID))
    assert receipt["code"] == "out_of_scope"
    [parked] = county.ask("vl_next_village", "GET", "/parked-edits").get_json()
    assert parked["id"] == receipt["id"]
    reply = county.ask("vl_next_village", "POST", f"/parked-edits/{receipt['id']}/repair",
                       {"set": {}})  # fmt: skip
    assert reply.status_code == 200
    shown = county.ask("vl_next_village", "GET", f"/households/{receipt['rec']}")
    assert shown.get_json()["grid"] == NEXT_VILLAGE_GRID


def test_a_choice_is_taken_back_in_the_office_until_something_newer_stands(county: County) -> None:
    home, conflict = _clash(county)
    path = f"/conflicts/{conflict['id']}/resolution"
    before = county.ask("vl", "GET", f"/households/{home}").get_json()["occupancy"]
    assert outcome(county.ask("vl", "POST", path, {"choice": "undo"})) == (409, "not_resolved")
    county.ask("vl", "POST", path, {"choice": "swap"})
    [chosen] = county.ask("vl", "GET", "/conflicts?state=resolved").get_json()
    assert chosen["before"]["values"] == {"occupancy": before} and chosen["by"]["device"]
    assert county.ask("vl", "POST", path, {"choice": "undo"}).status_code == 200
    shown = county.ask("vl", "GET", f"/households/{home}").get_json()
    assert shown["occupancy"] == before
    county.ask("vl", "POST", path, {"choice": "swap"})
    phone = county.another_phone("gw")
    phone.act("update", "household", home, base=shown["rv"] + 1, set={"occupancy": "business"})
    assert outcome(county.ask("vl", "POST", path, {"choice": "undo"})) == (409, "changed_since")


def test_a_swap_over_something_newer_needs_to_have_seen_it(county: County) -> None:
    home, conflict = _clash(county)
    path, phone = f"/conflicts/{conflict['id']}/resolution", county.another_phone("gw")
    phone.act("update", "household", home, base=9, set={"occupancy": "business"})
    assert outcome(county.ask("vl", "POST", path, {"choice": "swap"})) == (409, "changed_since")
    seen = county.ask("vl", "GET", f"/households/{home}").get_json()["rv"]
    assert county.ask("vl", "POST", path, {"choice": "swap", "seen": seen}).status_code == 200


def test_what_an_undo_would_bring_back_is_masked_like_the_record(county: County) -> None:
    one, two, home = county.phone("gw"), county.another_phone("gw"), new_id()
    one.act("create", "household", home, set=household())
    for phone, number in ((one, "1"), (two, "2")):
        address = {"address_text": f"和平路 {number} 号", "building": "1", "unit_room": number}
        receipt = phone.act("update", "household", home, base=1, set=address)
    [conflict] = receipt["conflicts"]
    county.ask("vl", "POST", f"/conflicts/{conflict}/resolution", {"choice": "swap"})
    [shown] = county.ask("ts", "GET", "/conflicts?state=resolved").get_json()
    for side in ("won", "lost", "before"):
        assert shown[side]["values"]["address_text"] == "***"
        assert shown[side]["values"]["unit_room"] is None


def test_reports_of_a_task_written_apart_come_together_by_lines(county: County) -> None:
    task = county.task()["id"]
    one, two = county.phone("gw"), county.another_phone("gw")
    first = "上午：走访\n中午：发放\n下午：复查"
    one.act("update", "task", task, base=1, set={"report_text": first})
    for phone, text in ((one, first.replace("走访", "走访 12 户")),
                        (two, first.replace("复查", "复查 3 处"))):  # fmt: skip
        receipt = phone.act("update", "task", task, base=2, set={"report_text": text},
                            was={"report_text": first})  # fmt: skip
        assert "conflicts" not in receipt
    shown = county.ask("gw", "GET", f"/tasks/{task}").get_json()
    assert shown["report_text"] == "上午：走访 12 户\n中午：发放\n下午：复查 3 处"


def test_counts_of_a_task_add_up_from_two_phones(county: County) -> None:
    task = county.task(task_kind="publicity")["id"]
    for phone in (county.phone("gw"), county.another_phone("gw")):
        assert phone.act("add", "task", task, base=1, set={"report_count": 20})["status"] in (
            "applied", "merged",
        )  # fmt: skip
    assert county.ask("gw", "GET", f"/tasks/{task}").get_json()["report_count"] == 40
    stranger = county.phone("colleague").act("add", "task", task, base=1, set={"report_count": 1})
    assert stranger["status"] == "parked"
