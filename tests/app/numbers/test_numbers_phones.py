"""How phones sync: what they say of themselves, what the server lacks, by area and device."""

from typing import Any

import sqlalchemy as sa

from app.core.identifiers import new_id
from app.numbers.models import PhoneHealth
from tests.app.core.county import County, SyncPhone, fill, household
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID, outcome


def _word(phone: SyncPhone, **more: Any) -> dict[str, Any]:
    return {"unsent": 3, "photos_waiting": 2, "schema": 1, **more}


def _list(county: County, who: str, query: str = "") -> list[dict[str, Any]]:
    reply = county.ask(who, "GET", f"/numbers/phones?{query}")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    shown: list[dict[str, Any]] = reply.get_json()
    return shown


def test_a_phone_says_what_it_could_not_send_and_only_its_last_word_is_kept(
    county: County,
) -> None:
    phone = county.phone("gw")
    assert phone.send("health", _word(phone, unsent=9)).status_code == 204
    assert phone.send("health", _word(phone, app="wangge-phone 2")).status_code == 204
    assert len(county.sql(sa.select(PhoneHealth.device))) == 1
    shown = _list(county, "da")[0]
    assert (shown["unsent"], shown["photos_waiting"], shown["app"]) == (3, 2, "wangge-phone 2")
    assert shown["synced"] and shown["area"] == GRID and shown["device"] == phone.device


def test_a_phone_that_says_nothing_is_known_by_what_it_sent(county: County) -> None:
    phone = fill(county, 2)
    shown = _list(county, "ts")[0]
    assert shown["synced"] and shown["unsent"] is None
    photo = {"sha256": "a" * 64, "size_bytes": 10, "media_type": "image/jpeg"}
    report = phone.edit("create", "incident", set={
        "category": "0401", "text": "垃圾", "grid": GRID, "address_text": "路口",
        "state": "reported", "round": 0})  # fmt: skip
    took = phone.edit("create", "photo", set={**photo, "incident": report["rec"]})
    wrong = phone.edit("create", "household", set=household(residents_count=1, count_0_5=9))
    assert [one["status"] for one in phone.push(report, took, wrong)] == [
        "applied", "applied", "parked",
    ]  # fmt: skip
    shown = _list(county, "ts")[0]
    assert (shown["photos_owed"], shown["parked"], shown["conflicts"]) == (1, 1, 0)


def test_phones_stand_by_area_and_device_whoever_synced_last(county: County) -> None:
    for who in ("gw_other_township", "gw_next_village", "gw"):
        county.phone(who)
    order = [one["area"] for one in _list(county, "da")]
    assert order == [GRID, NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID]
    fill(county, 1)
    assert [one["area"] for one in _list(county, "da")] == order
    pages = county.pages("da", "/numbers/phones?limit=1")
    assert [one["area"] for page in pages for one in page] == order


def test_nobody_stands_in_the_list(county: County) -> None:
    county.phone("gw")
    shown = _list(county, "ts")[0]
    assert not any("user" in name or name == "name" for name in shown)
    assert "gw" not in shown.values(), "the name of the holder"


def test_a_supervisor_sees_the_phones_of_his_township_only(county: County) -> None:
    for who in ("gw", "gw_other_township"):
        county.phone(who)
    assert [one["area"] for one in _list(county, "ts")] == [GRID]
    assert len(_list(county, "cm")) == 2
    assert outcome(county.ask(None, "GET", "/numbers/phones")) == (401, "token_missing")


def test_another_phone_cannot_speak_for_a_device(county: County) -> None:
    mine, other = county.phone("gw"), county.phone("colleague")
    stolen = {**_word(mine), "device": mine.device}
    reply = county.ask(other.who, "POST", "/sync/health", stolen)
    absent = county.ask(other.who, "POST", "/sync/health", {**stolen, "device": new_id()})
    assert outcome(reply) == outcome(absent) == (404, "unknown_device")
    office = county.ask("ts", "POST", "/sync/health", stolen)
    assert outcome(office) == (404, "unknown_device")


def test_a_word_that_makes_no_sense_is_refused(county: County) -> None:
    phone = county.phone("gw")
    assert outcome(phone.send("health", _word(phone, unsent=-1))) == (422, "invalid_fields")


def test_a_page_of_phones_costs_the_same_few_statements(county: County) -> None:
    costs = []
    for who in ("gw", "colleague"):
        county.phone(who)
        with county.statements() as seen:
            _list(county, "da")
        costs.append(len(seen))
    assert costs[0] == costs[1] <= 9
