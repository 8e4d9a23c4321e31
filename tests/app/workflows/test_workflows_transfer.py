"""A household moves by one edit: with all that refers to it, exact on both phones, and cheap."""

import pytest

from app.core.identifiers import new_id
from tests.app.core.county import household
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, answer
from tests.app.workflows.conftest import Handed
from tests.app.workflows.handset import Handset, within_five_percent
from tests.app.workflows.street import Street


def transfer(street: Street, home: str, grid: int = SAME_VILLAGE_GRID, by: str = "ts") -> None:
    """Move a household."""
    reply = street.county.ask(by, "POST", f"/households/{home}/transfer", {"grid": grid})
    assert reply.status_code == 200, reply.get_data(as_text=True)
    assert reply.get_json()["status"] in ("applied", "merged")


def receipts(phone: Handset) -> dict[str, tuple[str, str | None, list[str]]]:
    """Return status, code and flags of all edits that the phone has had answered."""
    found = {one.id: one.receipt or {} for one in phone.replica.receipts()}
    return {name: (str(one["status"]), one.get("code"), list(one.get("flags", ())))
            for name, one in found.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("by", "grid", "told"),
    [
        ("ts", SAME_VILLAGE_GRID, (200, None)), ("vl", SAME_VILLAGE_GRID, (200, None)),
        ("ts", NEXT_VILLAGE_GRID, (200, None)), ("vl", NEXT_VILLAGE_GRID, (200, None)),
        ("ts", 13, (422, "invalid_fields")), ("ts", 7, (422, "invalid_fields")),
        ("ts", 999, (422, "invalid_fields")), ("gw", SAME_VILLAGE_GRID, (403, "not_allowed")),
        ("cm", SAME_VILLAGE_GRID, (403, "not_allowed")),
        ("ts_other_township", SAME_VILLAGE_GRID, (404, "not_found")),
        (None, SAME_VILLAGE_GRID, (401, "token_missing")),
    ],
)  # fmt: skip
def test_who_may_move_a_household_where(
    street: Street, by: str | None, grid: int, told: tuple[int, str | None]
) -> None:
    path = f"/households/{street.homes[0]}/transfer"
    assert answer(street.county.ask(by, "POST", path, {"grid": grid})) == told


def test_a_village_lead_proposes_to_move_a_household_to_another_village(street: Street) -> None:
    path = f"/households/{street.homes[0]}/transfer"
    reply = street.county.ask("vl", "POST", path, {"grid": NEXT_VILLAGE_GRID})
    assert reply.get_json()["status"] == "noted"
    opened = street.county.ask("ts", "GET", "/conflicts").get_json()
    [proposal] = [one for one in opened if one["rule"] == "proposal"]
    chosen = {"choice": "swap"}
    taken = street.county.ask("ts", "POST", f"/conflicts/{proposal['id']}/resolution", chosen)
    assert taken.status_code == 200
    phone = Handset(street.county, "gw_next_village")
    phone.sync()
    assert set(phone.rows()) == {*street.all_of(street.homes[0]), ("conflict", proposal["id"])}


def test_an_unknown_household_is_answered_like_one_out_of_scope(street: Street) -> None:
    body = {"grid": SAME_VILLAGE_GRID}
    ask = street.county.ask
    absent = ask("ts_other_township", "POST", f"/households/{new_id()}/transfer", body)
    there = ask("ts_other_township", "POST", f"/households/{street.homes[0]}/transfer", body)
    assert (absent.status_code, absent.get_data()) == (404, there.get_data())


def test_all_that_refers_to_it_goes_along_and_both_phones_are_exact(
    street: Street, handset: Handed
) -> None:
    old, new = handset("gw"), handset("colleague")
    home, moved = street.homes[0], street.all_of(street.homes[0])
    before = old.rows()
    transfer(street, home)
    lost, won = old.sync(), new.sync()
    assert old.is_exact() and new.is_exact()
    assert set(before) - set(old.rows()) == moved == set(new.rows())
    assert set(won.puts) == moved and not lost.puts
    assert within_five_percent(won.records, lost, won)


def test_many_households_cost_no_more_than_their_records(street: Street, handset: Handed) -> None:
    old, new = handset("gw"), handset("colleague")
    for home in street.homes:
        transfer(street, home)
    lost, won = old.sync(), new.sync()
    assert old.is_exact() and new.is_exact() and not old.rows()
    assert within_five_percent(won.records, lost, won)


def test_a_worker_of_both_grids_never_loses_sight_of_what_moves(
    street: Street, handset: Handed
) -> None:
    county = street.county
    county.ask("ts", "POST", f"/users/{county.ids['gw']}/posts",
               {"role": "gw", "area_id": SAME_VILLAGE_GRID})  # fmt: skip
    phone = handset("gw")
    held = set(phone.rows())
    transfer(street, street.homes[0])
    spent = records = pages = 0
    while True:
        shape, size = phone.exchange(want_bytes=1_000)
        assert set(phone.rows()) == held
        spent, pages = spent + size, pages + 1
        records += sum(len(str(item)) for item in shape["pull"]["items"])
        if shape["pull"]["complete"]:
            break
    assert pages > 2 and phone.is_exact()


def test_what_the_old_worker_did_before_the_move_is_applied_and_flagged(
    street: Street, handset: Handed
) -> None:
    old, new = handset("gw"), handset("colleague")
    home = street.homes[0]
    contact = next(rec for kind, rec in street.of[home] if kind == "contact")
    task = next(rec for kind, rec in street.of[home] if kind == "task")
    edits = [
        old.edit("update", "household", home, occupancy="lived_in"),
        old.edit("update", "contact", contact, name="王五"),
        old.edit("event", "task", task, state="accepted", round=0),
    ]
    added = old.edit("create", "contact", household=home, name="赵六", phone="13912345679")
    corrected = old.edit("update", "contact", added, name="赵七")
    transfer(street, home)
    old.sync()
    new.sync()
    told = receipts(old)
    assert told[corrected][0] == "applied"
    assert [told[one][0] for one in edits] == ["merged"] * 3
    assert told[edits[0]][2] == ["late_scope"]
    assert new.rows()["household", home][1]["occupancy"] == "lived_in"
    assert new.rows()["contact", contact][1]["name"] == "王五"
    assert new.rows()["contact", added][1]["grid"] == SAME_VILLAGE_GRID
    assert old.is_exact() and new.is_exact()


def test_what_he_did_after_it_is_parked_for_the_present_owner(
    street: Street, handset: Handed
) -> None:
    old, new = handset("gw"), handset("colleague")
    home = street.homes[0]
    transfer(street, home, NEXT_VILLAGE_GRID)
    old.later()
    edit = old.edit("update", "household", home, occupancy="lived_in")
    added = old.edit("create", "contact", household=home, name="赵六", phone="13912345679")
    old.sync()
    new.sync()
    told = receipts(old)
    assert told[edit][:2] == ("parked", "unknown_record")
    assert {one[0] for one in told.values()} == {"parked"}
    seen = street.county.ask("vl_next_village", "GET", "/parked-edits").get_json()
    assert {one["edit"]["rec"] for one in seen} == {home, added}
    assert street.county.ask("vl", "GET", "/parked-edits").get_json() == []
    repaired = street.county.ask("ts", "POST", f"/parked-edits/{edit}/repair", {"set": {}})
    assert repaired.status_code == 200
    assert old.is_exact() and new.is_exact()


def test_the_new_worker_may_work_on_it_as_soon_as_he_sees_it(
    street: Street, handset: Handed
) -> None:
    new, home = handset("colleague"), street.homes[0]
    transfer(street, home)
    new.sync()
    edit = new.edit("update", "household", home, occupancy="lived_in")
    contact = new.edit("create", "contact", household=home, name="钱七", phone="13912345670")
    new.sync()
    assert receipts(new)[edit] == ("applied", None, [])
    assert ("contact", contact) in new.rows() and new.is_exact()


@pytest.mark.parametrize("want_bytes", [400, 65_536])
def test_moved_back_moved_twice_deleted_and_moved_between_two_pages(
    street: Street, handset: Handed, want_bytes: int
) -> None:
    old, new, third = handset("gw"), handset("colleague"), handset("gw_next_village")
    homes = street.homes
    transfer(street, homes[0])
    transfer(street, homes[1])
    for phone in (old, new, third):
        phone.exchange(want_bytes)
    transfer(street, homes[0], GRID)
    transfer(street, homes[1], NEXT_VILLAGE_GRID)
    contact = next(rec for kind, rec in street.of[homes[2]] if kind == "contact")
    old.edit("delete", "contact", contact)
    transfer(street, homes[2])
    for phone in (old, new, third):
        phone.exchange(want_bytes)
    transfer(street, homes[2], GRID)
    transfer(street, homes[2])
    for phone in (old, new, third):
        phone.sync(want_bytes)
    for phone in (old, new, third):
        phone.sync(want_bytes)
        assert phone.is_exact()
    assert ("contact", contact) not in {**old.rows(), **new.rows(), **third.rows()}
    assert ("household", homes[0]) in old.rows()
    assert ("household", homes[1]) in third.rows()


def test_a_household_captured_in_a_foreign_grid_waits_for_that_grids_people(
    street: Street, handset: Handed
) -> None:
    phone = handset("gw")
    phone.edit("create", "household", **household(grid=NEXT_VILLAGE_GRID))
    phone.sync()
    seen = street.county.ask("vl_next_village", "GET", "/parked-edits").get_json()
    assert [one["code"] for one in seen] == ["out_of_scope"]
