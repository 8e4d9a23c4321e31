"""What has gone for the faces: phones that may only send, erased records, words without content."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.sync_api import unread
from app.sync_api.upkeep_commands import carry_out
from tests.app.core.county import County, SyncPhone, household
from tests.app.identity.town import answer, outcome

WATERMELON = "/sync/faces/watermelon/sync"
RXDB = "/sync/faces/rxdb/household"


def _watermelon(phone: SyncPhone, number: int, **lists: list[Any]) -> Any:
    path = f"{WATERMELON}?device={phone.device}&last_pulled_at={number}"
    return phone.county.ask(phone.who, "POST", path, {"household": lists} if lists else {})


def _rxdb(phone: SyncPhone, *rows: Any) -> Any:
    path = f"{RXDB}/push?device={phone.device}"
    return phone.county.ask(phone.who, "POST", path, list(rows))


def _dismissed(county: County) -> SyncPhone:
    phone = county.phone("gw")
    reply = county.ask("ts", "POST", f"/users/{county.ids['gw']}/dismissal")
    assert reply.status_code == 200
    return phone


def test_a_phone_that_may_only_send_is_told_so_when_it_pulls(county: County) -> None:
    phone = _dismissed(county)
    for path in (WATERMELON, f"{RXDB}/pull"):
        reply = county.ask(phone.who, "GET", f"{path}?device={phone.device}")
        assert outcome(reply) == (403, "device_drain")


def test_what_it_sends_is_kept_and_then_it_is_ordered_to_erase_itself(county: County) -> None:
    phone = _dismissed(county)
    row = {"id": new_id(), "_status": "created", "_changed": "", **household()}
    taken = _watermelon(phone, 1, created=[row])
    assert answer(taken) == (200, None)
    assert [one["code"] for one in taken.get_json()["receipts"]] == ["out_of_scope"]
    for order in (_watermelon(phone, 1), _rxdb(phone)):
        assert outcome(order) == (403, "device_wipe")
        assert order.get_json()["drain"] is True and order.get_json()["ticket"]


def test_it_reads_no_record_by_sending_a_row_of_it(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    row = {"newDocumentState": {"id": home, "rv": 1, "occupancy": "haunted"},
           "assumedMasterState": {"id": home, "rv": 1, "occupancy": "lived_in"}}  # fmt: skip
    assert [one["building"] for one in _rxdb(phone, row).get_json()["conflicts"]] == ["3"]
    [device] = county.ask("da", "GET", "/devices").get_json()
    reply = county.ask("da", "POST", f"/devices/{device['id']}/wipe", {"drain": True})
    assert answer(reply) == (200, None)
    taken = _rxdb(phone, row).get_json()
    assert taken["conflicts"] == []
    assert [one["code"] for one in taken["receipts"]] == ["invalid_fields"]


def test_a_row_of_an_erased_record_is_answered_and_leaves_the_phone(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    row = {"id": home, "_status": "created", "_changed": "", **household()}
    _watermelon(phone, 0, created=[row])
    path = f"{WATERMELON}?device={phone.device}&last_pulled_at="
    number = county.ask(phone.who, "GET", f"{path}0").get_json()["timestamp"]
    carry_out("household", home, "asked", ())
    changed = {**row, "rv": 1, "_status": "updated", "_changed": "building", "building": "9"}
    late = _watermelon(phone, number, updated=[changed])
    assert [one["code"] for one in late.get_json()["receipts"]] == ["erased"]
    assert late.get_json()["experimentalRejectedIds"] == {}
    assert _watermelon(phone, number, created=[row]).status_code == 200
    gone = county.ask(phone.who, "GET", f"{path}{number}").get_json()
    assert gone["changes"]["household"] == {"created": [], "updated": [], "deleted": [home]}
    document = {"newDocumentState": {**household(), "id": home, "building": "8"}}
    [conflict] = _rxdb(phone, document).get_json()["conflicts"]
    assert conflict["_deleted"] is True


def test_a_row_whose_history_has_lost_its_content_is_still_known(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    row = {"id": home, "_status": "created", "_changed": "", **household()}
    _watermelon(phone, 0, created=[row])
    county.sql(sa.update(sync_tables.ledger).values(body=""))
    again = _watermelon(phone, 0, created=[row])
    assert answer(again) == (200, None)
    assert again.get_json()["experimentalRejectedIds"] == {}
    shown = county.ask("gw", "GET", f"/households/{home}").get_json()
    assert (shown["building"], shown["address_text"]) == ("3", household()["address_text"])


@pytest.mark.parametrize(
    ("path", "body"),
    [(f"{WATERMELON}?last_pulled_at=0&", {"household": [1]}), (f"{RXDB}/push?", [{"old": 1}])],
)
def test_a_body_that_no_face_can_read_is_kept_for_the_support(
    county: County, path: str, body: Any
) -> None:
    phone = county.phone("gw")
    reply = county.ask(phone.who, "POST", f"{path}device={phone.device}", body)
    assert outcome(reply) == (400, "malformed_request")
    [(number,)] = county.sql(sa.select(unread.UnreadBody.id))
    assert reply.get_json()["support"] == number
