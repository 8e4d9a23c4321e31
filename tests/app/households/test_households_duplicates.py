"""The same household taken down twice: seen here, and elsewhere only that it is known."""

from typing import Any

from app.core.identifiers import new_id
from tests.app.core.county import County, household
from tests.app.households.answers import agreed, contact_fields, home_of
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID, outcome

PATH = "/households/duplicates"
TYPED = {"address_text": "人民路　１２号", "building": "3 号楼", "unit_room": "2-501"}
NUMBER = {"phone": "138 1234 5678"}


def _look(county: County, who: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = county.ask(who, "POST", PATH, body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    found: dict[str, Any] = reply.get_json()
    return found


def _known(county: County, who: str, grid: int) -> str:
    """Let somebody take down a household with a contact, and return its id."""
    phone, home, contact = county.phone(who), new_id(), new_id()
    receipts = phone.push(
        phone.edit("create", "household", home, set=household(grid=grid)),
        phone.edit("create", "consent", set=agreed(home, "contact", contact)),
        phone.edit("create", "contact", contact, schema=2, set=contact_fields(home)),
    )
    assert {one["status"] for one in receipts} == {"applied"}
    return home


def test_the_same_number_or_address_is_found_however_it_was_typed(county: County) -> None:
    home = _known(county, "gw", GRID)
    by_address = {"household": home, "grid": GRID, "same": "address"}
    by_phone = {"household": home, "grid": GRID, "same": "phone"}
    assert _look(county, "gw", TYPED) == {"candidates": [by_address], "elsewhere": False}
    assert _look(county, "gw", NUMBER) == {"candidates": [by_phone], "elsewhere": False}
    assert _look(county, "gw", {"address_text": "人民路 13 号"})["candidates"] == []
    assert _look(county, "gw", {"phone": "12345"}) == {"candidates": [], "elsewhere": False}


def test_of_another_grid_nothing_is_told_but_that_it_is_known(county: County) -> None:
    home = _known(county, "gw_next_village", NEXT_VILLAGE_GRID)
    for body in (TYPED, NUMBER, {**TYPED, **NUMBER}):
        reply = county.ask("gw", "POST", PATH, body)
        assert reply.get_json() == {"candidates": [], "elsewhere": True}
        assert home not in reply.get_data(as_text=True)


def test_the_supervisor_of_both_sees_where(county: County) -> None:
    home = _known(county, "gw_next_village", NEXT_VILLAGE_GRID)
    found = _look(county, "ts", NUMBER)
    assert found["candidates"] == [{"household": home, "grid": NEXT_VILLAGE_GRID, "same": "phone"}]
    assert not found["elsewhere"]
    _known(county, "gw_other_township", OTHER_TOWNSHIP_GRID)
    assert _look(county, "ts", NUMBER)["elsewhere"]


def test_a_look_is_written_down_without_what_was_looked_for(county: County) -> None:
    _look(county, "gw", NUMBER)
    [event] = county.events("resident.search_blind")
    assert event[0].user_id == county.ids["gw"] and "5678" not in str(event[0].details)
    assert outcome(county.ask("au", "POST", PATH, NUMBER)) == (403, "not_allowed")


def test_a_household_that_has_ended_is_no_duplicate(county: County) -> None:
    phone = county.phone("gw")
    home, other = home_of(phone), home_of(phone)
    said = {"verb": "merge", "household": home, "other": other, "state": "done"}
    assert phone.act("create", "household_act", set=said)["status"] == "applied"
    found = _look(county, "gw", TYPED)["candidates"]
    assert [one["household"] for one in found] == [home]


def test_a_look_costs_few_statements_however_much_there_is(county: County) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            _known(county, "gw", GRID)
        with county.statements() as seen:
            _look(county, "gw", {**TYPED, **NUMBER})
        counts.append(len(seen))
    assert counts[0] == counts[1]
