"""An area in which nothing is left is dissolved by two persons."""

from datetime import UTC, datetime

import sqlalchemy as sa

from app.areas.models import Area, AreaVersion
from app.identity.models import Post
from tests.app.core.county import County, household
from tests.app.identity.town import (
    COUNTY,
    NEXT_VILLAGE_GRID,
    TOWNSHIP,
    VILLAGE,
    outcome,
)

DOOR = "/approvals/org_unit.delete"


def wish(area: object) -> dict[str, str]:
    return {"subject": str(area), "reason": "撤并网格"}


def leave(county: County, area: int) -> None:
    """Let all posts of an area end."""
    now = datetime.now(UTC)
    county.sql(sa.update(Post).where(Post.area_id == area).values(ends=now))


def test_an_empty_grid_is_dissolved_when_a_second_manager_agrees(county: County) -> None:
    held = county.ask("cm", "POST", DOOR, wish(NEXT_VILLAGE_GRID))
    assert outcome(held) == (409, "area_not_empty")
    assert held.get_json()["left"] == {"posts": 1}
    leave(county, NEXT_VILLAGE_GRID)
    asked = county.ask("cm", "POST", DOOR, wish(NEXT_VILLAGE_GRID))
    assert asked.status_code == 201, asked.get_data(as_text=True)
    approve = f"{DOOR}/{asked.get_json()['id']}/approve"
    assert outcome(county.ask("cm", "POST", approve)) == (403, "not_to_yourself")
    assert outcome(county.ask("ts", "POST", approve)) == (403, "not_allowed")
    assert county.ask("cm_city", "POST", approve).status_code == 200
    for table, column in ((Area, Area.id), (AreaVersion, AreaVersion.area_id)):
        [until] = county.sql(sa.select(table.valid_until).where(column == NEXT_VILLAGE_GRID))
        assert until[0] == datetime.now(UTC).date()
    assert len(county.events("area.dissolved")) == 1
    again = county.ask("cm", "POST", DOOR, wish(NEXT_VILLAGE_GRID))
    assert outcome(again) == (404, "not_found")


def test_what_has_filled_meanwhile_is_not_dissolved(county: County) -> None:
    phone = county.phone("gw_next_village")
    leave(county, NEXT_VILLAGE_GRID)
    asked = county.ask("cm", "POST", DOOR, wish(NEXT_VILLAGE_GRID)).get_json()["id"]
    county.sql(sa.update(Post).where(Post.area_id == NEXT_VILLAGE_GRID).values(ends=None))
    made = phone.act("create", "household", set=household(grid=NEXT_VILLAGE_GRID))
    assert made["status"] == "applied"
    refused = county.ask("cm_city", "POST", f"{DOOR}/{asked}/approve")
    assert outcome(refused) == (409, "area_not_empty")
    assert refused.get_json()["left"] == {"posts": 1, "household": 1}


ASKING = [
    ("cm", VILLAGE, (409, "area_not_empty")), ("cm", TOWNSHIP, (409, "area_not_empty")),
    ("cm", COUNTY, (403, "above_your_level")), ("cm", 1, (404, "not_found")),
    ("cm", 999_999, (404, "not_found")), ("cm", "x", (404, "not_found")),
    ("cm_other_county", VILLAGE, (404, "not_found")), ("ts", VILLAGE, (403, "not_allowed")),
    ("au", VILLAGE, (403, "not_allowed")), (None, VILLAGE, (401, "token_missing")),
]  # fmt: skip


def test_areas_are_dissolved_from_above_and_from_below_upwards(county: County) -> None:
    for who, area, expected in ASKING:
        assert outcome(county.ask(who, "POST", DOOR, wish(area))) == expected, (who, area)
    assert outcome(county.ask("cm", "POST", DOOR, {"subject": "7"})) == (422, "invalid_fields")
