"""Numbers over HTTP: what they count, for whom, and the very rows behind them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import table_of
from app.core.identifiers import new_id
from app.households.models import Household
from app.incidents.models import Incident
from app.numbers.commands import PAGE, with_definitions
from app.numbers.definitions import NUMBERS
from app.tasks.models import Task
from tests.app.core.county import County, household, incident
from tests.app.identity.town import (
    COUNTY,
    GRID,
    NEXT_VILLAGE,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP,
    TOWNSHIP,
    VILLAGE,
    outcome,
)

TODAY = datetime.now(UTC)


def _capture(county: County, who: str, grid: int, count: int) -> None:
    phone = county.phone(who)
    edits = [phone.edit("create", "household", set=household(grid=grid)) for _ in range(count)]
    assert all(one["status"] == "applied" for one in phone.push(*edits))


@pytest.fixture
def homes(county: County) -> County:
    """Return a county with 6 households in one village and 8 in the next, all of today."""
    _capture(county, "gw", GRID, 6)
    _capture(county, "gw_next_village", NEXT_VILLAGE_GRID, 8)
    return county


def _read(county: County, who: str, query: str = "") -> dict[str, dict[str, Any]]:
    reply = county.ask(who, "GET", f"/numbers?{query}")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    return {line["code"]: line for line in reply.get_json()["numbers"]}


def _parts(cell: dict[str, Any]) -> tuple[Any, Any]:
    return cell["numerator"], cell["denominator"]


def test_households_are_counted_by_village_with_numerator_and_denominator(homes: County) -> None:
    line = _read(homes, "ts", f"area={TOWNSHIP}")["households_confirmed"]
    assert _parts(line["total"]) == (14, 14) and line["total"]["value"] == 1.0
    assert {cell["area"]: _parts(cell) for cell in line["areas"]} == {
        VILLAGE: (6, 6), NEXT_VILLAGE: (8, 8),
    }  # fmt: skip


def test_a_period_counts_what_happened_in_it_and_nothing_else(homes: County) -> None:
    long_ago = _read(homes, "ts", f"area={TOWNSHIP}&period=day&day=2020-01-01")
    assert _parts(long_ago["households_confirmed"]["total"]) == (0, 14)


def test_one_small_village_hides_its_neighbour_too_but_not_their_sum(homes: County) -> None:
    _age_households(homes, GRID, 6)
    _age_households(homes, NEXT_VILLAGE_GRID, 3)
    line = _read(homes, "ts", f"area={TOWNSHIP}")["households_confirmed"]
    assert _parts(line["total"]) == (5, 14)
    assert [(one["hidden"], *_parts(one)) for one in line["areas"]] == [(True, None, None)] * 2
    own = _read(homes, "vl", f"area={VILLAGE}")["households_confirmed"]
    assert own["total"]["hidden"], "its own table says no more than the one above"


def _age_households(county: County, grid: int, count: int) -> None:
    """Let some households of a grid have been confirmed a year ago."""
    table = table_of(Household)
    ids = county.sql(sa.select(table.c.id).where(table.c.grid == grid).limit(count))
    past = TODAY - timedelta(days=365)
    county.sql(sa.update(table).where(table.c.id.in_([row.id for row in ids]))
               .values(last_confirmed_at=past))  # fmt: skip


def test_the_rows_behind_a_number_are_those_that_were_counted(homes: County) -> None:
    _age_households(homes, GRID, 6)
    line = _read(homes, "vl", f"area={VILLAGE}")["households_confirmed"]
    assert _parts(line["total"]) == (0, 6)
    here = line["total"]["rows"].removeprefix("/api/v1")
    counted = {of: homes.ask("vl", "GET", f"{here}&of={of}").get_json() for of in
               ("all", "met", "not_met")}  # fmt: skip
    assert {of: len(one["rows"]) for of, one in counted.items()} == {
        "all": 6, "met": 0, "not_met": 6,
    }  # fmt: skip
    assert counted["all"]["kind"] == "household"
    assert counted["all"]["rows"][0]["address_text"] == "***", "a lead sees lists masked"


def test_who_may_not_list_rows_gets_no_address_of_rows(homes: County) -> None:
    lines = _read(homes, "cm", f"area={COUNTY}")
    assert lines["households_confirmed"]["total"]["rows"] is None
    assert lines["incidents_open"]["total"]["rows"]
    reply = homes.ask("cm", "GET", f"/numbers/households_confirmed/rows?area={COUNTY}")
    assert outcome(reply) == (403, "not_allowed")


def test_an_auditor_sees_sums_from_ten_on(homes: County) -> None:
    reply = homes.ask("au", "GET", f"/numbers?area={TOWNSHIP}&number=households_confirmed")
    assert reply.get_json()["smallest"] == 10
    line = reply.get_json()["numbers"][0]
    assert _parts(line["total"]) == (14, 14)
    assert all(cell["hidden"] and cell["rows"] is None for cell in line["areas"])
    own = homes.ask("ts", "GET", f"/numbers?area={TOWNSHIP}&number=households_confirmed")
    assert own.get_json()["smallest"] == 5


def test_tasks_on_time_late_and_sent_back(county: County) -> None:
    tasks = [county.task()["id"] for _ in range(12)]
    table, past = table_of(Task), TODAY - timedelta(hours=1)
    county.sql(sa.update(table).values(due_at=past))
    done = sa.update(table).where(table.c.id.in_(tasks[:7]))
    county.sql(done.values(state="done", done_at=past))
    county.sql(sa.update(table).where(table.c.id.in_(tasks[:5])).values(rework_count=1))
    county.sql(sa.update(table).where(table.c.id == tasks[11]).values(state="cancelled"))
    day = (past + timedelta(hours=8)).date().isoformat()
    lines = _read(county, "ts", f"area={VILLAGE}&period=day&day={day}")
    assert lines["tasks_on_time"]["total"]["hidden"], "four are not done: few enough to be named"
    county.sql(sa.update(table).where(table.c.id == tasks[6]).values(
        done_at=past + timedelta(seconds=1)))  # fmt: skip
    lines = _read(county, "ts", f"area={VILLAGE}&period=day&day={day}")
    assert _parts(lines["tasks_on_time"]["total"]) == (6, 11)
    assert lines["tasks_rework"]["total"]["hidden"], "two were not sent back"
    assert lines["tasks_open"]["total"]["hidden"], "four are open"


def test_incidents_reported_and_open(county: County) -> None:
    phone = county.phone("gw")
    reports = [phone.edit("create", "incident", set=incident()) for _ in range(9)]
    assert all(one["status"] == "applied" for one in phone.push(*reports))
    lines = _read(county, "gw")
    assert lines["incidents_reported"]["total"]["area"] == GRID
    assert _parts(lines["incidents_reported"]["total"]) == (9, None)
    assert _parts(lines["incidents_open"]["total"]) == (9, None)


def test_incidents_on_time_returned_done_again_and_how_people_found_it(county: County) -> None:
    phone = county.phone("gw")
    reports = [phone.edit("create", "incident", set=incident()) for _ in range(12)]
    assert all(one["status"] == "applied" for one in phone.push(*reports))
    ids, table, past = [one["rec"] for one in reports], table_of(Incident), TODAY

    def write(some: list[str], **values: Any) -> None:
        county.sql(sa.update(table).where(table.c.id.in_(some)).values(**values))

    write(ids, due_at=past, dispatched_at=past, state="in_progress")
    write(ids[:6], answered_at=past - timedelta(minutes=1), closed_at=past, state="closed")
    write(ids[6:7], answered_at=past + timedelta(minutes=1), state="answered")
    write(ids[:5], return_count=1, rework_count=2)
    write(ids[:6], score_service=5, score_result=4)
    write(ids[11:], state="merged")
    day = (past + timedelta(hours=8)).date().isoformat()
    lines = _read(county, "ts", f"area={VILLAGE}&period=day&day={day}")
    totals = {code: line["total"] for code, line in lines.items()}
    assert _parts(totals["incidents_on_time"]) == (6, 11)
    assert _parts(totals["incidents_returned"]) == (5, 12)
    assert totals["incidents_rework"]["hidden"], "two were not sent back"
    assert _parts(totals["residents_content"]) == (6, 6)
    assert _parts(totals["incidents_open"]) == (5, None)
    write(ids[:1], score_result=3)
    lines = _read(county, "ts", f"area={VILLAGE}&period=day&day={day}")
    assert lines["residents_content"]["total"]["hidden"], "one who is not content is not named"


def test_what_was_deleted_is_not_counted(homes: County) -> None:
    homes.sql(sa.update(table_of(Household)).where(Household.grid == GRID).values(deleted="gone"))
    line = _read(homes, "ts", f"area={TOWNSHIP}")["households_confirmed"]
    assert _parts(line["total"]) == (8, 8)


def test_an_area_out_of_scope_and_an_absent_one_are_the_same_404(homes: County) -> None:
    assert homes.same_nothing("ts", "GET", "/numbers?area={}", str(OTHER_TOWNSHIP), "999999")
    path = "/numbers/tasks_open/rows?area={}"
    assert homes.same_nothing("ts", "GET", path, str(OTHER_TOWNSHIP), "999999")
    assert outcome(homes.ask("ts", "GET", f"/numbers/{new_id()}/rows?area={TOWNSHIP}"))[0] == 404


def test_device_admins_see_no_numbers_and_nobody_without_a_token(homes: County) -> None:
    assert outcome(homes.ask("da", "GET", "/numbers")) == (403, "not_allowed")
    assert outcome(homes.ask(None, "GET", "/numbers")) == (401, "token_missing")


def test_a_wish_that_makes_no_sense_is_refused(homes: County) -> None:
    for query in ("period=year", "day=32", "number=rank", "area=0"):
        assert outcome(homes.ask("ts", "GET", f"/numbers?{query}")) == (422, "invalid_fields")


def test_all_numbers_of_an_area_cost_the_same_few_statements(homes: County) -> None:
    costs = []
    for area in (VILLAGE, COUNTY):
        with homes.statements() as seen:
            _read(homes, "cm", f"area={area}")
        costs.append(len(seen))
    assert costs[0] == costs[1] <= 6


def test_the_page_and_the_api_show_the_one_table_of_definitions(county: County) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_definitions(page) == page, "flask numbers definitions --write"
    told = county.ask("gw", "GET", "/numbers/definitions").get_json()
    assert [one["code"] for one in told] == [number.code for number in NUMBERS]
    assert all(one["counts_zh"] and one["why_zh"] for one in told)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1999-12-31", "2201-01-01"])
def test_a_day_beyond_the_years_of_the_calendar_is_refused(county: County, day: str) -> None:
    for period in ("day", "week", "month", "quarter"):
        reply = county.ask("ts", "GET", f"/numbers?day={day}&period={period}")
        assert outcome(reply) == (422, "invalid_fields"), period
    assert county.ask("ts", "GET", "/numbers?day=2200-12-31&period=quarter").status_code == 200
