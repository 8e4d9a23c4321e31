"""Out of the books by a plain deletion: that takes two persons; an act is another thing."""

from typing import Any

import pytest

from app.core.identifiers import new_id
from tests.app.core.county import County, SyncPhone, household
from tests.app.identity.town import GRID

NEW = {"contact": 2, "service_person": 1, "household": 1}


def _people(county: County) -> tuple[str, dict[str, str]]:
    """Take down a household with a contact and a service person, with their consents."""
    phone, home = county.phone("gw"), new_id()
    contact, person = new_id(), new_id()
    first = phone.edit("create", "household", home, set=household())
    consents = [
        phone.edit("create", "consent", set={
            "household": home, "subject": subject, "purpose": purpose, "state": "given",
            "notice_version": 1, "given_by": "self", "method": "on_screen",
        })
        for subject, purpose in ((contact, "contact"), (person, "meal_help"))
    ]  # fmt: skip
    receipts = phone.push(
        first, *consents,
        phone.edit("create", "contact", contact, schema=2,
                   set={"household": home, "name": "张三", "phone": "13812345678"}),
        phone.edit("create", "service_person", person,
                   set={"household": home, "display_name": "李四", "services": ["meal_help"]}),
    )  # fmt: skip
    assert [one["status"] for one in receipts] == ["applied"] * 5, receipts
    return home, {"household": home, "contact": contact, "service_person": person}


def _delete(phone: SyncPhone, kind: str, record: str) -> Any:
    receipt = phone.act("delete", kind, record, base=9, schema=NEW[kind])
    return receipt["status"], receipt.get("code")


@pytest.mark.parametrize("kind", sorted(NEW))
def test_one_person_deletes_nobody(county: County, kind: str) -> None:
    _, records = _people(county)
    assert _delete(county.phone("gw"), kind, records[kind]) == ("parked", "not_allowed")
    for who in ("vl", "ts"):
        asked = _delete(county.phone(who), kind, records[kind])
        assert asked == ("parked", "second_person_required")
    held = {item["id"] for item in county.another_phone("gw").pull() if item["op"] == "put"}
    assert set(records.values()) <= held


@pytest.mark.parametrize("path", ["households", "contacts", "service-persons"])
def test_there_is_no_door_that_deletes_over_rest(county: County, path: str) -> None:
    _, records = _people(county)
    record = records[{"households": "household", "contacts": "contact",
                      "service-persons": "service_person"}[path]]  # fmt: skip
    reply = county.ask("vl", "DELETE", f"/{path}/{record}")
    assert reply.status_code in (404, 405)


def test_an_act_ends_the_place_of_somebody_and_can_be_undone(county: County) -> None:
    home, records = _people(county)
    phone = county.phone("gw")
    said = {"household": home, "verb": "move_out", "state": "done",
            "people": [records["contact"], records["service_person"]]}  # fmt: skip
    made = phone.act("create", "household_act", set=said)
    assert made["status"] == "applied", made
    gone = {item["id"] for item in county.another_phone("gw").pull() if item["op"] == "put"}
    assert not set(said["people"]) & gone
    history = county.ask("vl", "GET", f"/households/{home}/acts").get_json()
    assert [one["id"] for one in history] == [made["rec"]]
    undone = phone.act("update", "household_act", made["rec"], base=1, set={"state": "undone"})
    assert undone["status"] == "applied", undone
    back = {item["id"] for item in county.another_phone("gw").pull() if item["op"] == "put"}
    assert set(said["people"]) <= back


def test_an_app_without_consents_withdraws_one_by_deleting_the_contact(county: County) -> None:
    phone = county.phone("gw")
    home, contact = new_id(), new_id()
    phone.push(
        phone.edit("create", "household", home, set=household()),
        phone.edit("create", "contact", contact, set={"household": home, "name": "张三"}),
    )  # fmt: skip
    assert phone.act("delete", "contact", contact, base=1)["status"] == "applied"
    assert county.ask("gw", "GET", f"/contacts?household={home}&grid={GRID}").status_code in (
        200, 422,
    )  # fmt: skip
