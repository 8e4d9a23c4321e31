"""Duplicates are found by kind, distance and time: at most five, and nearly all planted ones."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.core.database import Database, Mode
from app.core.identifiers import new_id
from app.core.policy import Reach
from app.core.spatial import METRES_PER_DEGREE, ewkt_point
from app.incidents.duplicates import SUGGESTED_MAX, WITHIN_M, Seen, suggest
from app.incidents.models import Incident
from tests.app.core.county import GARBAGE, SOUTH, WEST, County, centre, place
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, outcome
from tests.app.incidents import cases

PLANTED, NOISE = 300, 2_000
NOW = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
CATEGORIES = ("0401", "0402", "0301", "0302", "0201", "0503", "0601", "0901")
TOWN_M = 6_000.0


def _moved(place: tuple[float, float], metres: float, turn: float) -> tuple[float, float]:
    lon, lat = place
    scale = METRES_PER_DEGREE * math.cos(math.radians(lat))
    return (lon + metres * math.cos(turn) / scale,
            lat + metres * math.sin(turn) / METRES_PER_DEGREE)  # fmt: skip


def _row(rec: str, category: str, place: tuple[float, float], at: datetime) -> dict[str, Any]:
    return {"id": rec, "rv": 1, "marks": "{}", "body": "{}", "category": category, "grid": GRID,
            "state": "reported", "reported_at": at, "point": ewkt_point(*place)}  # fmt: skip


def _town(seed: int) -> tuple[list[dict[str, Any]], list[tuple[Seen, str]]]:
    """Return the rows of a busy town, and the reports that repeat some of them.

    Whoever repeats a report stands up to 60 m away, comes up to three days later, and names
    another category of the same group one time in ten.
    """
    luck = random.Random(seed)
    rows, repeats = [], []
    for number in range(NOISE + PLANTED):
        spot = _moved((WEST, SOUTH), luck.uniform(0, TOWN_M), luck.uniform(0, math.tau))
        at = NOW - timedelta(hours=luck.uniform(0, 30 * 24))
        category, rec = luck.choice(CATEGORIES), new_id()
        rows.append(_row(rec, category, spot, at))
        if number < PLANTED:
            again = _moved(spot, abs(luck.gauss(0, 25)) % 60, luck.uniform(0, math.tau))
            named = category if luck.random() > 0.1 else f"{category[:2]}08"
            later = at + timedelta(hours=luck.uniform(0, 72))
            repeats.append((Seen(named, again, later), rec))
    return rows, repeats


def test_nearly_all_planted_duplicates_are_among_five_suggestions(database: Database) -> None:
    rows, repeats = _town(seed=7)
    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.insert(Incident), rows)
    found = 0
    with database.transaction(Mode.READ) as session:
        for seen, rec in repeats:
            suggested = suggest(session, seen, Reach(everything=True))
            assert len(suggested) <= SUGGESTED_MAX
            found += rec in [one.id for one in suggested]
    assert found / len(repeats) >= 0.95


def test_the_spatial_index_finds_the_neighbours(database: Database) -> None:
    rows, repeats = _town(seed=1)
    sent: list[Any] = []

    def write_down(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        sent.append((statement, given))

    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.insert(Incident), rows)
    sa.event.listen(database.engine, "before_cursor_execute", write_down)
    with database.transaction(Mode.READ) as session:
        suggest(session, repeats[0][0], Reach(everything=True))
    sa.event.remove(database.engine, "before_cursor_execute", write_down)
    [(statement, given)] = [one for one in sent if "FROM incident" in one[0]]
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execute(sa.text("ANALYZE incident"))
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = " ".join(map(str, connection.exec_driver_sql(f"{explain} {statement}", given)))
    assert ("VIRTUAL TABLE INDEX" if database.is_sqlite else "idx_incident_point") in plan, plan


def test_another_kind_far_away_or_long_ago_is_not_suggested(county: County) -> None:
    same = cases.report(county)
    other = cases.report(county, category="0301", no_photo_reason="天黑")
    far = cases.report(county, **place(*_moved((centre(GRID)[0], centre(GRID)[1]),
                                               WITHIN_M + 20, 0)))  # fmt: skip
    old = cases.report(county)
    ago = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    cases.turn_back(county, old["id"], reported_at=ago)
    asked = cases.report(county)
    rows = county.ask("ts", "GET", f"/incidents/{asked['id']}/duplicates").get_json()
    assert [row["id"] for row in rows] == [same["id"]]
    assert rows[0]["distance_m"] == 0 and rows[0]["likeness"] > 0.9
    assert {other["id"], far["id"], old["id"], asked["id"]}.isdisjoint({row["id"] for row in rows})


def test_before_reporting_one_may_ask_and_sees_only_his_own_area(county: County) -> None:
    made = cases.report(county)
    lon, lat = centre(GRID)
    path = f"/incident-duplicates?category={GARBAGE}&lon={lon}&lat={lat}"
    assert [row["id"] for row in county.ask("gw", "GET", path).get_json()] == [made["id"]]
    assert county.ask("gw_next_village", "GET", path).get_json() == []
    assert NEXT_VILLAGE_GRID != GRID
    assert outcome(county.ask("da", "GET", path)) == (403, "not_allowed")
    assert county.ask("gw", "GET", "/incident-duplicates?category=1").status_code == 422


def test_a_merged_case_is_suggested_no_more(county: County) -> None:
    one, other = cases.report(county), cases.report(county)
    cases.move(county, "vl", one["id"], "merged", merged_into=other["id"])
    asked = cases.report(county)
    rows = county.ask("ts", "GET", f"/incidents/{asked['id']}/duplicates").get_json()
    assert [row["id"] for row in rows] == [other["id"]]
