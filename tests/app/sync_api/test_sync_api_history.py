"""The history of a record: whole, paged, for those who may read it, and masked where they may."""

from typing import Any

import pytest

from app.core.identifiers import new_id
from tests.app.core.county import County, household, incident
from tests.app.identity.town import outcome


def _history(county: County, who: str, kind: str, record: str) -> list[dict[str, Any]]:
    reply = county.ask(who, "GET", f"/records/{kind}/{record}/history")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    rows: list[dict[str, Any]] = reply.get_json()
    return rows


def _clash(county: County) -> tuple[str, list[dict[str, Any]]]:
    """Let two phones write apart, swap that, undo it; return the household and the receipts."""
    one, two, home = county.phone("gw"), county.another_phone("gw"), new_id()
    receipts = [one.act("create", "household", home, set=household())]
    receipts.append(one.act("update", "household", home, base=1, set={"occupancy": "empty"}))
    receipts.append(two.act("update", "household", home, base=1, set={"occupancy": "seasonal"}))
    path = f"/conflicts/{receipts[2]['conflicts'][0]}/resolution"
    for choice in ("swap", "undo"):
        assert county.ask("vl", "POST", path, {"choice": choice}).status_code == 200
    return home, receipts


def test_a_history_tells_who_changed_what_and_what_lost(county: County) -> None:
    home, receipts = _clash(county)
    made, first, second, swap, undo = _history(county, "gw", "household", home)
    assert [one["edit"] for one in (made, first, second)] == [one["id"] for one in receipts]
    assert (made["op"], made["user"], made["rv"]) == ("create", county.ids["gw"], 1)
    assert made["fields"]["address_text"]["after"] == "人民路 12 号"
    assert first["fields"]["occupancy"] == {
        "before": "lived_in", "set": "empty", "after": "empty",
    }  # fmt: skip
    lost = [one for one in (first, second) if one["lost"]]
    assert second["status"] == "conflict" and second["conflicts"] == receipts[2]["conflicts"]
    stood = second["fields"]["occupancy"]["after"]
    assert lost == ([second] if stood == "empty" else [])
    other = {"empty": "seasonal", "seasonal": "empty"}[stood]
    assert (swap["op"], swap["choice"], swap["user"]) == ("resolve", "swap", county.ids["vl"])
    assert swap["fields"]["occupancy"] == {"before": stood, "after": other}
    assert undo["choice"] == "undo"
    assert undo["fields"]["occupancy"] == {"before": other, "after": stood}
    assert all(one["at"].endswith("Z") and one["received_at"].endswith("Z") for one in (made, undo))


def test_a_history_pages_to_its_end_with_one_query_a_page(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    for number in range(4):
        phone.act("update", "household", home, base=9, set={"building": str(number)})
    pages = county.pages("gw", f"/records/household/{home}/history?limit=2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({row["edit"] for page in pages for row in page}) == 5
    counts = []
    for limit in (1, 5):
        with county.statements() as said:
            county.ask("gw", "GET", f"/records/household/{home}/history?limit={limit}")
        counts.append(len(said))
        assert sum("sync_ledger" in one for one in said) == 1
    assert counts[0] == counts[1]
    reply = county.ask("gw", "GET", f"/records/household/{home}/history?cursor=x")
    assert outcome(reply) == (400, "bad_cursor")


def test_a_phone_reads_a_history_online(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    [made] = _history(county, phone.who, "household", home)
    assert made["device"] == phone.device


def test_who_may_read_a_record_may_read_its_history_and_nobody_else(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    path = f"/records/household/{home}/history"
    answers = {who: outcome(county.ask(who, "GET", path)) for who in ("ts", "cm", "au", "da")}
    assert answers == {
        "ts": (403, "reason_required"), "cm": (403, "reason_required"),
        "au": (403, "not_allowed"), "da": (403, "not_allowed"),
    }  # fmt: skip
    foreign = "/records/household/{}/history"
    assert county.same_nothing("gw_next_village", "GET", foreign, home, new_id())
    assert county.ask(None, "GET", path).status_code == 401
    assert county.ask("gw", "GET", f"/records/castle/{home}/history").status_code == 404


def test_values_are_masked_in_a_history_as_in_the_record(county: County) -> None:
    task = county.task()
    phone = county.phone("gw")
    moved = {"state": "accepted", "round": 0}
    phone.act("event", "task", task["id"], base=1, set=moved)
    phone.act("update", "task", task["id"], base=2, set={"report_text": "老人安好"})
    whole = _history(county, "gw", "task", task["id"])
    assert whole[-1]["fields"]["report_text"]["after"] == "老人安好"
    for who in ("cm", "au"):
        masked = _history(county, who, "task", task["id"])
        assert masked[-1]["fields"]["report_text"]["after"] is None
        assert masked[1]["fields"]["state"]["after"] == "accepted"
    stranger = county.ask("colleague", "GET", f"/records/task/{task['id']}/history")
    assert stranger.status_code in (403, 404)


def test_what_was_never_applied_stands_in_the_history_too(county: County) -> None:
    phone, rec = county.phone("gw"), new_id()
    phone.act("create", "incident", rec, set=incident())
    phone.act("update", "incident", rec, base=1, set={"category": "9999"})
    parked = _history(county, "gw", "incident", rec)[-1]
    assert (parked["status"], parked["code"], parked["rv"]) == ("parked", "invalid_fields", 0)
    assert parked["fields"]["category"]["set"] == "9999"
    masked = _history(county, "au", "incident", rec)[-1]
    assert masked["fields"]["category"]["set"] is None


@pytest.mark.parametrize("who", ["gw", "vl"])
def test_the_reading_of_a_history_is_written_down(county: County, who: str) -> None:
    home = new_id()
    county.phone("gw").act("create", "household", home, set=household())
    before = county.events("household.history")
    _history(county, who, "household", home)
    assert len(county.events("household.history")) == len(before) + 1
