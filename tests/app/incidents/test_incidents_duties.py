"""The duty list: who deals with which category where, and that no process judges by an old one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from app.calendar.rules import hours_from_text
from app.calendar.services import set_hours
from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.rulebook import EXTENSION, kept, note_change
from app.factory import create_app
from app.incidents.duties import Duty, proposed
from app.incidents.services import set_limits
from tests.app.core.county import GARBAGE, County, centre, household, place
from tests.app.identity.town import COUNTY, GRID, OTHER_TOWNSHIP, TOWNSHIP, VILLAGE, outcome
from tests.app.incidents.cases import TO_DISPATCHED, TO_FILED, move, seen, walked
from tests.conftest import settings_for

WHERE = ((1, "city"), (2, "county"), (4, "township"), (6, "village"), (9, "grid"))


def _set(county: County, who: str = "cm", **line: Any) -> Any:
    return county.ask(who, "PUT", "/incident-duties", {"area": TOWNSHIP, **line})


def _duties(*lines: Duty) -> dict[int, dict[str, Duty]]:
    found: dict[int, dict[str, Duty]] = {}
    for one in lines:
        found.setdefault(one.area_id, {})[one.category] = one
    return found


@pytest.mark.parametrize(("lines", "level", "start", "unit"), [
    ((), "village", "village", 9),
    ((), "township", "village", 4),
    ((Duty(2, "", 2, None),), "township", "township", 2),
    ((Duty(2, "", 2, None), Duty(4, "04", 4, None)), "township", "township", 4),
    ((Duty(4, "", 4, None), Duty(4, "0401", None, "grid")), "township", "township", 9),
    ((Duty(4, "03", 2, None),), "township", "township", 4),
    ((Duty(2, "0401", None, "village"), Duty(1, "", 1, None)), "county", "county", 6),
    ((Duty(2, "0401", None, "village"),), "county", "township", 2),
    ((Duty(2, "0401", 7, None),), "village", "village", 9),
])  # fmt: skip
def test_the_nearest_line_of_the_closest_category_counts_unless_the_case_has_gone_up(
    lines: tuple[Duty, ...], level: str, start: str, unit: int
) -> None:
    assert proposed(_duties(*lines), WHERE, "0401", level, start).unit == unit


def test_a_dispatch_goes_where_the_duty_list_says_and_says_so_before(county: County) -> None:
    case = walked(county, TO_FILED)
    path = f"/incidents/{case['id']}/proposed-unit"
    assert county.ask("ts", "GET", path).get_json()["by"] == "level"
    assert _set(county, category="04", unit_level="village").status_code == 200
    told = county.ask("ts", "GET", path).get_json()
    assert (told["unit"], told["level"], told["by"]) == (VILLAGE, "village", "duty")
    assert (told["duty_area"], told["duty_category"]) == (TOWNSHIP, "04")
    assert move(county, "ts", case["id"], "dispatched").get_json()["unit"] == VILLAGE


def test_whoever_dispatches_may_name_another_unit_than_the_list(county: County) -> None:
    assert _set(county, category="", unit=COUNTY).status_code == 200
    assert walked(county, TO_DISPATCHED)["unit"] == GRID


def test_a_line_is_replaced_and_struck_off_and_each_change_is_audited(county: County) -> None:
    assert [one["unit"] for one in _set(county, category="", unit=COUNTY).get_json()] == [COUNTY]
    lines = _set(county, category="", unit_level="grid").get_json()
    assert [(one["unit"], one["unit_level"]) for one in lines] == [(None, "grid")]
    assert _set(county, area=COUNTY, category=GARBAGE, unit=COUNTY).status_code == 200
    both = county.ask("gw", "GET", f"/incident-duties?area={VILLAGE}").get_json()
    assert [one["area_id"] for one in both] == [TOWNSHIP, COUNTY]
    assert _set(county, category="").get_json() == both[1:]
    assert len(county.events("incident_duty.set")) == 4


@pytest.mark.parametrize(("who", "line", "answered"), [
    ("ts", {"category": ""}, (403, "not_allowed")),
    ("cm", {"category": "", "area": 999}, (404, "not_found")),
    ("cm", {"category": "0499", "unit": TOWNSHIP}, (422, "invalid_fields")),
    ("cm", {"category": "4"}, (422, "invalid_fields")),
    ("cm", {"category": "", "unit": OTHER_TOWNSHIP}, (422, "invalid_fields")),
    ("cm", {"category": "", "unit": TOWNSHIP, "unit_level": "grid"}, (422, "invalid_fields")),
])  # fmt: skip
def test_what_is_no_duty_or_nobodys_to_set_is_refused(
    county: County, who: str, line: dict[str, Any], answered: tuple[int, str]
) -> None:
    assert outcome(_set(county, who, **line)) == answered
    assert county.ask("cm", "GET", f"/incident-duties?area={TOWNSHIP}").get_json() == []


# -- rules that are kept ----------------------------------------------------------------------


@contextmanager
def _another_worker(county: County) -> Iterator[Flask]:
    """Open the same database in another application, as another process would."""
    settings = county.app.extensions["wangge_settings"]
    app = create_app(settings_for(settings.database_url, settings.data_dir))
    try:
        yield app
    finally:
        app.extensions["wangge_database"].dispose()


def test_a_push_judges_by_what_another_worker_has_set_a_moment_before(county: County) -> None:
    first = walked(county, TO_FILED)
    assert move(county, "ts", first["id"], "dispatched").status_code == 200
    with _another_worker(county) as app, app.app_context():
        with app.extensions["wangge_database"].transaction(Mode.WRITE) as session:
            set_limits(session, COUNTY, GARBAGE, {"handle_hours": 24 * 300})
            set_hours(session, COUNTY, hours_from_text("08:00-09:00"))
    second = walked(county, TO_DISPATCHED)
    assert seen(county, second["id"])["due_at"] > "2027-12", "300 days of an hour each"


def test_what_was_rolled_back_is_never_kept(county: County) -> None:
    database = county.database
    with pytest.raises(ZeroDivisionError), database.transaction(Mode.WRITE) as session:
        set_limits(session, COUNTY, GARBAGE, {"handle_hours": 24 * 300})
        walked_in_it = session.connection()
        assert walked_in_it
        raise ZeroDivisionError
    assert seen(county, walked(county, TO_DISPATCHED)["id"])["due_at"] < "2027-12"


def test_rules_are_read_once_for_a_version(county: County) -> None:
    reads: list[str] = []

    def read() -> str:
        reads.append("read")
        return "rules"

    assert [kept("any", version, read) for version in ("a", "a", "b", "b", "a")] == ["rules"] * 5
    assert len(reads) == 3
    with county.database.transaction(Mode.WRITE) as session:
        note_change(session, "any")
        note_change(session, "any")
    assert EXTENSION in county.app.extensions


def _step_beside_other_work(county: County) -> int:
    """Push a day's mixture with one step of an incident; return how many statements it takes."""
    case, phone = walked(county, TO_DISPATCHED), county.phone("second")
    home = new_id()
    edits = [
        phone.edit("create", "household", home, set=household()),
        phone.edit("create", "visit", set={"household": home, "outcome": "met"}),
        phone.edit("create", "incident", set={
            "category": GARBAGE, "text": "垃圾无人清运", **place(*centre(GRID)),
            "state": "reported", "round": 0,
        }),
        phone.edit("event", "incident", case["id"], base=case["rv"],
                   set={"state": "claimed", "round": 1}),
    ]  # fmt: skip
    with county.statements() as said:
        receipts = phone.push(*edits)
    assert [one["status"] for one in receipts] == ["applied"] * 4
    return len(said)


def test_a_step_costs_no_statement_for_rules_that_nobody_has_changed(county: County) -> None:
    _step_beside_other_work(county)
    assert _step_beside_other_work(county) <= 24
