"""Whom a notice reaches: one row for each scope, and nobody it is not meant for."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.core.records import sync_tables
from tests.app.core.county import County, centre
from tests.app.identity.town import (
    CITY,
    COUNTY,
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP,
    TOWNSHIP,
    VILLAGE,
    answer,
)
from tests.app.notices.bulletin import after, notice, publish, shown


def _feed(county: County, record: str) -> list[str]:
    t = sync_tables.feed.c
    rows = county.sql(sa.select(t.scope).where(t.record == record).order_by(t.scope))
    return [row[0] for row in rows]


def test_a_notice_to_the_city_is_one_row_and_reaches_every_phone(county: County) -> None:
    made = publish(county)
    assert _feed(county, made["id"]) == [f"area:{CITY}"]
    for who in ("gw", "gw_other_township", "vl", "ts"):
        assert shown(county.phone(who))[made["id"]]["text"] == "进山不带火种"


def test_a_notice_for_one_role_is_sent_to_nobody_else(county: County) -> None:
    made = publish(county, roles=["vl", "ts"])
    assert _feed(county, made["id"]) == [f"area:{CITY}:ts", f"area:{CITY}:vl"]
    assert made["id"] in shown(county.phone("vl")) and made["id"] in shown(county.phone("ts"))
    assert shown(county.phone("gw")) == {}
    assert county.ask("gw", "GET", f"/notices/{made['id']}").status_code == 404
    assert county.ask("gw", "GET", "/notices").get_json() == []
    led = publish(county, "ts", areas=[TOWNSHIP], roles=["gw"])
    for who in ("vl", "ts_colleague", "cm"):
        assert county.ask(who, "GET", f"/notices/{led['id']}").status_code == 200
    above = publish(county, "cm", areas=[TOWNSHIP], roles=["ts"])
    assert county.ask("vl", "GET", f"/notices/{above['id']}").status_code == 404


def test_a_notice_to_one_township_stays_there(county: County) -> None:
    made = publish(county, "cm", areas=[TOWNSHIP])
    assert made["id"] in shown(county.phone("gw"))
    assert shown(county.phone("gw_other_township")) == {}
    assert county.ask("gw_other_township", "GET", f"/notices/{made['id']}").status_code == 404
    assert county.ask("cm_other_county", "GET", "/notices").get_json() == []


def test_a_notice_around_a_place_reaches_the_villages_whose_grids_it_touches(
    county: County,
) -> None:
    near = publish(county, "ts", areas=None, point=centre(GRID), radius_m=900)
    assert near["paths"] == ",1.2.4.7.10.,1.2.4.7.11.,"
    assert _feed(county, near["id"]) == [f"area:{VILLAGE}"]
    assert near["id"] in shown(county.phone("gw"))
    assert shown(county.phone("gw_next_village")) == {}
    one = publish(county, "ts", areas=[NEXT_VILLAGE_GRID])
    assert one["id"] in shown(county.phone("gw_next_village"))
    nowhere = notice(areas=None, point=[90.0, 20.0], radius_m=10)
    assert county.ask("ts", "POST", "/notices", nowhere).status_code in (404, 422)


def test_an_emergency_comes_before_everything_else(county: County) -> None:
    county.task()
    publish(county)
    alarm = publish(county, urgency="emergency")
    kinds = [(item["t"], item["id"]) for item in county.phone("gw").pull()]
    assert [kind for kind, _ in kinds] == ["notice", "task", "notice"]
    assert kinds[0][1] == alarm["id"]


CASES: list[tuple[str, list[int], tuple[int, str | None]]] = [
    ("gw", [VILLAGE], (403, "not_allowed")),
    ("vl", [VILLAGE], (201, None)),
    ("vl", [TOWNSHIP], (404, "not_found")),
    ("ts", [TOWNSHIP, VILLAGE], (201, None)),
    ("ts", [TOWNSHIP, OTHER_TOWNSHIP], (404, "not_found")),
    ("cm", [COUNTY], (201, None)),
    ("cm", [999], (404, "not_found")),
    ("au", [CITY], (403, "not_allowed")),
]


@pytest.mark.parametrize(("who", "areas", "expected"), CASES)
def test_everybody_tells_only_his_own_area(
    county: County, who: str, areas: list[int], expected: tuple[int, str | None]
) -> None:
    assert answer(county.ask(who, "POST", "/notices", notice(areas=areas))) == expected


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"areas": None}, "areas", "required"),
    ({"point": [104.1, 36.5], "radius_m": 9}, "areas", "areas_or_place"),
    ({"text": None}, "text", "required"),
    ({"valid_from": after(days=9)}, "valid_until", "ends_before_it_begins"),
]


@pytest.mark.parametrize(("more", "field", "code"), WRONG)
def test_what_makes_no_notice_is_refused_field_by_field(
    county: County, more: dict[str, Any], field: str, code: str
) -> None:
    reply = county.ask("cm_city", "POST", "/notices", notice(**more))
    assert reply.status_code == 422
    [error] = reply.get_json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


def test_what_a_worker_may_not_write_into_a_notice_lies_with_his_own_people(
    county: County,
) -> None:
    made, phone = publish(county), county.phone("gw")
    receipt = phone.act("update", "notice", made["id"], base=1, set={"title": "谣言"})
    assert receipt["status"] == "parked"
    where = {scope for scope in _feed(county, receipt["id"]) if not scope.startswith("me:")}
    assert where == {f"grid:{GRID}"}
    assert "谣言" not in str(county.phone("gw_other_township").pull())
