"""Visits: what came of a call at a door, what its note may hold, and how long its place is kept."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.core.redaction import masked
from app.households.service_models import Visit
from tests.app.core.county import County, SyncPhone, centre
from tests.app.households.answers import consent, home_of, work_off
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID

TEXTS = json.loads((Path(__file__).parents[3] / "data" / "redaction_texts.json").read_text("utf-8"))
STOOD = {"checkin_point": centre(GRID), "checkin_accuracy_m": 8}


@pytest.fixture
def phone(county: County) -> SyncPhone:
    """Return the phone of the worker of the first grid."""
    return county.phone("gw")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_text_loses_its_numbers_and_nothing_else(text: dict[str, object]) -> None:
    shown = masked(str(text["text"]))
    for number in text["mask"]:
        assert number not in shown
    for kept in text["keep"]:
        assert kept in shown
    assert len(shown) == len(str(text["text"]))


def test_numbers_are_found_however_they_are_typed() -> None:
    for text in (
        "联系 138 0013 8000",
        "+86 138-0013-8000",
        "2026-01-02 13800138000",
        "0943-8221234",
    ):
        assert "*" in masked(text), text
    for text in ("2026-01-02 09:15", "3-2-501 室", "1380013800O"):
        assert masked(text) == text


def test_who_is_met_confirms_the_household_and_who_is_not_does_not(
    county: County, phone: SyncPhone
) -> None:
    home = home_of(phone)
    first = county.ask("gw", "GET", f"/households/{home}").get_json()
    away = phone.act("create", "visit", set={"household": home, "outcome": "nobody_home"})
    assert away["status"] == "applied"
    same = county.ask("gw", "GET", f"/households/{home}").get_json()
    assert same["last_confirmed_at"] == first["last_confirmed_at"]
    met = county.made("gw", "/visits", {"household": home, "outcome": "met", "note": "一切如常"})
    then = county.ask("gw", "GET", f"/households/{home}").get_json()
    assert then["last_confirmed_at"] == met["visited_at"] > first["last_confirmed_at"]
    assert (met["visited_by"], met["grid"]) == (county.ids["gw"], GRID)


def test_a_note_with_a_number_is_refused_with_where_it_stands(phone: SyncPhone) -> None:
    said = {"household": home_of(phone), "outcome": "met",
            "note": "电话 13800138000 或 13900139000"}  # fmt: skip
    receipt = phone.act("create", "visit", set=said)
    [error] = receipt["errors"]
    assert (receipt["status"], error["field"], error["code"]) == ("parked", "note", "phone_found")
    assert error["spans"] == [[3, 14], [17, 28]]


def test_nothing_of_a_refused_note_stands_in_a_receipt_or_an_error(
    county: County, phone: SyncPhone
) -> None:
    """Both are stored unsealed and shown to others: the note itself is for few."""
    home, person = home_of(phone), new_id()
    consent(phone, home, "health", person)
    secret = "丙肝患者 电话 13800138000"
    receipt = phone.act(
        "create", "service_person", person, set={"household": home, "care_note": secret}
    )
    assert receipt["errors"][0]["code"] == "phone_found"
    assert "丙肝" not in json.dumps(receipt, ensure_ascii=False)
    for table in (sync_tables.ledger, sync_tables.parked):
        rows = str([tuple(row) for row in county.sql(sa.select(table))])
        assert "丙肝" not in rows and "\\u4e19" not in rows, table.name
    for who in ("vl", "au", "da"):
        shown = county.ask(who, "GET", f"/parked-edits/{receipt['id']}").get_data(as_text=True)
        assert "丙肝" not in shown and "\\u4e19" not in shown, who


def test_only_whoever_made_a_visit_changes_it(county: County, phone: SyncPhone) -> None:
    visit, home = new_id(), home_of(phone)
    phone.act("create", "visit", visit, set={"household": home, "outcome": "met"})
    lead = county.phone("vl").act("update", "visit", visit, base=1, set={"outcome": "declined"})
    assert (lead["status"], lead["code"]) == ("parked", "not_allowed")
    own = phone.act("update", "visit", visit, base=1, set={"note": "约下周再来"})
    assert own["status"] == "applied"
    moved = phone.act("update", "visit", visit, base=2, set={"household": home_of(phone)})
    assert moved["errors"] == [{"field": "household", "code": "read_only"}]


def test_where_a_worker_stood_goes_to_no_phone_and_is_gone_after_90_days(
    county: County, phone: SyncPhone
) -> None:
    visit = new_id()
    said = {"household": home_of(phone), "outcome": "met", "note": "门口见", **STOOD}
    phone.act("create", "visit", visit, set=said)
    [pulled] = [one["f"] for one in phone.pull() if one["id"] == visit]
    assert pulled["checkin_point"] is None and pulled["note"] == "门口见"
    work_off(county)
    [shown] = county.ask("gw", "GET", "/visits").get_json()
    assert shown["checkin_point"] == centre(GRID)
    old = datetime.now(UTC) - timedelta(days=91)
    aged = sa.update(Visit).where(Visit.id == visit).values(visited_at=old)
    for _ in range(2):  # writing the record anew has set its column back
        county.sql(aged)
        work_off(county)
    [shown] = county.ask("gw", "GET", "/visits").get_json()
    assert (shown["checkin_point"], shown["note"]) == (None, "门口见")
    history = county.ask("gw", "GET", f"/records/visit/{visit}/history").get_data(as_text=True)
    assert str(centre(GRID)[0]) not in history


def test_what_belongs_to_a_household_moves_with_it(county: County, phone: SyncPhone) -> None:
    home = home_of(phone)
    phone.act("create", "visit", set={"household": home, "outcome": "met"})
    reply = county.ask("vl", "POST", f"/households/{home}/transfer", {"grid": SAME_VILLAGE_GRID})
    assert reply.status_code == 200
    [visit] = county.ask("colleague", "GET", "/visits").get_json()
    assert visit["grid"] == SAME_VILLAGE_GRID
    assert county.ask("gw", "GET", "/visits").get_json() == []
