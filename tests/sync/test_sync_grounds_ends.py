"""What consents cover stays, and what they no longer cover comes back by no other door."""

from typing import Any

from sync import grounds
from sync.clock import Anchors
from sync.edits import Draft, Edit
from sync.push import Push, push
from tests.sync.house import name_of
from tests.sync.test_sync_grounds import (
    CARDED,
    ENDED,
    HOUSE,
    KINDS,
    PERSON,
    SECRET,
    Family,
    FamilyGate,
)
from tests.sync.test_sync_grounds import _agreed as agreed
from tests.sync.test_sync_grounds import _family as family

SECOND = name_of("second")


def test_what_another_consent_covers_stays_when_one_is_made_and_ended_at_once() -> None:
    house = family()
    house.push("gw", CARDED)
    ended = ("update", "yes", SECOND, 1, {"state": "withdrawn"})
    touched = ("update", "card", PERSON, 1, {"home": HOUSE})
    results = house.push("lead", agreed(SECOND), touched, ended)
    assert [one["status"] for one in results] == ["applied"] * 3
    assert house.row("card", PERSON).values["phone"] == SECRET


def test_what_nothing_covers_falls_when_its_consent_is_made_and_ended_at_once() -> None:
    house = Family()
    home = ("create", "home", HOUSE, 0, {"grid": 7})
    house.push("gw", home, agreed(), CARDED, ENDED)
    assert house.row("card", PERSON).values["phone"] is None


# -- what was parked --------------------------------------------------------------------------

BARE = ("create", "card", PERSON, 0, {"home": HOUSE})
FORBIDDEN = name_of("w1")
"""The first edit of the stranger w: it is parked."""


def _drafts(house: Family, *edits: tuple[str, str, str, int, Any]) -> list[Draft]:
    """Return the next edits of the stranger w."""
    if name_of("w") not in house.store.devices:
        house.store.enrol(name_of("w"), 2)
    first = house.store.devices[name_of("w")].last_n + 1
    return [Draft(Edit(n, name_of(f"w{n}"), op, kind, rec, base, values, at={"claimed": 1000}))
            for n, (op, kind, rec, base, values) in enumerate(edits, first)]  # fmt: skip


def _send(house: Family, drafts: list[Draft]) -> list[Any]:
    gate = FamilyGate(forbidden={FORBIDDEN})
    context = Push(name_of("w"), 2, 10_000, Anchors(b"key"), gate, KINDS)
    return push(house.store, drafts, context).results


def _repair(house: Family, **values: Any) -> Any:
    [receipt] = house.push("lead", ("repair", "parked", FORBIDDEN, 0, values))
    return receipt


def _parked(**values: Any) -> tuple[Family, list[Draft]]:
    """Return a house whose consent has ended while an edit of the stranger lay parked."""
    house = family()
    house.push("gw", BARE)
    drafts = _drafts(house, ("update", "card", PERSON, 1, {"phone": SECRET, **values}))
    [receipt] = _send(house, drafts)
    assert receipt["status"] == "parked"
    house.push("gw", ENDED)
    return house, drafts


def test_a_repair_brings_nothing_back_whose_consent_has_ended() -> None:
    house, drafts = _parked(home=HOUSE)
    receipt = _repair(house)
    assert (receipt["status"], receipt["flags"]) == ("applied", ("consent_withdrawn",))
    assert house.row("card", PERSON).values["phone"] is None
    [again] = _send(house, drafts)
    assert again["status"] == "applied" and "consent_withdrawn" in again["flags"]
    assert SECRET not in house.memory()


def test_a_parked_edit_of_which_nothing_may_be_kept_is_laid_aside() -> None:
    house, drafts = _parked()
    receipt = _repair(house, phone="13900000000")
    assert (receipt["status"], receipt["code"]) == ("noted", "consent_withdrawn")
    assert house.row("card", PERSON).values["phone"] is None
    assert house.store.parked[FORBIDDEN].state == "discarded"
    [again] = _send(house, drafts)
    assert (again["status"], again["code"]) == ("noted", "consent_withdrawn")
    assert SECRET not in house.memory() and "13900000000" not in house.memory()
    assert _repair(house)["code"] == "not_parked"


def test_what_was_held_brings_nothing_back_whose_consent_has_ended() -> None:
    house = family()
    held = ("update", "card", PERSON, 0, {"phone": SECRET})
    results = _send(house, _drafts(house, BARE, held))
    assert [one["status"] for one in results] == ["parked", "held"]
    house.push("gw", ENDED)
    assert _repair(house)["status"] == "applied"
    assert house.row("card", PERSON).values["phone"] is None
    assert house.store.parked[name_of("w2")].state == "discarded"
    assert SECRET not in house.memory()


def test_a_swap_brings_nothing_back_whose_consent_has_ended() -> None:
    house = family()
    house.push("gw", CARDED)
    house.push("lead", ("update", "card", PERSON, 1, {"phone": "111"}))
    [late] = house.push("other", ("update", "card", PERSON, 1, {"phone": "222"}))
    house.push("gw", ENDED)
    choice = {"choice": "swap", "seen": 9}
    [receipt] = house.push("other", ("resolve", "conflict", late["conflicts"][0], 1, choice))
    assert receipt["code"] == "consent_ask_again"
    assert house.row("card", PERSON).values["phone"] is None
    assert house.row("card", PERSON).values[grounds.EMPTIED] == ["phone"]


def test_what_is_parked_or_held_without_some_fields_is_told_so() -> None:
    house = family()
    house.push("gw", ENDED)
    drafts = _drafts(house, CARDED, ("update", "card", PERSON, 0, {"phone": SECRET, "home": HOUSE}))
    results = _send(house, drafts)
    assert [one["status"] for one in results] == ["parked", "held"]
    for one in results:
        assert one["flags"] == ("consent_withdrawn",)
        assert grounds.barred_by(one) == ["phone"]
    assert SECRET not in house.memory()
    assert _repair(house)["status"] == "applied"
    assert {one["status"] for one in _send(house, drafts)} <= {"applied", "noop"}
    assert house.row("card", PERSON).values["phone"] is None
