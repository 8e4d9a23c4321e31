"""The REST interface of areas: allowed, out of scope, unknown, malformed; pages and places."""

from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.areas.drawing import Origin, write_borders
from app.core.database import Mode
from tests.app.areas.house import EDITION, grid_layer
from tests.app.identity.town import (
    CITY,
    COUNTY,
    GRID,
    NEXT_VILLAGE,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    TOWNSHIP,
    VILLAGE,
    Town,
    settle,
)

EVERYTHING = set(range(1, 14))
IN_VILLAGE = {VILLAGE, GRID, SAME_VILLAGE_GRID}
IN_TOWNSHIP = IN_VILLAGE | {TOWNSHIP, NEXT_VILLAGE, 12}
IN_COUNTY = IN_TOWNSHIP | {COUNTY, 5, 9, OTHER_TOWNSHIP_GRID}


@pytest.fixture
def town(app: Flask) -> Town:
    """Return a small county whose grids 10, 11 and 13 have borders, side by side."""
    town = Town(app, app.test_client())
    settle(town)
    shapes = [one.shape for one in grid_layer("1", 3).features]
    borders = dict(zip((GRID, SAME_VILLAGE_GRID, OTHER_TOWNSHIP_GRID), shapes, strict=True))
    with town.database.transaction(Mode.WRITE) as session:
        write_borders(session, borders, EDITION, Origin("wgs84", "test"))
    return town


def code_of(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.get_json()["code"]


def listed(town: Town, who: str, query: str = "") -> set[int]:
    reply = town.call(who, "GET", f"/areas{query}")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    return {row["id"] for row in reply.get_json()}


@pytest.mark.parametrize(
    ("who", "seen"),
    [("gw", IN_VILLAGE), ("vl", IN_VILLAGE), ("ts", IN_TOWNSHIP), ("cm", IN_COUNTY),
     ("cm_city", EVERYTHING), ("au", EVERYTHING), ("da", EVERYTHING)],
)  # fmt: skip
def test_everybody_lists_the_areas_within_his_reach(town: Town, who: str, seen: set[int]) -> None:
    assert listed(town, who) == seen


def test_a_list_can_be_narrowed_to_a_level_and_a_parent(town: Town) -> None:
    assert listed(town, "ts", "?level=grid") == {10, 11, 12}
    assert listed(town, "ts", f"?parent={VILLAGE}") == {10, 11}
    assert listed(town, "vl", f"?parent={NEXT_VILLAGE}") == set()


def test_pages_follow_one_another_without_a_gap(town: Town) -> None:
    path, seen = "/areas?limit=5", []
    while path:
        reply = town.call("cm_city", "GET", path)
        seen += [row["id"] for row in reply.get_json()]
        link = reply.headers.get("Link", "")
        target = urlsplit(link.partition("<")[2].partition(">")[0])
        path = f"{target.path.removeprefix('/api/v1')}?{target.query}" if link else ""
    assert seen == sorted(EVERYTHING)


def test_an_area_is_read_with_its_ancestors_and_its_names(town: Town) -> None:
    body = town.call("gw", "GET", f"/areas/{GRID}").get_json()
    assert (body["name"], body["level"], body["ancestors"]) == (
        f"grid {GRID}", "grid", [CITY, COUNTY, TOWNSHIP, VILLAGE],
    )  # fmt: skip
    assert [one["valid_from"] for one in body["versions"]] == ["2020-01-01"]


@pytest.mark.parametrize("area_id", [str(NEXT_VILLAGE), "999", "9" * 30, "abc", "-1"])
def test_an_area_out_of_reach_looks_like_one_that_does_not_exist(town: Town, area_id: str) -> None:
    reply = town.call("gw", "GET", f"/areas/{area_id}")
    assert code_of(reply) == (404, "not_found")


def test_without_a_token_nothing_is_told(town: Town) -> None:
    for path in ("/areas", f"/areas/{GRID}", "/areas/locate?lon=104&lat=36"):
        assert code_of(town.call(None, "GET", path)) == (401, "token_missing")


def test_somebody_whose_post_has_ended_may_not_look(town: Town) -> None:
    town.person("former", "gw", GRID, ended=True)
    assert town.call("former", "GET", "/areas").status_code == 403


def located(town: Town, who: str, lon: float, lat: float, more: str = "") -> tuple[int, object]:
    reply = town.call(who, "GET", f"/areas/locate?lon={lon}&lat={lat}{more}")
    body = reply.get_json()
    if reply.status_code != 200:
        return reply.status_code, body["code"]
    return body["grid"]["id"], body["inside"]


def test_a_position_is_located_inside_or_near_a_grid(town: Town) -> None:
    assert located(town, "gw", 104.105, 36.505) == (GRID, True)
    assert located(town, "gw", 104.115, 36.505) == (SAME_VILLAGE_GRID, True)
    assert located(town, "gw", 104.105, 36.4998) == (GRID, False)
    assert located(town, "gw", 104.105, 36.4998, "&within_m=5") == (404, "not_found")


def test_a_position_in_somebody_elses_grid_is_not_told(town: Town) -> None:
    assert located(town, "gw", 104.125, 36.505) == (404, "not_found")
    assert located(town, "cm", 104.125, 36.505) == (OTHER_TOWNSHIP_GRID, True)


@pytest.mark.parametrize(
    "path",
    ["/areas?level=planet", "/areas?parent=x", "/areas?limit=0", "/areas?limit=9999",
     "/areas?unknown=1", "/areas/locate", "/areas/locate?lon=181&lat=0",
     "/areas/locate?lon=nan&lat=0", "/areas/locate?lon=104&lat=36&within_m=501",
     f"/areas?parent={'9' * 40}"],
)  # fmt: skip
def test_malformed_questions_name_the_field(town: Town, path: str) -> None:
    reply = town.call("cm", "GET", path)
    assert code_of(reply) == (422, "invalid_fields")
    assert reply.get_json()["errors"][0]["pointer"]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "WyJcdTAwMDAiXQ"])
def test_a_cursor_of_rubbish_is_refused(town: Town, cursor: str) -> None:
    reply = town.call("cm", "GET", f"/areas?cursor={cursor}")
    assert code_of(reply) == (400, "bad_cursor")


def test_the_answer_holds_no_geometry_and_no_path(town: Town) -> None:
    body = town.call("cm", "GET", f"/areas/{COUNTY}").get_json()
    assert {"geom", "path"} & body.keys() == set()
