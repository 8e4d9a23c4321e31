"""Many tasks in one act: to a list, to all of an area, by rule; and how far they have come."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from app.core.records import sync_tables
from tests.app.core.county import County, household
from tests.app.identity.town import (
    COUNTY,
    GRID,
    NEXT_VILLAGE,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    TOWNSHIP,
    VILLAGE,
    outcome,
)

COUNTY_GRIDS = {GRID, SAME_VILLAGE_GRID, NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID}


def _tasks(county: County, batch: dict[str, Any]) -> list[dict[str, Any]]:
    found = county.ask("cm", "GET", f"/tasks?batch={batch['id']}&limit=200").get_json()
    return sorted(found, key=lambda task: task["grid"])


def test_an_area_is_handed_out_one_task_to_each_grid_and_its_worker(county: County) -> None:
    batch = county.made("cm", "/task-batches", {"task_kind": "inspection", "area": COUNTY})
    assert (batch["way"], batch["tasks"], batch["unserved"]) == ("area", 4, 0)
    assert batch["title"] == "日常巡查"
    tasks = _tasks(county, batch)
    assert {task["grid"] for task in tasks} == COUNTY_GRIDS
    workers = {"gw": GRID, "colleague": SAME_VILLAGE_GRID, "gw_next_village": NEXT_VILLAGE_GRID,
               "gw_other_township": OTHER_TOWNSHIP_GRID}  # fmt: skip
    assert {task["grid"]: task["assignee"] for task in tasks} == {
        grid: county.ids[who] for who, grid in workers.items()
    }
    assert {task["assigned_by"] for task in tasks} == {county.ids["cm"]}
    due = datetime.fromisoformat(tasks[0]["due_at"]) - datetime.now(UTC)
    assert timedelta(days=6) < due <= timedelta(days=7)


def test_each_grid_gets_one_row_of_its_feed_and_the_phones_see_their_task(county: County) -> None:
    feed = sync_tables.feed
    before = dict(county.sql(sa.select(feed.c.scope, sa.func.count()).group_by(feed.c.scope)))
    batch = county.made("cm", "/task-batches", {"task_kind": "inspection", "area": COUNTY})
    after = dict(county.sql(sa.select(feed.c.scope, sa.func.count()).group_by(feed.c.scope)))
    grown = {scope: number - before.get(scope, 0) for scope, number in after.items()}
    assert grown == {f"grid:{grid}": 1 for grid in COUNTY_GRIDS}
    [item] = county.phone("gw").pull()
    assert item["f"]["batch"] == batch["id"] and item["f"]["state"] == "assigned"


def test_handing_out_takes_the_same_statements_for_one_grid_and_for_many(county: County) -> None:
    counts = []
    county.made("cm", "/task-batches", {"task_kind": "inspection", "grids": [GRID]})
    for where in ({"grids": [GRID]}, {"grids": sorted(COUNTY_GRIDS)}):
        with county.statements() as seen:
            county.made("cm", "/task-batches", {"task_kind": "inspection", **where})
        counts.append(len([one for one in seen if "SAVEPOINT" not in one]))
    assert counts[0] == counts[1] <= 24, counts


def test_a_list_of_households_goes_to_the_workers_of_their_grids(county: County) -> None:
    elsewhere = household(grid=SAME_VILLAGE_GRID)
    homes = [county.made("gw", "/households", household()),
             county.made("colleague", "/households", elsewhere)]  # fmt: skip
    body = {"task_kind": "visit", "title": "走访", "households": [one["id"] for one in homes]}
    batch = county.made("vl", "/task-batches", body)
    assert (batch["way"], batch["area_id"], batch["tasks"]) == ("households", VILLAGE, 2)
    assert {(one["household"], one["assignee"]) for one in _tasks(county, batch)} == {
        (homes[0]["id"], county.ids["gw"]), (homes[1]["id"], county.ids["colleague"]),
    }  # fmt: skip


def test_the_pool_gets_what_is_meant_for_it_and_what_lies_where_nobody_serves(
    county: County,
) -> None:
    body = {"task_kind": "inspection", "area": VILLAGE, "assign": "pool"}
    free = _tasks(county, county.made("ts", "/task-batches", body))
    assert [(one["assignee"], one["pool"]) for one in free] == [(None, True)] * 2
    post = county.ask("ts", "GET", f"/users/{county.ids['colleague']}").get_json()["posts"][0]
    assert county.ask("ts", "DELETE", f"/posts/{post['id']}").status_code == 204
    batch = county.made("ts", "/task-batches", {**body, "assign": "worker"})
    assert (batch["tasks"], batch["unserved"]) == (2, 1)
    by_grid = {one["grid"]: one for one in _tasks(county, batch)}
    assert by_grid[SAME_VILLAGE_GRID]["pool"] and by_grid[GRID]["assignee"] == county.ids["gw"]


def test_nobody_hands_out_beyond_his_area_and_absent_places_look_the_same(county: County) -> None:
    kind = {"task_kind": "visit"}
    foreign = county.made("gw_other_township", "/households", household(grid=OTHER_TOWNSHIP_GRID))
    cases = ({"area": OTHER_TOWNSHIP}, {"area": 999_999}, {"grids": [GRID, OTHER_TOWNSHIP_GRID]},
             {"grids": [GRID, 999_999]}, {"grids": [VILLAGE]}, {"households": [foreign["id"]]},
             {"households": [new_id()]}, {"area": COUNTY})  # fmt: skip
    for path in ("/task-batches", "/task-batches/preview"):
        for where in cases:
            assert outcome(county.ask("ts", "POST", path, kind | where))[0] in (403, 404), where
        for who in ("gw", "au", "da"):
            reply = county.ask(who, "POST", path, kind | {"area": VILLAGE})
            assert outcome(reply) == (403, "not_allowed"), who
    assert county.ask("cm", "GET", "/tasks").get_json() == []


def test_what_makes_no_sense_is_refused(county: County) -> None:
    cases = (
        ({"task_kind": "visit"}, "area"),
        ({"task_kind": "visit", "area": VILLAGE, "grids": [GRID]}, "area"),
        ({"task_kind": "visit", "grids": [GRID], "unseen_days": 9}, "unseen_days"),
        ({"task_kind": "spying", "area": VILLAGE}, "task_kind"),
    )
    for body, field in cases:
        reply = county.ask("ts", "POST", "/task-batches", body)
        assert outcome(reply) == (422, "invalid_fields")
        assert reply.get_json()["errors"][0]["field"] == field
    none = county.ask("ts", "POST", "/task-batches",
                      {"task_kind": "visit", "area": VILLAGE, "unseen_days": 90})  # fmt: skip
    assert outcome(none) == (422, "nothing_to_assign")


def test_households_long_unseen_are_counted_first_and_asked_once(county: County) -> None:
    homes = [county.made("gw", "/households", household()) for _ in range(3)]
    county.made("gw_next_village", "/households", household(grid=NEXT_VILLAGE_GRID))
    table = county.app.extensions["wangge_engine"].tables["household"].table
    county.sql(sa.update(table).where(table.c.id != homes[0]["id"])
               .values(last_confirmed_at=datetime.now(UTC) - timedelta(days=91)))  # fmt: skip
    body = {"task_kind": "visit", "area": TOWNSHIP, "unseen_days": 90}
    seen = county.ask("ts", "POST", "/task-batches/preview", body)
    assert seen.get_json() == {"tasks": 3, "grids": 2, "unserved": 0}
    assert county.ask("ts", "GET", "/tasks").get_json() == []
    batch = county.made("ts", "/task-batches", body)
    assert (batch["way"], batch["tasks"]) == ("unseen", 3)
    assert homes[0]["id"] not in {one["household"] for one in _tasks(county, batch)}
    again = county.ask("ts", "POST", "/task-batches/preview", body)
    assert outcome(again) == (422, "nothing_to_assign")
    other = county.ask("ts", "POST", "/task-batches/preview", {**body, "task_kind": "errand"})
    assert other.get_json()["tasks"] == 3


def test_the_same_key_hands_out_once(county: County) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"task_kind": "inspection", "area": VILLAGE}
    first = county.ask("ts", "POST", "/task-batches", body, headers=key)
    again = county.ask("ts", "POST", "/task-batches", body, headers=key)
    assert (first.status_code, first.get_data()) == (201, again.get_data())
    other = {**body, "task_kind": "fraud_warning"}
    reused = county.ask("ts", "POST", "/task-batches", other, headers=key)
    assert outcome(reused) == (409, "edit_id_reused")
    assert len(county.ask("ts", "GET", "/task-batches").get_json()) == 1
    assert len(county.ask("ts", "GET", "/tasks").get_json()) == 2


def test_how_far_a_batch_has_come_is_counted_area_by_area_in_one_statement(county: County) -> None:
    batch = county.made("cm", "/task-batches", {"task_kind": "inspection", "area": COUNTY})
    mine = next(one for one in _tasks(county, batch) if one["grid"] == GRID)
    county.ask("gw", "POST", f"/tasks/{mine['id']}/moves", {"state": "accepted"})
    path = f"/task-batches/{batch['id']}"
    with county.statements() as seen:
        whole = county.ask("cm", "GET", path).get_json()
    assert len([one for one in seen if "GROUP BY" in one]) == 1
    assert whole["states"] == {"assigned": 3, "accepted": 1}
    assert {row["area_id"]: row["states"] for row in whole["below"]} == {
        TOWNSHIP: {"assigned": 2, "accepted": 1}, OTHER_TOWNSHIP: {"assigned": 1},
    }  # fmt: skip
    village = county.ask("vl", "GET", f"{path}?area={VILLAGE}").get_json()
    assert {row["area_id"]: row["states"] for row in village["below"]} == {
        GRID: {"accepted": 1}, SAME_VILLAGE_GRID: {"assigned": 1},
    }  # fmt: skip
    grid = county.ask("vl", "GET", f"{path}?area={GRID}").get_json()
    assert [(row["area_id"], row["tasks"]) for row in grid["below"]] == [(GRID, 1)]
    for who, area in (("vl", NEXT_VILLAGE), ("ts", COUNTY), ("gw", GRID)):
        assert county.ask(who, "GET", f"{path}?area={area}").status_code in (403, 404), who
    assert outcome(county.ask("cm", "GET", f"/task-batches/{new_id()}")) == (404, "not_found")


def test_a_batch_that_was_a_mistake_is_cancelled_except_what_was_done(county: County) -> None:
    batch = county.made("ts", "/task-batches", {"task_kind": "inspection", "area": TOWNSHIP})
    mine = next(one for one in _tasks(county, batch) if one["grid"] == GRID)
    for state in ("accepted", "started", "done"):
        county.ask("gw", "POST", f"/tasks/{mine['id']}/moves", {"state": state})
    path = f"/task-batches/{batch['id']}/cancellation"
    assert outcome(county.ask("vl", "POST", path, {"reason": "误发"}))[0] in (403, 404)
    done = county.ask("ts", "POST", path, {"reason": "误发"})
    assert done.get_json() == {"cancelled": 2}
    states = sorted((one["state"], one["cancel_reason"]) for one in _tasks(county, batch)
                    if one["id"] != mine["id"])  # fmt: skip
    assert states == [("cancelled", "误发")] * 2
    assert county.ask("ts", "POST", path, {"reason": "误发"}).get_json() == {"cancelled": 0}


def test_batches_are_listed_to_those_whose_area_holds_them(county: County) -> None:
    for who, area in (("cm", COUNTY), ("ts", VILLAGE)):
        county.made(who, "/task-batches", {"task_kind": "inspection", "area": area})
    seen = {who: len(county.ask(who, "GET", "/task-batches").get_json())
            for who in ("cm", "ts", "vl", "vl_next_village", "gw")}  # fmt: skip
    assert seen == {"cm": 2, "ts": 1, "vl": 1, "vl_next_village": 0, "gw": 0}


def test_a_batch_of_others_is_not_there_in_an_area_of_ones_own(county: County) -> None:
    body = {"task_kind": "inspection", "area": OTHER_TOWNSHIP, "title": "秘密行动"}
    batch = county.made("cm", "/task-batches", body)
    for name in (batch["id"], new_id()):
        reply = county.ask("ts", "GET", f"/task-batches/{name}?area={TOWNSHIP}")
        assert outcome(reply) == (404, "not_found")
    own = county.made("ts", "/task-batches", {"task_kind": "inspection", "area": VILLAGE})
    empty = county.ask("ts", "GET", f"/task-batches/{own['id']}?area={NEXT_VILLAGE}")
    assert (empty.status_code, empty.get_json()["below"]) == (200, [])


ODD_MOMENTS = ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "1999-12-31T23:59:59Z")


@pytest.mark.parametrize("odd", ODD_MOMENTS)
def test_a_task_is_due_within_the_years_of_the_calendar(county: County, odd: str) -> None:
    body = {"task_kind": "visit", "area": VILLAGE, "due_at": odd}
    for path in ("/task-batches", "/task-batches/preview"):
        assert outcome(county.ask("ts", "POST", path, body)) == (422, "invalid_fields"), path
    reply = county.ask("ts", "GET", "/tasks?" + urlencode({"due_before": odd}))
    assert outcome(reply) == (422, "invalid_fields")


def test_a_title_or_a_reason_that_no_task_may_have_is_refused_with_its_field(
    county: County,
) -> None:
    wish = {"task_kind": "inspection", "grids": [GRID]}
    reply = county.ask("ts", "POST", "/task-batches", {**wish, "title": "\u202e"})
    assert outcome(reply) == (422, "invalid_fields")
    assert reply.get_json()["errors"][0]["field"] == "title"
    batch = county.made("ts", "/task-batches", wish)["id"]
    path = f"/task-batches/{batch}/cancellation"
    reply = county.ask("ts", "POST", path, {"reason": "\u202e"})
    assert outcome(reply) == (422, "invalid_fields")
    assert county.ask("ts", "POST", path, {"reason": "雨"}).get_json() == {"cancelled": 1}
