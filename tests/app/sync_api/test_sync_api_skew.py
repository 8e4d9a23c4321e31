"""Phones older and newer than the server: all may push for ever, only records can be refused."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskCliRunner

from app.core.identifiers import new_id
from app.core.records import Record, sync_tables
from app.households.models import Household
from app.sync_api import kinds
from sync import edits, release, wire
from sync.upgrade import Step
from tests.app.campaigns.emergency import open_order
from tests.app.core.county import County, household
from tests.app.identity.town import COUNTY, GRID, TOWNSHIP, outcome
from tests.conftest import as_owner
from tests.sync import golden

RELEASED = [
    (kind, schema)
    for kind, shape in kinds.read_snapshot().items()
    for schema in range(1, shape["schema"] + 1)
]
UNDER_AN_ORDER = ("emergency_order", "emergency_entry")
SETTINGS = "wangge_settings"


def test_every_schema_that_was_released_has_its_golden_file() -> None:
    missing = [
        one for one in RELEASED if not (golden.FOLDER / "{}-schema{}.json".format(*one)).exists()
    ]
    assert missing == [], "write tests/sync/golden/<kind>-schema<n>.json with real pushes"


@pytest.mark.parametrize(("kind", "schema"), RELEASED)
def test_a_push_in_any_released_schema_is_taken_and_leads_to_the_records_of_today(
    county: County, kind: str, schema: int
) -> None:
    names = {"grid": GRID, "township": TOWNSHIP, "gw": county.ids["gw"]}
    if kind in UNDER_AN_ORDER:
        county.person("cm_second", "cm", COUNTY)
        names["order"] = open_order(county)
    told = golden.golden(kind, schema, **names)
    statuses = []
    for push in told["pushes"]:
        assert {edit["schema"] for edit in push["edits"]} == {schema}
        phone = county.another_phone(push["who"])
        first, again = phone.push(*push["edits"]), phone.push(*push["edits"])
        assert first == again
        statuses += [one["status"] for one in first]
    assert statuses == told["statuses"]
    for name, records in told["records"].items():
        for rec, expected in records.items():
            values = _stored(county, name, rec)
            assert {field: values[field] for field in expected} == expected


def _stored(county: County, kind: str, rec: str) -> Mapping[str, Any]:
    engine = county.app.extensions["wangge_engine"]
    table = engine.tables[kind].table
    [row] = county.sql(sa.select(table.c.body).where(table.c.id == rec))
    values: Mapping[str, Any] = json.loads(engine.seal.open(kind, rec, row.body))
    return values


# -- 426 is for records only ----------------------------------------------------------------


@pytest.fixture
def strict(county: County) -> County:
    """Return a county whose server sends records to apps of wire 3 and above only."""
    county.app.extensions[SETTINGS] = replace(county.app.extensions[SETTINGS], min_pull_schema=3)
    return county


@pytest.mark.parametrize("schema", [None, 1, 2, "3", True])
def test_an_old_app_gets_no_records_but_its_push_is_taken(strict: County, schema: Any) -> None:
    phone, home = strict.phone("gw"), new_id()
    edit = phone.edit("create", "household", home, set=household())
    body = {"edits": [edit], "cursor": None, **({"schema": schema} if schema else {})}
    reply = phone.send("exchange", body)
    assert reply.status_code == 200
    shown = reply.get_json()
    assert shown["push"]["results"][0]["status"] == "applied"
    assert shown["pull"] is None
    problem = shown["problem"]
    assert (problem["status"], problem["code"], problem["min_schema"]) == (
        426,
        "upgrade_required",
        3,
    )
    assert problem["title_zh"]
    assert strict.ask("gw", "GET", f"/households/{home}").status_code == 200
    assert phone.send("push", body).get_json()["results"] == shown["push"]["results"]
    assert outcome(phone.send("pull", body)) == (426, "upgrade_required")


def test_an_app_that_is_new_enough_gets_everything(strict: County) -> None:
    phone = strict.phone("gw")
    for schema in (3, 4, 10_000):
        reply = phone.send("exchange", {"cursor": None, "edits": [], "schema": schema}).get_json()
        assert reply["pull"]["complete"] and "problem" not in reply
        assert phone.send("pull", {"cursor": None, "schema": schema}).status_code == 200


# -- newer apps -----------------------------------------------------------------------------


def test_a_newer_schema_is_taken_and_its_unknown_fields_come_back(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    newer = {"lift": True, "floors": {"above": 6, "below": [1, 2]}}
    receipt = phone.act("create", "household", home, schema=7, set=household(**newer))
    assert receipt["status"] == "applied"
    county.another_phone("gw").act("update", "household", home, base=1, set={"occupancy": "empty"})
    [item] = [one for one in phone.pull() if one["t"] == "household"]
    assert newer.items() <= item["f"].items() and item["f"]["occupancy"] == "empty"


def test_who_sees_masked_records_does_not_see_what_nobody_can_judge(county: County) -> None:
    home = new_id()
    county.phone("gw").act("create", "household", home, schema=7, set=household(lift="张三"))
    [item] = [one for one in county.phone("ts").pull() if one["t"] == "household"]
    assert item["f"]["lift"] is None
    county.phone("vl").act("update", "household", home, base=1, set={"occupancy": "empty"})
    assert _stored(county, "household", home)["lift"] == "张三"


def _replayed(county: County) -> str:
    done = FlaskCliRunner(county.app).invoke(args=["sync", "replay-parked"])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_newer_operation_is_parked_and_replayed_after_the_upgrade(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    receipts = [
        phone.act("confirm", "household", home, base=1, set={"occupancy": state})
        for state in ("empty", "seasonal")
    ]
    assert {one["code"] for one in receipts} == {"unknown_op"}
    assert "applied 0" in _replayed(county)
    for module in (edits, wire):
        monkeypatch.setattr(module, "OPS", (*edits.OPS, "confirm"))
    monkeypatch.setattr(release, "REPLAYED_OPS", (*release.REPLAYED_OPS, "confirm"))
    assert "tried 2, applied 2" in _replayed(county)
    shown = county.ask("gw", "GET", f"/households/{home}").get_json()
    assert shown["occupancy"] == "seasonal"
    assert "tried 0, applied 0" in _replayed(county)
    fates = {one["id"]: one["f"]["state"] for one in phone.pull() if one["t"] == "parked"}
    assert fates == {one["id"]: "repaired" for one in receipts}


def test_a_newer_kind_is_parked_and_replayed_as_its_authors(county: County) -> None:
    phone, engine, home = county.phone("gw"), county.app.extensions["wangge_engine"], new_id()
    known = engine.kinds
    engine.kinds = type(known)([kind for kind in known.kinds if kind.name != "household"])
    mine = phone.act("create", "household", home, set=household())
    foreign = county.phone("gw_next_village").act("create", "household", set=household())
    assert {mine["code"], foreign["code"]} == {"unknown_kind"}
    assert "tried 0" in _replayed(county)
    engine.kinds = known
    assert "tried 2, applied 1" in _replayed(county)
    assert county.ask("gw", "GET", f"/households/{home}").status_code == 200
    waiting = county.ask("da", "GET", "/parked-edits").get_json()
    assert [one["id"] for one in waiting] == [foreign["id"]]


@pytest.fixture
def refusing(county: County) -> Iterator[County]:
    """Return a county whose database itself refuses the building POISON."""
    if county.database.is_sqlite:
        begin = (
            "CREATE TRIGGER poison BEFORE INSERT ON household WHEN NEW.building = 'POISON' "
            "BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )
        end = "DROP TRIGGER poison"
    else:
        begin = (
            "ALTER TABLE household ADD CONSTRAINT poison CHECK (building IS DISTINCT FROM 'POISON')"
        )
        end = "ALTER TABLE household DROP CONSTRAINT poison"
    with as_owner(county.database) as connection:
        connection.execute(sa.text(begin))
    yield county
    with as_owner(county.database) as connection:
        connection.execute(sa.text(end))


def test_what_the_database_refuses_stays_parked_and_stops_no_other(refusing: County) -> None:
    phone, engine = refusing.phone("gw"), refusing.app.extensions["wangge_engine"]
    known = engine.kinds
    engine.kinds = type(known)([kind for kind in known.kinds if kind.name != "household"])
    for building in ("1", "POISON", "3"):
        phone.act("create", "household", set=household(building=building))
    engine.kinds = known
    assert "tried 3, applied 2" in _replayed(refusing)
    [left] = refusing.ask("vl", "GET", "/parked-edits").get_json()
    assert left["edit"]["set"]["building"] == "POISON"


def test_an_upcaster_is_declared_with_its_record(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(values: Mapping[str, Any]) -> Mapping[str, Any]:
        given = dict(values)
        if "house" in given:
            given["building"] = given.pop("house")
        return given

    assert Record.upcasters == ()
    monkeypatch.setattr(Household, "upcasters", (Step(renamed),))
    engine = county.app.extensions["wangge_engine"]
    engine.__post_init__()
    phone, home = county.phone("gw"), new_id()
    old = household()
    old["house"] = old.pop("building")
    assert phone.act("create", "household", home, set=old, schema=1)["status"] == "applied"
    assert _stored(county, "household", home)["building"] == "3"
    made = county.made("gw", "/households", household(building="7"))
    [row] = county.sql(
        sa.select(sync_tables.ledger.c.schema).where(sync_tables.ledger.c.rec == made["id"])
    )
    assert (made["building"], row.schema) == ("7", 2)
    parked = phone.act("create", "household", set={**old, "occupancy": "haunted"}, schema=1)
    path = f"/parked-edits/{parked['id']}/repair"
    body = {"set": {"occupancy": "empty", "building": "9"}}
    assert county.ask("vl", "POST", path, body).status_code == 200
    assert _stored(county, "household", parked["rec"])["building"] == "9"
