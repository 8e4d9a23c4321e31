"""From a position to its grid: inside, on the line between two, near a border, and far away."""

from typing import Any

from tests.app.core.county import GARBAGE, SIDE, SOUTH, WEST, County, centre, place
from tests.app.identity.town import (
    GRID,
    NEXT_VILLAGE_GRID,
    SAME_VILLAGE_GRID,
    outcome,
)

METRES_PER_DEGREE_NORTH = 111_195
NORTH = SOUTH + SIDE


def _reported(county: County, lon: float, lat: float) -> Any:
    body = {"category": GARBAGE, "text": "路面塌陷", **place(lon, lat)}
    return county.ask("ts", "POST", "/incidents", body)


def test_a_position_inside_a_grid_belongs_to_it(county: County) -> None:
    for grid in (GRID, SAME_VILLAGE_GRID, NEXT_VILLAGE_GRID):
        made = _reported(county, *centre(grid)).get_json()
        assert (made["grid"], made["grid_distance_m"]) == (grid, 0)


def test_a_position_on_the_line_between_two_belongs_to_the_first(county: County) -> None:
    made = _reported(county, round(WEST + SIDE, 7), centre(GRID)[1]).get_json()
    assert (made["grid"], made["grid_distance_m"]) == (GRID, 0)


def test_a_position_near_a_border_belongs_to_the_nearest_grid(county: County) -> None:
    for metres in (1, 60, 199):
        lat = NORTH + metres / METRES_PER_DEGREE_NORTH
        made = _reported(county, centre(GRID)[0], lat).get_json()
        assert made["grid"] == GRID
        assert abs(made["grid_distance_m"] - metres) <= 1


def test_a_position_outside_all_grids_is_refused_with_the_tolerance(county: County) -> None:
    for lon, lat in (
        (centre(GRID)[0], NORTH + 202 / METRES_PER_DEGREE_NORTH), (116.4, 39.9), (-70.0, -33.0),
    ):  # fmt: skip
        reply = _reported(county, lon, lat)
        assert outcome(reply) == (422, "invalid_fields")
        assert reply.get_json()["errors"] == [
            {"field": "point", "code": "outside_all_grids", "within_m": 200.0}
        ]


def test_the_place_decides_whatever_grid_was_named(county: County) -> None:
    body = {"category": GARBAGE, "text": "x", **place(*centre(GRID)), "grid": SAME_VILLAGE_GRID}
    assert county.made("ts", "/incidents", body)["grid"] == GRID


def test_a_mended_place_moves_the_incident(county: County) -> None:
    made = _reported(county, *centre(GRID)).get_json()
    moved = county.ask(
        "ts", "PATCH", f"/incidents/{made['id']}", place(*centre(SAME_VILLAGE_GRID)),
        headers={"If-Match": '"v1"'},
    )  # fmt: skip
    assert moved.status_code == 200
    assert moved.get_json()["grid"] == SAME_VILLAGE_GRID
    assert [row["id"] for row in county.ask("colleague", "GET", "/incidents").get_json()] == [
        made["id"]
    ]
    assert county.ask("gw", "GET", "/incidents").get_json() == []


def test_a_phone_sees_an_incident_come_and_go_with_its_place(county: County) -> None:
    here, there = county.phone("gw"), county.phone("colleague")
    made = _reported(county, *centre(GRID)).get_json()
    assert [item["id"] for item in here.pull()] == [made["id"]]
    assert there.pull() == []
    county.ask("ts", "PATCH", f"/incidents/{made['id']}", place(*centre(SAME_VILLAGE_GRID)),
               headers={"If-Match": '"v1"'})  # fmt: skip
    assert [(item["op"], item["id"]) for item in here.pull()] == [("out", made["id"])]
    assert [(item["op"], item["rv"]) for item in there.pull()] == [("put", 2)]
