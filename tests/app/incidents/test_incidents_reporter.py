"""Who reported is shown to himself and to whoever may close the case, and to no handler."""

import pytest

from app.core import sight
from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.identity import actors_of
from tests.app.core.county import County
from tests.app.incidents import cases
from tests.app.incidents.cases import TO_ANSWERED, TO_PROGRESS, seen, walked

SEES = {"gw": True, "second": False, "vl": True, "ts": True, "cm": True, "au": False}


def test_over_rest_handlers_do_not_see_the_reporter(county: County) -> None:
    case = walked(county, TO_PROGRESS)
    shown = {who: seen(county, case["id"], who)["reporter"] for who in SEES}
    assert shown == {who: county.ids["gw"] if sees else None for who, sees in SEES.items()}
    for who, sees in SEES.items():
        [row] = county.ask(who, "GET", "/incidents").get_json()
        assert (row["reporter"] is not None) == sees, who


def test_no_phone_of_the_grid_carries_the_reporter(county: County) -> None:
    """A copy of a scope is the same for all who serve it, the reporter's own phone among them."""
    case = walked(county, TO_PROGRESS, text='他说 "reporter":7 ，真的')
    for who, expected in (("second", None), ("gw", None), ("ts", county.ids["gw"])):
        found = [item["f"] for item in county.phone(who).pull() if item["id"] == case["id"]]
        assert [one["reporter"] for one in found] == [expected], who
        assert found[0]["text"] == '他说 "reporter":7 ，真的'


def test_the_history_tells_handlers_what_was_done_but_not_by_whom_reported(
    county: County,
) -> None:
    case = walked(county, TO_ANSWERED)
    path = f"/records/incident/{case['id']}/history"
    for who, sees in (("second", False), ("gw", True), ("ts", True)):
        first = county.ask(who, "GET", path).get_json()[0]
        assert first["user"] == (county.ids["gw"] if sees else None), who
        assert (first["device"] is not None) == sees, who


def test_the_stamp_of_a_step_does_not_name_the_reporter(county: County) -> None:
    made = cases.report(county)
    assert made["state_by"] is None and made["state_by_name"] is None
    moved = cases.move(county, "vl", made["id"], "rejected", reason="不属实").get_json()
    assert moved["state_by"] == county.ids["vl"]
    appealed = cases.move(county, "gw", made["id"], "appealed", reason="属实").get_json()
    assert appealed["state_by"] is None


def test_copies_made_for_one_sight_are_not_given_to_another(county: County) -> None:
    walked(county, TO_PROGRESS)
    engine, room = county.app.extensions["wangge_engine"], county.app.extensions["wangge_copies"]

    with county.database.transaction(Mode.READ) as session:
        found = actors_of(session, [county.ids["gw"], county.ids["vl"]])
    names = {
        who: room._name(engine.sight(found[county.ids[who]], now_ms())) for who in ("gw", "vl")
    }
    assert names["gw"] != names["vl"]


def test_the_walk_would_notice_a_veil_that_is_not_drawn(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(sight, "veils_of", lambda *_: {})
    with pytest.raises(AssertionError):
        test_no_phone_of_the_grid_carries_the_reporter(county)


def test_the_photo_of_a_report_does_not_tell_who_took_it(county: County) -> None:
    made, phone, photo = cases.report(county), county.phone("gw"), new_id()
    receipt = phone.act("create", "photo", photo, set={
        "incident": made["id"], "sha256": "0" * 64, "size_bytes": 10, "media_type": "image/jpeg",
    })  # fmt: skip
    assert receipt["status"] == "applied", receipt
    taken_by = {who: county.ask(who, "GET", f"/photos/{photo}").get_json()["taken_by"]
                for who in ("gw", "second", "ts")}  # fmt: skip
    assert taken_by == {"gw": county.ids["gw"], "second": None, "ts": county.ids["gw"]}
    [item] = [one for one in county.phone("second").pull() if one["id"] == photo]
    assert item["f"]["taken_by"] is None
