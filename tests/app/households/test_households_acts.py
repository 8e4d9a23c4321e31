"""Households move in and out, split, merge, are corrected: each by one edit, undone by one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.records import kind_of
from app.households.act_models import HouseholdAct
from app.households.models import Household
from app.households.verbs import VERBS
from tests.app.core.county import County, SyncPhone, household
from tests.app.households.answers import agreed, contact_fields, home_of
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, outcome

Record = dict[str, Any]


@pytest.fixture
def phone(county: County) -> SyncPhone:
    """Return the phone of the worker of the first grid."""
    return county.phone("gw")


def _family(phone: SyncPhone, people: int = 2) -> tuple[str, list[str]]:
    """Let a worker capture a household with people who agreed to be reached."""
    home, names = home_of(phone), [new_id() for _ in range(people)]
    for name in names:
        phone.push(
            phone.edit("create", "consent", set=agreed(home, "contact", name)),
            phone.edit("create", "contact", name, schema=2, set=contact_fields(home)),
        )
    return home, names


def _do(phone: SyncPhone, verb: str, home: str, **more: Any) -> Record:
    said = {"verb": verb, "household": home, "state": "done", **more}
    return phone.act("create", "household_act", set=said)


def _undo(phone: SyncPhone, act: Record) -> Record:
    return phone.act("update", "household_act", act["rec"], base=act["rv"], set={"state": "undone"})


def _stored(county: County, *kinds: str) -> dict[str, Record]:
    """Return all records of some kinds as they stand, deleted ones with their mark."""
    engine, found = current_engine(), {}
    for kind in kinds:
        t = engine.tables[kind].table.c
        for row in county.sql(sa.select(t.id, t.deleted, t.body)):
            values = json.loads(engine.seal.open(kind, row.id, row.body))
            found[row.id] = {**values, "deleted": row.deleted}
    return found


def _whole(county: County) -> dict[str, Record]:
    return _stored(county, "household", "contact", "service_person", "consent")


def test_a_move_out_empties_the_home_and_its_undo_brings_everything_back(
    county: County, phone: SyncPhone
) -> None:
    home, people = _family(phone)
    before = _whole(county)
    act = _do(phone, "move_out", home)
    assert act["status"] == "applied"
    after = _whole(county)
    assert (after[home]["occupancy"], after[home]["residents_count"]) == ("empty", 0)
    assert [after[one]["deleted"] for one in people] == ["office", "office"]
    assert _undo(phone, act)["status"] == "applied"
    assert _whole(county) == before


def test_people_who_move_take_their_consents_along(county: County, phone: SyncPhone) -> None:
    home, people = _family(phone)
    other = home_of(phone)
    act = _do(phone, "move_in", other, other=home, people=people[:1])
    assert act["status"] == "applied"
    found = _whole(county)
    assert [found[one]["household"] for one in people] == [other, home]
    about = [one for one in found.values() if one.get("subject") == people[0]]
    assert [one["household"] for one in about] == [other]
    assert found[home]["occupancy"] == "lived_in"


def test_a_split_makes_a_household_and_a_merger_ends_one(county: County, phone: SyncPhone) -> None:
    home, people = _family(phone)
    new, before = new_id(), _whole(county)
    split = _do(phone, "split", home, other=new, people=people[1:])
    found = _whole(county)
    assert found[new]["address_text"] == found[home]["address_text"]
    assert [found[one]["household"] for one in people] == [home, new]
    merged = _do(phone, "merge", home, other=new)
    found = _whole(county)
    assert [found[one]["household"] for one in people] == [home, home]
    assert found[new]["deleted"] == "office"
    assert _undo(phone, split)["code"] == "changed_since"
    assert _undo(phone, merged)["status"] == _undo(phone, split)["status"] == "applied"
    left = _whole(county)
    assert left.pop(new)["deleted"] == "office"
    assert left == before


def test_a_correction_is_one_act_with_its_history(county: County, phone: SyncPhone) -> None:
    home, _ = _family(phone, 0)
    act = _do(phone, "correct", home, changes={"residents_count": 4}, reason="数错了")
    shown = county.ask("gw", "GET", f"/households/{home}/acts").get_json()
    [effect] = shown[0]["effects"]
    assert (effect["was"], effect["now"]) == ({"residents_count": None}, {"residents_count": 4})
    phone.act(
        "update",
        "household",
        home,
        base=9,
        set={
            "residents_count": 5,
            **dict.fromkeys(
                (
                    "count_0_5",
                    "count_6_13",
                    "count_14_17",
                    "count_18_59",
                    "count_60_79",
                    "count_80_up",
                )
            ),
        },
    )
    assert _undo(phone, act)["code"] == "changed_since"


WRONG: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("merge", {"other": new_id()}, "unknown_record"),
    ("move_out", {"people": [new_id()]}, "not_in_household"),
    ("correct", {"changes": {"heating": "gas"}}, "not_part_of_verb"),
    ("correct", {"changes": {"grid": 11}}, "not_part_of_verb"),
    ("correct", {"changes": {"residents_count": 99}}, "out_of_range"),
    ("split", {"other": new_id()}, "required"),
    ("correct", {"changes": ["occupancy"]}, "not_an_object"),
    ("correct", {"changes": {"no field": 1}}, "not_part_of_verb"),
    ("merge", {"other": "nobody"}, "not_an_id"),
)


def test_what_cannot_be_done_is_refused_whole(county: County, phone: SyncPhone) -> None:
    home, _ = _family(phone)
    before = _whole(county)
    for verb, more, code in WRONG:
        receipt = _do(phone, verb, home, **more)
        assert (receipt["status"], receipt["errors"][0]["code"]) == ("parked", code), verb
    assert _whole(county) == before


def test_nobody_acts_on_a_household_beyond_his_reach(county: County, phone: SyncPhone) -> None:
    home, _ = _family(phone)
    theirs = new_id()
    far = county.phone("gw_next_village")
    far.act("create", "household", theirs, set=household(grid=NEXT_VILLAGE_GRID))
    taken = _do(phone, "merge", home, other=theirs)
    assert (taken["status"], taken["code"]) == ("parked", "out_of_scope")
    near = new_id()
    county.phone("colleague").act("create", "household", near,
                                  set=household(grid=SAME_VILLAGE_GRID))  # fmt: skip
    lead = _do(county.phone("vl"), "merge", near, other=home)
    assert lead["status"] == "applied"
    grids = {one["grid"] for one in _stored(county, "contact").values()}
    assert grids == {SAME_VILLAGE_GRID}


def test_the_office_sees_beforehand_what_an_act_would_do(county: County, phone: SyncPhone) -> None:
    home, people = _family(phone)
    before = _whole(county)
    path = f"/households/{home}/acts"
    shown = county.ask("gw", "POST", path, {"verb": "move_out", "dry_run": True})
    assert shown.status_code == 201
    assert {one["rec"] for one in shown.get_json()["effects"]} == {home, *people}
    assert _whole(county) == before and county.ask("gw", "GET", path).get_json() == []
    done = county.ask("gw", "POST", path, {"verb": "move_out"}).get_json()
    undone = county.ask("gw", "POST", f"/household-acts/{done['id']}/undo")
    assert undone.get_json()["state"] == "undone"
    assert _whole(county) == before
    again = county.ask("gw", "POST", f"/household-acts/{done['id']}/undo")
    assert outcome(again) == (409, "changed_since")
    assert county.ask("colleague", "POST", path, {"verb": "move_out"}).status_code == 404
    assert outcome(county.ask("ts", "POST", path, {"verb": "move_out"}))[0] == 403


def test_two_acts_at_once_on_phones_that_knew_nothing_of_each_other(
    county: County, phone: SyncPhone
) -> None:
    """Of two acts on the same people, the second finds them gone and is kept for a human."""
    home, people = _family(phone)
    one, other = home_of(phone), home_of(phone)
    second = county.another_phone("gw")
    assert _do(phone, "move_out", home, other=one, people=people)["status"] == "applied"
    late = _do(second, "move_out", home, other=other, people=people)
    assert (late["status"], late["errors"][0]["code"]) == ("parked", "not_in_household")
    assert {_whole(county)[name]["household"] for name in people} == {one}


# -- one person, one current household ----------------------------------------------------------


def _moves() -> st.SearchStrategy[list[tuple[int, ...]]]:
    """Return random plays: verb or undo, household, other household, which people."""
    step = st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 9), st.integers(0, 7))
    return st.lists(step, min_size=4, max_size=14)


def _check(found: dict[str, Record]) -> None:
    homes = {name: one for name, one in found.items() if "address_text" in one}
    for name, one in found.items():
        if "relation" in one and one["deleted"] is None:
            home = homes.get(one["household"])
            assert home is not None and home["deleted"] is None, name
            assert home["grid"] == one["grid"] == GRID


def _play(county: County, phone: SyncPhone, moves: list[tuple[int, ...]]) -> None:
    """Play moves from a fresh street, undo what can be undone, and check after each step."""
    homes = [_family(phone, 2)[0], _family(phone, 1)[0], home_of(phone)]
    begin = _whole(county)
    done: list[Record] = []
    for verb, one, other, mask in moves:
        if verb > len(VERBS) - 1:
            if done and _undo(phone, done[-1])["status"] == "applied":
                done.pop()
        else:
            done += _one_act(county, phone, homes, VERBS[verb], one, other, mask)
        _check(_whole(county))
    for act in reversed(done):
        assert _undo(phone, act)["status"] == "applied"
    end = {name: one for name, one in _whole(county).items() if name in begin}
    assert end == begin


def _one_act(
    county: County, phone: SyncPhone, homes: list[str], verb: str, one: int, other: int, mask: int
) -> Iterator[Record]:
    here, there = homes[one % len(homes)], homes[other % len(homes)]
    found = _stored(county, "contact")
    source = there if verb == "move_in" else here
    living = [n for n, c in sorted(found.items())
              if c["household"] == source and c["deleted"] is None]  # fmt: skip
    people = [name for place, name in enumerate(living) if mask >> place & 1]
    more: Record = {"people": people} if people and verb not in ("merge", "correct") else {}
    if verb == "split":
        more["other"] = new_id()
    elif verb != "correct" and here != there:
        more["other"] = there
    else:
        more |= {"changes": {"occupancy": "seasonal"}} if verb == "correct" else {}
    receipt = _do(phone, verb, here, **more)
    if receipt["status"] == "applied":
        homes += [more["other"]] if verb == "split" else []
        yield receipt


def test_whatever_is_played_and_undone_everybody_has_one_current_household(
    county: County, phone: SyncPhone
) -> None:
    @settings(max_examples=12, derandomize=True)
    @given(_moves())
    def play(moves: list[tuple[int, ...]]) -> None:
        _play(county, phone, moves)

    play()


def test_an_act_touches_the_household_it_names_only() -> None:
    acts_on = kind_of(HouseholdAct).acts_on
    assert acts_on is not None
    assert acts_on({"household": "x", "other": 3}) == ()
    name = new_id()
    assert acts_on({"household": name}) == ((Household.kind, name),)
