"""Each field of data/household_fields.csv lies and is shown as the table there says."""

import base64
import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from tests.app.campaigns.emergency import DAY, PHONE, REGION, enter, open_order
from tests.app.core.county import County, centre, household
from tests.app.households.answers import agreed
from tests.app.identity.town import COUNTY, GRID

TABLE = Path(__file__).parents[3] / "data" / "household_fields.csv"
POINT = [104.1051237, 36.5054321]
GIVEN: Mapping[str, Mapping[str, Any]] = {
    "household": household(door_point=POINT, door_accuracy_m=8, door_source="gps",
                           evacuation_help=True),
    "contact": {"name": "欧阳修", "phone": "13812348000", "relation": "spouse"},
    "service_person": {"display_name": "王阿婆", "birth_year": 1951, "services": ["meal_help"],
                       "care_note": "行动不便", "power_dependent": True,
                       "guardian_contact_id": "0190a000-0000-7000-8000-000000000001"},
    "visit": {"note": "门口有台阶", "checkin_point": POINT},
    "emergency_entry": {"count_arrived": 3, "from_region": REGION, "arrived_on": DAY,
                        "contact_phone": PHONE},
}  # fmt: skip
SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "first character + *": lambda name: name[0] + "*",
    "138****8000": lambda phone: re.sub(r"^(?:\+86)?(\d{3})\d{4}(\d{4})$", r"\1****\2", phone),
    "3 decimals outside the grid": lambda point: [round(one, 3) for one in point],
    "band": lambda year: f"{year // 10 * 10}-{year // 10 * 10 + 9}",
    "hidden": lambda _: None,
    "hidden outside the grid": lambda _: None,
    "hidden after 90 days": lambda _: None,
    # The building stands in a field of its own, which is shown.
    "building level outside the grid": lambda _: None,
}
STARS = "***"
"""Shown in place of a text, to say that there is one; nothing of it."""


def _rows() -> Iterator[tuple[str, str, str, bool]]:
    """Yield entity, field, mask and whether it is sealed, of what the table masks or seals."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name in re.split(" / |, ", row["field"]):
                sealed = "encrypted" in row["class"]
                if name[0].isdigit() or (row["mask"] == "-" and not sealed):
                    continue
                if not row["mask"].startswith("suppressed"):
                    yield row["entity"], name, row["mask"], sealed


ROWS = list(_rows())


@pytest.fixture
def told(county: County) -> tuple[County, dict[str, str]]:
    """Return the county in which all of that was taken down, and the ids of the records."""
    county.person("cm_second", "cm", COUNTY)
    phone = county.phone("gw")
    ids = {kind: new_id() for kind in (*GIVEN, "guardian")}
    home, person, contact = ids["household"], ids["service_person"], ids["contact"]
    purposes = (("safety", home), ("contact", contact), ("meal_help", person), ("health", person),
                ("guardian", person))  # fmt: skip
    fields = {kind: {**values, "household": home} for kind, values in GIVEN.items()}
    fields["service_person"]["guardian_contact_id"] = contact
    point = centre(GRID)
    receipts = phone.push(
        phone.edit("create", "household", home, set={
            **household(), "door_point": [point[0] + 0.0001237, point[1] + 0.0004321],
            "door_accuracy_m": 8, "door_source": "gps"}),
        *(phone.edit("create", "consent", set=agreed(home, purpose, subject, given_by=(
            "guardian" if purpose == "guardian" else "self"))) for purpose, subject in purposes),
        phone.edit("update", "household", home, base=1, set={"evacuation_help": True}),
        phone.edit("create", "contact", contact, schema=2, set=fields["contact"]),
        phone.edit("create", "service_person", person, set=fields["service_person"]),
        phone.edit("create", "visit", ids["visit"], set={
            "household": home, "outcome": "met", "note": GIVEN["visit"]["note"],
            "checkin_point": point, "checkin_accuracy_m": 9}),
    )  # fmt: skip
    assert {one["status"] for one in receipts} <= {"applied", "merged"}, receipts
    made = enter(phone, open_order(county))
    assert made["status"] == "applied", made
    ids["emergency_entry"] = made["rec"]
    return county, ids


def _hides(mask: str, value: Any, shown: Any) -> bool:
    """Tell whether a value is shown as its mask says; nothing at all is shown of what is hidden."""
    wanted = SHOWN[mask](value)
    return shown == wanted or (wanted is None and shown == STARS)


def test_the_table_names_no_mask_that_is_not_tried_here() -> None:
    assert {mask for _, _, mask, _ in ROWS} == SHOWN.keys()
    assert len(ROWS) == 19 and sum(sealed for *_, sealed in ROWS) == 9
    assert {name for entity, name, *_ in ROWS if name not in GIVEN[entity]} == set()


def test_each_masked_field_is_shown_as_the_table_says(county: County) -> None:
    tables = county.app.extensions["wangge_engine"].tables
    for entity, name, mask, _ in ROWS:
        table = tables[entity]
        value = table.declared[name].type.check(GIVEN[entity][name])
        shown = table.mask({name: value})[name]
        assert _hides(mask, value, shown), (entity, name, shown)
        if isinstance(value, str) and len(value) > 1:
            assert value not in str(shown), (entity, name)


def test_each_sealed_field_lies_sealed_in_column_body_and_history(
    told: tuple[County, dict[str, str]],
) -> None:
    county, ids = told
    engine = county.app.extensions["wangge_engine"]
    for entity, name, _, sealed in ROWS:
        if not sealed:
            continue
        table = engine.tables[entity]
        [row] = county.sql(sa.select(table.table.c[name], table.table.c.body)
                           .where(table.table.c.id == ids[entity]))  # fmt: skip
        place = f"{table.table.name}/{name}/{ids[entity]}"
        value = json.loads(engine.seal.open(entity, ids[entity], row.body))[name]
        assert value is not None and engine.cipher.open(row[0], place) == str(value), name
        for text in row:
            raw = base64.b64decode(text, validate=True)
            assert raw[0] == 1, (entity, name)
            # A short value may stand by chance among random bytes.
            assert len(str(value)) < 6 or str(value).encode() not in raw, (entity, name)


def test_who_sees_masked_records_sees_no_more_through_any_door(
    told: tuple[County, dict[str, str]],
) -> None:
    county, ids = told
    doors = {"household": "/households", "contact": "/contacts",
             "service_person": "/service-persons",
             "emergency_entry": "/emergency-entries"}  # fmt: skip
    tables = county.app.extensions["wangge_engine"].tables
    pulled = {item["id"]: item["f"] for item in county.phone("vl").pull() if "f" in item}
    for who in ("vl", "ts"):
        for entity, path in doors.items():
            query = "" if entity != "emergency_entry" else f"?order={_order(county)}"
            reply = county.ask(who, "GET", path + query)
            assert reply.status_code == 200, reply.get_data(as_text=True)
            [shown] = [one for one in reply.get_json() if one["id"] == ids[entity]]
            whole = _whole(county, entity, ids[entity])
            for other, name, mask, _ in ROWS:
                if other != entity:
                    continue
                value = tables[entity].declared[name].type.check(whole[name])
                if name in shown:
                    assert _hides(mask, value, shown[name]), (who, entity, name, shown[name])
                body = pulled.get(ids[entity], {})
                assert _hides(mask, value, body.get(name)), (entity, name, body.get(name))


def _order(county: County) -> str:
    return str(county.ask("cm", "GET", "/orders").get_json()[0]["id"])


def _whole(county: County, entity: str, record: str) -> Mapping[str, Any]:
    """Return the values of a record as they are."""
    engine = county.app.extensions["wangge_engine"]
    table = engine.tables[entity].table
    [row] = county.sql(sa.select(table.c.body).where(table.c.id == record))
    values: Mapping[str, Any] = json.loads(engine.seal.open(entity, record, row.body))
    return values
