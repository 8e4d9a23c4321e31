"""The stock of a past moment is what was open then, whatever has happened or arrived since."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from app.core.database import Mode, table_of
from app.forms.bringing import bring_seed
from app.incidents.models import Incident
from app.numbers.stock import state_at
from app.phone.story import ALL_WELL
from tests.app.core.county import County
from tests.app.identity.town import COUNTY, GRID, TOWNSHIP, VILLAGE, outcome
from tests.app.incidents.cases import TO_ANSWERED, TO_CLOSED, walked


def _now() -> datetime:
    return datetime.now(UTC)


def _stock(county: County, at: datetime, who: str = "ts", area: int = TOWNSHIP) -> Any:
    return county.ask(who, "GET", f"/numbers/stock?area={area}&at={quote(at.isoformat())}")


def _line(county: County, at: datetime, code: str) -> dict[str, Any]:
    shown = _stock(county, at)
    assert shown.status_code == 200, shown.get_data(as_text=True)
    return next(one for one in shown.get_json()["numbers"] if one["code"] == code)


def _step(phone: Any, task: dict[str, Any], base: int, state: str, **more: Any) -> None:
    receipt = phone.act("event", "task", task["id"], base=base,
                        set={"state": state, "round": 0, **more})  # fmt: skip
    assert receipt["status"] == "applied", receipt


def test_a_stock_is_what_the_number_of_that_moment_was(county: County) -> None:
    before = _now()
    tasks = [county.task() for _ in range(12)]
    between = _now()
    told = county.ask("ts", "GET", f"/numbers?area={TOWNSHIP}&number=tasks_open").get_json()
    phone = county.phone("gw")
    for task in tasks[:6]:
        _step(phone, task, task["rv"], "accepted")
        _step(phone, task, task["rv"] + 1, "started")
        _step(phone, task, task["rv"] + 2, "done", report_text="好")
    early, middle, late = (_line(county, at, "tasks_open")["total"]
                           for at in (before, between, _now()))  # fmt: skip
    assert (early["numerator"], early["denominator"]) == (0, 0)
    assert (middle["numerator"], middle["denominator"]) == (12, 12)
    assert told["numbers"][0]["total"]["numerator"] == 12
    assert (late["numerator"], late["denominator"]) == (6, 12)
    rows = county.ask("ts", "GET", middle["rows"].removeprefix("/api/v1")).get_json()
    assert {row["id"] for row in rows["rows"]} == {task["id"] for task in tasks}
    rows = county.ask("ts", "GET", late["rows"].removeprefix("/api/v1")).get_json()
    assert {row["id"] for row in rows["rows"]} == {task["id"] for task in tasks[6:]}


def test_small_cells_of_a_stock_are_hidden(county: County) -> None:
    walked(county, TO_CLOSED)
    total = _line(county, _now(), "incidents_open")["total"]
    assert total["hidden"] and total["numerator"] is None


def test_a_stock_is_asked_of_a_township_and_of_what_the_ledger_knows(county: County) -> None:
    for reply in (_stock(county, _now(), "cm", COUNTY), _stock(county, _now() + timedelta(days=1)),
                  _stock(county, _now() - timedelta(days=400))):  # fmt: skip
        assert outcome(reply) == (422, "invalid_fields")
    assert outcome(_stock(county, _now(), "vl", COUNTY)) == (404, "not_found")


def test_what_came_too_late_has_changed_nothing() -> None:
    entries = [
        (1, "create", {"set": {"state": "assigned"}}),
        (5, "event", {"set": {"state": "done"}, "before": {"state": "assigned"}}),
        (3, "event", {"set": {"state": "cancelled"}}),
        (4, "update", {"set": {"title": "x"}, "before": {"title": "y"}}),
    ]
    assert [state_at(entries, ms) for ms in (0, 1, 4, 5, 9)] == [
        None, "assigned", "assigned", "done", "done",
    ]  # fmt: skip


def test_an_incident_answered_as_soon_as_it_was_claimed_is_marked(county: County) -> None:
    case = walked(county, TO_ANSWERED)
    [mark] = county.ask("ts", "GET", f"/numbers/marks?area={TOWNSHIP}").get_json()
    assert (mark["mark"], mark["kind"], mark["area"], mark["ids"], mark["tasks"]) == (
        "at_once", "incident", GRID, [case["id"]], [],
    )  # fmt: skip
    county.sql(sa.update(table_of(Incident)).where(Incident.id == case["id"])
               .values(claimed_at=_now() - timedelta(hours=1)))  # fmt: skip
    assert county.ask("ts", "GET", f"/numbers/marks?area={TOWNSHIP}").get_json() == []


def test_ten_incidents_answered_in_one_go_are_a_burst(county: County) -> None:
    for _ in range(10):
        walked(county, TO_ANSWERED)
    marks = county.ask("ts", "GET", f"/numbers/marks?area={TOWNSHIP}").get_json()
    [burst] = [one for one in marks if one["mark"] == "burst"]
    assert (burst["kind"], burst["count"], len(burst["ids"])) == ("incident", 10, 10)


def test_the_burden_counts_the_questions_of_the_forms_and_their_answers(county: County) -> None:
    with county.database.transaction(Mode.WRITE) as session:
        bring_seed(session, _now())
    tasks = [county.task(task_kind="inspection", title="巡查") for _ in range(6)]
    phone = county.phone("gw")
    for task in tasks[:5]:
        _step(phone, task, task["rv"], "accepted")
        _step(phone, task, task["rv"] + 1, "started")
        _step(phone, task, task["rv"] + 2, "done", report_text="好", answers=ALL_WELL)
    day = (_now() + timedelta(days=7)).date().isoformat()
    told = county.ask("vl", "GET", f"/numbers/burden?area={VILLAGE}&day={day}").get_json()
    [kind] = told["kinds"]
    questions = kind["fields_each"] - 1  # and a position
    assert questions >= len(ALL_WELL) and kind["tasks"] == 6
    assert kind["fields_asked"] == 6 * (questions + 1)
    assert kind["fields_answered"] == 5 * len(ALL_WELL)
    wide = county.ask("cm", "GET", f"/numbers/burden?area={COUNTY}&day={day}").get_json()
    assert wide["kinds"][0]["fields_answered"] is None
