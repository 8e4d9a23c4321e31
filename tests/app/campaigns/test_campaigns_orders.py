"""Emergency orders: two people switch them on, and nothing is entered outside of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app.campaigns.models import CampaignPart
from app.core.database import Mode
from app.forms import services
from tests.app.campaigns.emergency import DAY, enter, entry, open_order, order
from tests.app.core.county import County
from tests.app.forms.samples import definition, question
from tests.app.identity.town import (
    GRID,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    TOWNSHIP,
    answer,
)
from tests.app.notices.bulletin import after, shown

TASK = {"task_kind": "returnee_registration", "title": "登记返乡人员"}
KEY, OTHER_KEY = {"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}
NOTICE = {"title": "返乡登记", "text": "逐户登记近期返乡人数", "talking_points": ["只记人数"]}


def test_an_order_holds_when_a_second_person_has_approved_it(emergency: County) -> None:
    made = emergency.made("cm", "/orders", order())
    path = f"/orders/{made['id']}"
    assert made["state"] == "proposed"
    assert shown(emergency.phone("gw"), "emergency_order") == {}
    assert answer(emergency.ask("ts", "GET", path)) == (404, "not_found")
    mine = emergency.ask("cm", "POST", f"{path}/approval")
    assert answer(mine) == (403, "second_person_required")
    assert answer(emergency.ask("ts", "POST", f"{path}/approval")) == (403, "not_allowed")
    assert emergency.ask("cm_other_county", "POST", f"{path}/approval").status_code == 404
    assert emergency.ask("cm_second", "POST", f"{path}/approval").get_json()["state"] == "open"
    assert shown(emergency.phone("gw"), "emergency_order")[made["id"]]["purpose"] == "疫情防控"
    assert shown(emergency.phone("gw_other_township"), "emergency_order") == {}
    again = emergency.ask("cm_city", "POST", f"{path}/approval")
    assert answer(again) == (409, "transition_not_allowed")


def test_the_second_person_reads_what_the_order_sends_before_he_approves_it(
    emergency: County,
) -> None:
    task = {**TASK, "instructions": "逐户", "due_at": after(days=2)}
    made = emergency.made("cm", "/orders", order(notice=NOTICE, task=task))
    path = f"/orders/{made['id']}"
    shown = emergency.ask("cm_second", "GET", path).get_json()
    assert shown["notice"] == NOTICE
    assert {name: shown["task"][name] for name in TASK} == TASK
    assert datetime.fromisoformat(shown["task"]["due_at"]) == datetime.fromisoformat(task["due_at"])
    assert answer(emergency.ask("ts", "GET", path)) == (404, "not_found")
    assert emergency.ask("cm_second", "POST", f"{path}/approval").status_code == 200
    for who in ("cm", "ts"):
        later = emergency.ask(who, "GET", path).get_json()
        assert (later["notice"], later["task"]) == (None, None), "it has gone out"


def test_what_an_order_brings_is_due_within_the_years_of_the_calendar(emergency: County) -> None:
    task = {**TASK, "due_at": "9999-12-31T23:59:59-12:00"}
    assert emergency.ask("cm", "POST", "/orders", order(task=task)).status_code == 422


@pytest.mark.parametrize("who", ["gw", "vl", "ts", "au", "da"])
def test_only_the_county_gives_orders(emergency: County, who: str) -> None:
    assert answer(emergency.ask(who, "POST", "/orders", order())) == (403, "not_allowed")


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"areas": []}, "areas", "required"),
    ({"ends": after(days=-2)}, "ends", "ends_out_of_bounds"),
    ({"destroy_by": after(days=36)}, "destroy_by", "destroyed_too_late"),
    ({"asks": ["name"]}, "asks", "invalid"),
]


@pytest.mark.parametrize(("more", "field", "code"), WRONG)
def test_an_order_without_bounds_is_refused(
    emergency: County, more: dict[str, Any], field: str, code: str
) -> None:
    reply = emergency.ask("cm", "POST", "/orders", order(**more))
    assert reply.status_code == 422
    fields = {error["field"] for error in reply.get_json()["errors"]}
    assert field in fields or code == "invalid"


def test_an_order_brings_an_alarm_and_a_task_to_each_grid_at_once(emergency: County) -> None:
    one = emergency.made("cm", "/orders", order(areas=[GRID], notice=NOTICE, task=TASK))
    open_order(emergency)
    with emergency.statements() as few:
        emergency.ask("cm_second", "POST", f"/orders/{one['id']}/approval", headers=KEY)
    made = emergency.made("cm", "/orders", order(areas=[TOWNSHIP], notice=NOTICE, task=TASK))
    with emergency.statements() as many:
        emergency.ask("cm_second", "POST", f"/orders/{made['id']}/approval", headers=OTHER_KEY)
    assert len(many) == len(few), "whatever the number of grids"
    again = emergency.ask("cm_second", "POST", f"/orders/{made['id']}/approval", headers=OTHER_KEY)
    assert again.status_code == 200
    parts = sa.select(CampaignPart.kind).where(CampaignPart.order_id == made["id"])
    assert sorted(row[0] for row in emergency.sql(parts)) == [
        "notice", "task", "task", "task", "task_batch",
    ]  # fmt: skip


def test_what_an_order_brings_comes_first_and_for_as_long_as_it_holds(emergency: County) -> None:
    made = emergency.made("cm", "/orders", order(notice=NOTICE, task=TASK))
    emergency.ask("cm_second", "POST", f"/orders/{made['id']}/approval")
    phone = emergency.phone("gw")
    kinds = [item["t"] for item in phone.pull()]
    assert kinds[:2] == ["notice", "emergency_order"] and "task" in kinds
    [alarm] = shown(phone).values()
    assert (alarm["urgency"], alarm["valid_until"]) == ("emergency", made["ends"])
    [task] = shown(phone, "task").values()
    assert (task["grid"], task["assignee"]) == (GRID, emergency.ids["gw"])
    assert emergency.ask("cm", "POST", f"/orders/{made['id']}/closing").status_code == 200
    told = {item["t"]: item["op"] for item in phone.pull()}
    assert (told["notice"], told["emergency_order"]) == ("out", "put")


def test_entries_are_made_while_the_order_holds_in_its_area_and_only_as_it_asks(
    emergency: County,
) -> None:
    phone, name = emergency.phone("gw"), open_order(emergency, asks=["count_arrived"])
    receipt = enter(phone, name)
    assert (receipt["status"], receipt["errors"][0]["code"]) == ("parked", "not_asked_by_order")
    lean = {"order_id": name, "grid": GRID, "count_arrived": 3}
    assert phone.act("create", "emergency_entry", set=lean)["status"] == "applied"
    named = phone.act("create", "emergency_entry", set={**lean, "resident": "张三"})
    assert named["errors"][0]["code"] == "not_asked_by_order"
    wide = emergency.phone("gw_other_township")
    outside = wide.act("create", "emergency_entry", set={**lean, "grid": OTHER_TOWNSHIP_GRID})
    assert outside["errors"][0]["code"] == "outside_order"
    foreign = phone.act("create", "emergency_entry", set={**lean, "grid": SAME_VILLAGE_GRID})
    assert foreign["code"] == "out_of_scope"


def _publish_form(county: County) -> None:
    asked = definition(question("rooms", "integer", least=1, most=9, required=True), key="shelter")
    with county.database.transaction(Mode.WRITE) as session:
        form = services.draft(session, asked, user_id=None, now=datetime.now(UTC))
        services.publish(session, form, user_id=None, now=datetime.now(UTC))


def test_the_form_of_an_order_checks_the_answers_of_its_entries(emergency: County) -> None:
    assert emergency.ask("cm", "POST", "/orders", order(form="shelter")).status_code == 422
    _publish_form(emergency)
    phone, name = emergency.phone("gw"), open_order(emergency, asks=[], form="shelter")
    assert shown(phone, "emergency_order")[name]["form_version"] == 1
    bare = {"order_id": name, "grid": GRID}
    told = [
        phone.act("create", "emergency_entry", set={**bare, **more})
        for more in ({}, {"answers": {"rooms": 12}}, {"answers": {"name": "张三", "rooms": 1}},
                     {"answers": {"rooms": 3}})
    ]  # fmt: skip
    assert [one["status"] for one in told] == ["parked", "parked", "parked", "applied"]
    assert [one["errors"][0]["field"] for one in told[:3]] == [
        "answers", "answers/rooms", "answers/name",
    ]  # fmt: skip
    assert shown(phone, "emergency_entry")[told[3]["rec"]]["answers"] == {"rooms": 3}
    plain = open_order(emergency)
    stray = {"order_id": plain, "grid": GRID, "answers": {"rooms": 3}}
    receipt = phone.act("create", "emergency_entry", set=stray)
    assert receipt["errors"][0]["code"] == "not_asked_by_order"


def test_outside_its_time_an_order_takes_nothing(emergency: County) -> None:
    phone, name = emergency.phone("gw"), open_order(emergency)
    first = enter(phone, name)
    assert first["status"] == "applied"
    assert emergency.ask("cm", "POST", f"/orders/{name}/closing").status_code == 200
    assert enter(phone, name)["status"] == "applied", "the anchor proves that it still held then"
    late = phone.act("create", "emergency_entry", set=entry(name))
    assert (late["status"], late["code"]) == ("parked", "order_not_open")
    change = phone.act("update", "emergency_entry", first["rec"], base=1, set={"arrived_on": DAY})
    assert (change["status"], change["code"]) == ("parked", "order_not_open")
    early = open_order(emergency, starts=after(days=1))
    assert enter(phone, early)["code"] == "order_not_open"


def test_the_office_sees_entries_as_its_role_may(emergency: County) -> None:
    phone, name = emergency.phone("gw"), open_order(emergency)
    enter(phone, name)
    path = f"/emergency-entries?order={name}"
    [own] = emergency.ask("gw", "GET", path).get_json()
    [masked] = emergency.ask("ts", "GET", path).get_json()
    assert own["contact_phone"] == "+8613812340987"
    assert (masked["contact_phone"], masked["count_arrived"]) == (None, None)
    assert answer(emergency.ask("cm", "GET", path)) == (403, "not_allowed")
