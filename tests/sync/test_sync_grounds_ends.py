"""What consents cover stays, and what they no longer cover comes back by no other door."""

from tests.sync.house import name_of
from tests.sync.test_sync_grounds import CARDED, ENDED, HOUSE, PERSON, SECRET, Family
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
