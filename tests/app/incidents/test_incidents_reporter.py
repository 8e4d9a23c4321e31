"""Who reported is shown to himself and to whoever may close the case, and to no handler."""

import json
from typing import Any

import pytest

from app.core import sight
from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.identity import actors_of
from sync.snapshot import read
from tests.app.core.county import County, incident
from tests.app.identity.town import GRID
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
        who: room._name("area:1", engine.sight(found[county.ids[who]], now_ms()))
        for who in ("gw", "vl")
    }
    assert names["gw"] != names["vl"]


def _spoilt(county: County) -> str:
    """Let a report of the worker be parked, and return its id; a second one serves there too."""
    county.person("second", "gw", GRID)
    receipt = county.phone("gw").act("create", "incident", set=incident(category="9999"))
    assert receipt["status"] == "parked"
    return str(receipt["id"])


def _told(county: County, who: str, edit: str) -> dict[str, Any]:
    told: dict[str, Any]
    *_, told = [one["f"] for one in county.phone(who).pull() if one["id"] == edit]
    return told


def test_a_parked_report_does_not_tell_who_reported(county: County) -> None:
    edit, me = _spoilt(county), county.ids["gw"]
    for who, user in (("second", None), ("gw", me), ("ts", me)):
        told = _told(county, who, edit)
        assert (told["user"], told["device"] is None) == (user, user is None), who
    county.phone("gw").act("discard", "parked", edit)
    settled = _told(county, "second", edit)
    assert (settled["state"], settled["user"], settled["device"]) == ("discarded", None, None)


def test_the_office_list_of_parked_edits_cannot_be_asked_who_reported(county: County) -> None:
    edit = _spoilt(county)
    for who, user in (("au", None), ("ts", county.ids["gw"])):
        row = county.ask(who, "GET", f"/parked-edits/{edit}").get_json()
        assert (row["user"], row["device"] is None) == (user, user is None), who
        asked = county.ask(who, "GET", f"/parked-edits?user={county.ids['gw']}").get_json()
        assert [one["id"] for one in asked] == ([edit] if user else []), who


def test_the_copy_of_one_worker_with_his_parked_edits_is_not_given_to_another(
    county: County,
) -> None:
    edit = _spoilt(county)
    users = {}
    for who in ("gw", "second"):
        reply = county.ask(county.phone(who).who, "GET", f"/sync/snapshot/grid:{GRID}")
        [told] = [one["f"] for one in read(reply.data).items if one["id"] == edit]
        users[who] = (told["user"], any(told["edit"]["set"].values()))
    assert users == {"gw": (county.ids["gw"], True), "second": (None, False)}


def test_a_conflict_about_a_report_does_not_tell_whose_devices_met(county: County) -> None:
    made = cases.report(county)
    for who, category in (("gw", "0402"), ("ts", "0403")):
        county.phone(who).act("update", "incident", made["id"], base=1, set={"category": category})
    [values] = [one["f"] for one in county.phone("ts").pull() if one["t"] == "conflict"]
    engine = county.app.extensions["wangge_engine"]
    with county.database.transaction(Mode.READ) as session:
        found = actors_of(session, [county.ids["second"], county.ids["ts"]])
    for who, told in (("second", False), ("ts", True)):
        shown = engine.sight(found[county.ids[who]], now_ms()).conflict(values)
        devices = [shown[side]["device"] for side in sight.SIDES if shown.get(side)]
        assert [one is not None for one in devices] == [told] * len(devices), who
        assert len(devices) >= 2


def test_a_veil_hides_numbers_and_texts_and_nothing_that_only_looks_like_a_field() -> None:
    veil = sight.Veil(("reporter", "raised_incident"))
    body = json.dumps({"reporter": 7, "raised_incident": 'a"b\\', "text": '"reporter":7',
                       "title": "raised_incident", "n": 1})  # fmt: skip
    assert json.loads(veil.body(body)) == {
        **json.loads(body), "reporter": None, "raised_incident": None,
    }  # fmt: skip


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
