"""Break-glass: one record, for a stated reason, on one session, for a quarter of an hour."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import table_of
from app.core.identifiers import new_id
from app.identity.models import AuthSession
from app.office.reveals import Reveal
from tests.app.core.county import County, SyncPhone, household
from tests.app.households.test_households_consents import consent
from tests.app.identity.town import GRID, TestPhone, outcome

WHY = {"reason": "群众来访核实地址"}


@pytest.fixture
def phone(county: County) -> SyncPhone:
    return county.phone("gw")


@pytest.fixture
def home(phone: SyncPhone) -> str:
    """Return a household with an address."""
    name = new_id()
    assert phone.act("create", "household", name, set=household())["status"] == "applied"
    return name


def person(phone: SyncPhone, home: str, **more: Any) -> str:
    """Return somebody who asked for a service, with a care note."""
    name = new_id()
    for purpose in (
        "health",
        "care_visit",
        *(["guardian"] if "guardian_contact_id" in more else []),
    ):
        consent(phone, home, purpose, name)
    fields = {"household": home, "display_name": "王阿婆", "services": ["care_visit"],
              "care_note": "耳背，敲门要重", "power_dependent": True, **more}  # fmt: skip
    receipt = phone.act("create", "service_person", name, set=fields)
    assert receipt["status"] == "applied", receipt
    return name


def test_a_reason_opens_one_household_to_one_session_and_every_use_is_written_down(
    county: County, home: str, phone: SyncPhone
) -> None:
    path = f"/households/{home}"
    other = new_id()
    phone.act("create", "household", other, set=household(unit_room="9-999"))
    assert outcome(county.ask("ts", "GET", path)) == (403, "reason_required")
    opened = county.ask("ts", "POST", f"{path}/reveal", WHY)
    assert opened.status_code == 201
    assert (
        county.ask("ts", "POST", f"{path}/reveal", WHY).get_json()["id"] == opened.get_json()["id"]
    )
    for _ in range(2):
        assert county.ask("ts", "GET", path).get_json()["address_text"] == "人民路 12 号"
    assert county.ask("ts", "GET", f"/records/household/{home}/history").status_code == 200
    assert outcome(county.ask("ts", "GET", f"/households/{other}")) == (403, "reason_required")
    assert outcome(county.ask("ts_colleague", "GET", path)) == (403, "reason_required")
    assert outcome(county.ask("cm", "GET", path)) == (403, "reason_required")
    county.enrolled("ts", TestPhone("another device"))
    assert outcome(county.ask("ts_phone", "GET", path)) == (403, "reason_required")
    assert len(county.events("reveal.opened")) == 1
    uses = [row.AuditEvent.details for row in county.events("reveal.used")]
    assert [use["reason"] for use in uses] == [WHY["reason"]] * 3
    assert {use["reveal"] for use in uses} == {opened.get_json()["id"]}
    [own] = county.ask("ts", "GET", "/reveals").get_json()
    assert (own["uses"], own["record"]) == (3, home)
    assert [row["id"] for row in county.ask("au", "GET", "/reveals/all").get_json()] == [own["id"]]


def test_what_was_opened_closes_by_itself_and_before_when_wanted(county: County, home: str) -> None:
    path, table = f"/households/{home}", table_of(Reveal)
    first = county.ask("ts", "POST", f"{path}/reveal", WHY).get_json()["id"]
    for who in ("ts_colleague", "au", "cm"):
        assert outcome(county.ask(who, "DELETE", f"/reveals/{first}")) == (404, "not_found")
    assert [county.ask("ts", "DELETE", f"/reveals/{first}").status_code for _ in (1, 2)] == [
        204
    ] * 2
    assert outcome(county.ask("ts", "GET", path)) == (403, "reason_required")
    assert len(county.events("reveal.ended")) == 1
    second = county.ask("ts", "POST", f"{path}/reveal", WHY).get_json()
    assert second["id"] != first
    county.sql(sa.update(table).where(table.c.id == second["id"]).values(until=datetime.now(UTC)))
    assert outcome(county.ask("ts", "GET", path)) == (403, "reason_required")
    assert outcome(county.ask("ts", "DELETE", f"/reveals/{uuid.uuid4()}")) == (404, "not_found")


REVEALING = [
    ("cm", 201, None), ("gw", 409, "nothing_to_reveal"), ("vl", 409, "nothing_to_reveal"),
    ("colleague", 404, "not_found"), ("au", 403, "not_allowed"), ("da", 403, "not_allowed"),
    ("ts_other_township", 404, "not_found"), ("cm_other_county", 404, "not_found"),
    (None, 401, "token_missing"),
]  # fmt: skip


def test_records_are_opened_as_the_table_says(county: County, home: str) -> None:
    for who, status, code in REVEALING:
        reply = county.ask(who, "POST", f"/households/{home}/reveal", WHY)
        assert reply.status_code == status, who
        assert code is None or outcome(reply) == (status, code), who
    unknown = county.ask("ts", "POST", f"/households/{uuid.uuid4()}/reveal", WHY)
    assert outcome(unknown) == (404, "not_found")
    for body in ({}, {"reason": "abc"}, {"reason": "    "}, {"reason": "x" * 201}, {"reason": 1}):
        reply = county.ask("ts", "POST", f"/households/{home}/reveal", body)
        assert outcome(reply) == (422, "invalid_fields"), body


def test_an_old_proof_opens_nothing(county: County, home: str) -> None:
    ago = datetime.now(UTC) - timedelta(minutes=6)
    county.sql(sa.update(AuthSession).values(proven_at=ago))
    reply = county.ask("ts", "POST", f"/households/{home}/reveal", WHY)
    assert outcome(reply) == (403, "step_up_needed")


def test_contacts_and_persons_open_for_a_reason_too(
    county: County, home: str, phone: SyncPhone
) -> None:
    contact = new_id()
    phone.act("create", "contact", contact, set={"household": home, "name": "张三丰",
                                                 "phone": "13812345678"})  # fmt: skip
    for path, field, value in (
        (f"/contacts/{contact}", "name", "张三丰"),
        (f"/service-persons/{person(phone, home)}", "display_name", "王阿婆"),
    ):
        assert outcome(county.ask("ts", "GET", path)) == (403, "reason_required")
        assert county.ask("ts", "POST", f"{path}/reveal", WHY).status_code == 201
        assert county.ask("ts", "GET", path).get_json()[field] == value
        assert county.ask("vl", "GET", path).get_json()[field] == value


def test_a_care_note_opens_for_a_case_that_another_has_assigned(
    county: County, home: str, phone: SyncPhone
) -> None:
    path = f"/service-persons/{person(phone, home)}/care"
    for who in ("gw", "vl", "ts"):
        assert outcome(county.ask(who, "GET", path)) == (403, "reason_required")
    task = county.task(household=home)
    assert county.ask("gw", "GET", path).get_json()["care_note"] == "耳背，敲门要重"
    assert outcome(county.ask("vl", "GET", path)) == (403, "reason_required")
    [case] = [row.AuditEvent.details for row in county.events("reveal.case")]
    assert (case["case"], case["approved_by"]) == (task["id"], county.ids["ts"])
    cancelled = county.ask("ts", "POST", f"/tasks/{task['id']}/moves",
                           {"state": "cancelled", "reason": "已无需要"})  # fmt: skip
    assert cancelled.status_code == 200, cancelled.get_data(as_text=True)
    assert outcome(county.ask("gw", "GET", path)) == (403, "reason_required")
    assert county.ask("vl", "POST", f"{path}/reveal", WHY).status_code == 201
    assert county.ask("vl", "GET", path).get_json()["power_dependent"] is True


def minor(phone: SyncPhone, home: str) -> str:
    """Return a boy of sixteen."""
    return person(phone, home, birth_year=datetime.now(UTC).year - 16, display_name="小明明")


def test_the_record_of_a_minor_is_read_when_a_colleague_has_agreed(
    county: County, home: str, phone: SyncPhone
) -> None:
    name = minor(phone, home)
    path, door = f"/service-persons/{name}", "/approvals/resident.read"
    for who in ("gw", "vl"):
        assert outcome(county.ask(who, "GET", path)) == (403, "approval_needed")
    history = county.ask("vl", "GET", f"/records/service_person/{name}/history")
    assert outcome(history) == (403, "approval_needed")
    asked = county.ask("vl", "POST", f"{path}/reveal", WHY)
    assert asked.status_code == 202
    again = county.ask("vl", "POST", f"{path}/reveal", WHY)
    assert (again.status_code, again.get_json()["id"]) == (202, asked.get_json()["id"])
    approve = f"{door}/{asked.get_json()['id']}/approve"
    assert outcome(county.ask("vl", "POST", approve)) == (403, "not_to_yourself")
    assert outcome(county.ask("gw", "POST", approve)) == (403, "above_your_level")
    assert county.ask("ts", "POST", approve).status_code == 200
    assert outcome(county.ask("vl", "GET", path)) == (403, "approval_needed")
    opened = county.ask("vl", "POST", f"{path}/reveal", WHY)
    assert (opened.status_code, opened.get_json()["approved_by"]) == (201, county.ids["ts"])
    assert county.ask("vl", "GET", path).get_json()["display_name"] == "小明明"
    resent = county.ask("vl", "POST", f"{path}/reveal", WHY)
    assert resent.get_json()["id"] == opened.get_json()["id"]
    [use] = [row.AuditEvent.details for row in county.events("reveal.used")]
    assert use["approved_by"] == county.ids["ts"]
    county.ask("vl", "DELETE", f"/reveals/{opened.get_json()['id']}")
    assert county.ask("vl", "POST", f"{path}/reveal", WHY).status_code == 202


def test_lists_are_masked_for_every_office_role_and_minors_for_everybody(
    county: County, home: str, phone: SyncPhone
) -> None:
    minor(phone, home)
    person(phone, home)
    seen = {who: [row["display_name"] for row in
                  county.ask(who, "GET", "/service-persons").get_json()]
            for who in ("gw", "vl", "ts")}  # fmt: skip
    assert seen == {"gw": ["小*", "王阿婆"], "vl": ["小*", "王*"], "ts": ["小*", "王*"]}
    for who in ("vl", "ts"):
        rows = county.ask(who, "GET", "/households").get_json()
        assert {row["address_text"] for row in rows}.isdisjoint({"人民路 12 号"})
    assert outcome(county.ask("cm", "GET", "/households")) == (403, "not_allowed")


def test_a_household_is_deleted_by_two_and_not_by_one(county: County, home: str) -> None:
    door = "/approvals/household.delete"
    wish = {"subject": home, "reason": "房屋已拆除"}
    asked = county.ask("vl", "POST", door, wish)
    assert asked.status_code == 201
    name = asked.get_json()["id"]
    assert asked.get_json()["area_id"] == GRID
    assert outcome(county.ask("vl", "POST", f"{door}/{name}/approve")) == (403, "not_to_yourself")
    assert county.ask("gw", "GET", f"/households/{home}").status_code == 200
    assert outcome(county.ask("gw", "POST", f"{door}/{name}/approve")) == (403, "not_allowed")
    assert county.ask("ts", "POST", f"{door}/{name}/approve").status_code == 200
    assert outcome(county.ask("gw", "GET", f"/households/{home}")) == (404, "not_found")
    [event] = [row.AuditEvent for row in county.events("household.deleted")]
    assert event.user_id == county.ids["vl"]
    assert event.details["approved_by"] == county.ids["ts"]
    for who, subject, expected in (
        ("vl", home, 404), ("vl", "x", 404), ("vl", str(uuid.uuid4()), 404), ("gw", home, 403),
        ("au", home, 403),
    ):  # fmt: skip
        reply = county.ask(who, "POST", door, {"subject": subject, "reason": "房屋已拆除"})
        assert reply.status_code == expected, (who, subject)


def test_two_who_both_ask_delete_it_once(county: County, home: str) -> None:
    door, wish = "/approvals/household.delete", {"subject": home, "reason": "房屋已拆除"}
    first, second = (county.ask(who, "POST", door, wish).get_json()["id"] for who in ("vl", "ts"))
    assert outcome(county.ask("vl_next_village", "POST", f"{door}/{first}/approve")) == (
        404, "not_found",
    )  # fmt: skip
    assert county.ask("ts", "POST", f"{door}/{first}/approve").status_code == 200
    assert outcome(county.ask("vl", "POST", f"{door}/{second}/approve")) == (409, "record_deleted")
