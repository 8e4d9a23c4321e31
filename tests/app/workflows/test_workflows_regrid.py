"""Grids are split, merged and redrawn while phones are offline, and nothing is lost."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from app.areas.models import Area, AreaBorder, AreaVersion
from app.core.records import sync_tables
from app.identity.models import Post
from tests.app.core.county import SIDE, SOUTH, WEST, County, household
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, VILLAGE, answer
from tests.app.workflows.conftest import Handed
from tests.app.workflows.handset import Handset, within_five_percent
from tests.app.workflows.street import HOMES, Street, door, on_the_road
from tests.conftest import as_owner

VILLAGE_CODE, GRID_CODE = "620422105200", "620422105200010"
WEST_CODE, EAST_CODE = "620422105200101", "620422105200102"


@pytest.fixture(autouse=True)
def coded(county: County) -> None:
    """Give the village and its grids codes of their levels."""
    for area, code in ((VILLAGE, VILLAGE_CODE), (GRID, GRID_CODE),
                       (SAME_VILLAGE_GRID, "620422105200011"),
                       (NEXT_VILLAGE_GRID, "620422105201012")):  # fmt: skip
        county.sql(sa.update(AreaVersion).where(AreaVersion.area_id == area).values(code=code))
    county.sql(sa.update(AreaBorder).values(valid_from=date(2020, 1, 2)))
    if not county.database.is_sqlite:
        with as_owner(county.database) as connection:
            connection.execute(sa.text("SELECT setval(pg_get_serial_sequence('area', 'id'), 1000)"))


def feature(code: str, west: float, east: float, **more: Any) -> dict[str, Any]:
    """Return a grid from one share of the first square to another."""
    left, right = WEST + SIDE * west, WEST + SIDE * east
    ring = [[left, SOUTH], [right, SOUTH], [right, SOUTH + SIDE], [left, SOUTH + SIDE],
            [left, SOUTH]]  # fmt: skip
    return {
        "type": "Feature", "properties": {"code": code, "name": f"grid {code[-3:]}", **more},
        "geometry": {"type": "Polygon", "coordinates": [[[x, y] for x, y in ring]]},
    }  # fmt: skip


def halves(**more: Any) -> dict[str, Any]:
    """Return the body of a split into a western and an eastern half."""
    parts = [feature(WEST_CODE, 0, 0.5), feature(EAST_CODE, 0.5, 1)]
    return {"features": parts, "source": "test", **more}


def split(county: County, **more: Any) -> dict[str, Any]:
    """Split the first grid."""
    reply = county.ask("cm", "POST", f"/grids/{GRID}/split", halves(**more))
    assert reply.status_code == 200, reply.get_data(as_text=True)
    shown: dict[str, Any] = reply.get_json()
    return shown


def grid_of(county: County, code: str) -> int:
    """Return the id of a grid."""
    found = county.sql(sa.select(AreaVersion.area_id).where(AreaVersion.code == code))
    return int(found[0][0])


def second_worker(county: County) -> None:
    """Give the first grid a second worker."""
    county.person("second", "gw", GRID)


def statuses(phone: Handset) -> dict[str, tuple[str, str | None]]:
    """Return status and code of the edits that were answered."""
    return {one.edit["rec"]: ((one.receipt or {})["status"], (one.receipt or {}).get("code"))
            for one in phone.replica.receipts()}  # fmt: skip


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("cm", (200, None)), ("ts", (403, "not_allowed")), ("vl", (403, "not_allowed")),
        ("gw", (403, "not_allowed")), ("cm_other_county", (404, "not_found")),
        ("cm_city", (200, None)), (None, (401, "token_missing")), ("da", (403, "not_allowed")),
    ],
)  # fmt: skip
def test_who_may_redraw_the_grids(
    county: County, by: str | None, told: tuple[int, str | None]
) -> None:
    merge = {"grids": [GRID], "into": SAME_VILLAGE_GRID, "dry_run": True}
    redraw = {"features": [feature(GRID_CODE, 0, 1)], "source": "test", "dry_run": True}
    for path, body in ((f"/grids/{GRID}/split", halves(dry_run=True)), ("/grids/merge", merge),
                       ("/grids/redraw", redraw)):  # fmt: skip
        assert answer(county.ask(by, "POST", path, body)) == told, path


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"features": [], "source": "x"}, (422, "invalid_fields")),
        ({"features": [{}], "source": "x"}, (422, "flawed_borders")),
        ({"features": [feature(GRID_CODE, 0, 1)], "source": "x"}, (422, "invalid_fields")),
        ({"features": [feature("620422105200011", 0, 1)], "source": "x"}, (422, "invalid_fields")),
        (halves(main="620422105200999"), (422, "invalid_fields")),
        (halves(people={"1": ["620422105200999"]}), (422, "invalid_fields")),
        (halves(surprise=1), (422, "invalid_fields")),
    ],
)
def test_a_split_that_makes_no_sense_changes_nothing(
    county: County, body: dict[str, Any], told: tuple[int, str]
) -> None:
    before = county.sql(sa.select(sa.func.count()).select_from(Area))
    assert answer(county.ask("cm", "POST", f"/grids/{GRID}/split", body)) == told
    assert county.sql(sa.select(sa.func.count()).select_from(Area)) == before
    assert answer(county.ask("cm", "POST", f"/grids/{VILLAGE}/split", halves())) == (
        422, "not_a_grid",
    )  # fmt: skip


def test_a_preview_tells_all_and_changes_nothing(street: Street, handset: Handed) -> None:
    county, phone = street.county, handset("gw")
    told = split(county, dry_run=True)
    assert told["dry_run"] and told["before"][str(GRID)]["household"] == HOMES
    assert {tuple(some.items()) for some in told["after"].values()} == {
        (), tuple({"contact": HOMES, "household": HOMES // 2, "incident": HOMES // 2,
                   "task": HOMES}.items()),
    }  # fmt: skip
    assert told["phones"] >= 2 and told["posts_ended"] >= 1
    assert county.sql(sa.select(Area.valid_until).where(Area.id == GRID)) == [(None,)]
    assert not phone.sync().puts and phone.is_exact()


def test_a_split_sends_records_where_they_lie_and_costs_no_more_than_they(
    street: Street, handset: Handed
) -> None:
    county = street.county
    second_worker(county)
    first, second = handset("gw"), handset("second")
    held = set(first.rows())
    split(county, people={str(county.ids["gw"]): [WEST_CODE],
                          str(county.ids["second"]): [EAST_CODE]})  # fmt: skip
    one, other = first.sync(), second.sync()
    assert first.is_exact() and second.is_exact()
    assert set(first.rows()) == street.all_of(*street.homes[: HOMES // 2])
    assert set(first.rows()) | set(second.rows()) == held
    assert one.drops == other.drops == [f"grid:{GRID}"]
    assert within_five_percent(one.records + other.records, one, other)
    assert sorted([*one.puts, *other.puts]) == sorted(held)


def test_a_grid_that_stays_sends_only_what_it_gives_away(street: Street, handset: Handed) -> None:
    county = street.county
    first, second = handset("gw"), handset("colleague")
    parts = [feature(GRID_CODE, 0, 0.5), feature(EAST_CODE, 0.5, 1)]
    body = {"features": parts, "source": "test", "posts": "none",
            "people": {str(county.ids["colleague"]): [EAST_CODE]}}  # fmt: skip
    reply = county.ask("cm", "POST", f"/grids/{GRID}/split", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    county.ask("cm", "POST", f"/users/{county.ids['colleague']}/posts",
               {"role": "gw", "area_id": grid_of(county, EAST_CODE)})  # fmt: skip
    one, other = first.sync(), second.sync()
    assert first.is_exact() and second.is_exact()
    assert not one.puts and set(other.puts) == street.all_of(*street.homes[HOMES // 2 :])
    assert within_five_percent(other.records, one, other)


def test_a_worker_of_both_halves_never_loses_sight_of_a_record(
    street: Street, handset: Handed
) -> None:
    phone = handset("gw")
    held = set(phone.rows())
    split(street.county, posts="all")
    pages = 0
    while True:
        shape, _ = phone.exchange(want_bytes=2_000)
        pages += 1
        assert set(phone.rows()) == held
        if shape["pull"]["complete"]:
            break
    assert pages > 3 and phone.is_exact()
    assert f"grid:{GRID}" not in phone.replica.memory.scopes()


def test_what_was_captured_offline_in_the_old_grid_reaches_its_heirs(
    street: Street, handset: Handed
) -> None:
    county = street.county
    second_worker(county)
    phone, second = handset("gw"), handset("second")
    west = phone.edit("create", "household", **household(**door(0)))
    east = phone.edit("create", "household", **household(**door(HOMES - 1)))
    nowhere = phone.edit("create", "household", **household())
    contact = phone.edit("create", "contact", household=east, name="钱七", phone="13912345670")
    renamed = phone.edit("update", "contact", contact, name="钱八")
    road = phone.edit("create", "incident", **on_the_road(HOMES - 1))
    home = street.homes[-1]
    changed = phone.edit("update", "household", home, occupancy="lived_in")
    split(county, main=WEST_CODE, people={str(county.ids["gw"]): [WEST_CODE],
                                          str(county.ids["second"]): [EAST_CODE]})  # fmt: skip
    phone.sync()
    second.sync()
    assert {one[0] for one in statuses(phone).values()} <= {"applied", "merged"}
    assert renamed and changed
    assert {("household", west), ("household", nowhere)} <= set(phone.rows())
    wanted = {("household", east), ("contact", contact), ("incident", road)}
    assert wanted <= set(second.rows())
    assert second.rows()["contact", contact][1]["name"] == "钱八"
    assert second.rows()["household", home][1]["occupancy"] == "lived_in"
    assert phone.is_exact() and second.is_exact()


def test_what_is_captured_after_the_split_by_somebody_not_in_charge_waits_for_the_heir(
    street: Street, handset: Handed
) -> None:
    county, phone = street.county, handset("gw")
    split(county, main=WEST_CODE, posts="none")
    phone.later()
    made = phone.edit("create", "household", **household())
    phone.sync()
    assert statuses(phone)[made][0] == "parked"
    waiting = county.sql(sa.select(sync_tables.parked.c.scope))
    assert waiting == [(f"grid:{grid_of(county, WEST_CODE)}",)]
    assert not phone.rows()


def test_records_without_a_place_go_as_the_list_says(street: Street) -> None:
    county, phone = street.county, street.county.phone("gw")
    made = [phone.act("create", "household", set=household())["rec"] for _ in range(2)]
    split(county, main=WEST_CODE, assigned={made[0]: EAST_CODE})
    rows = county.ask("vl", "GET", "/households?limit=200").get_json()
    grids = {row["id"]: row["grid"] for row in rows}
    assert grids[made[0]] == grid_of(county, EAST_CODE)
    assert grids[made[1]] == grid_of(county, WEST_CODE)


def test_a_merger_brings_people_ground_and_records_together(
    street: Street, handset: Handed
) -> None:
    county = street.county
    first, second = handset("gw"), handset("colleague")
    made = first.edit("create", "household", **household())
    body = {"grids": [GRID], "into": SAME_VILLAGE_GRID}
    reply = county.ask("cm", "POST", "/grids/merge", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    one, other = first.sync(), second.sync()
    second.sync()
    assert first.is_exact() and second.is_exact() and first.rows() == second.rows()
    assert ("household", made) in first.rows()
    assert within_five_percent(one.records + other.records, one, other)
    here = county.ask("vl", "GET", "/areas/locate?lon=104.105&lat=36.505").get_json()
    assert here["grid"]["id"] == SAME_VILLAGE_GRID
    assert answer(county.ask("cm", "POST", "/grids/merge", body)) == (409, "grid_has_ended")


def test_heirs_of_heirs_take_what_was_captured_long_before(street: Street, handset: Handed) -> None:
    county, phone = street.county, handset("gw")
    made = phone.edit("create", "household", **household(**door(HOMES - 1)))
    follows = phone.edit("create", "contact", household=made, name="钱七", phone="13912345670")
    split(county, main=WEST_CODE)
    body = {"grids": [grid_of(county, EAST_CODE), grid_of(county, WEST_CODE)],
            "into": NEXT_VILLAGE_GRID}  # fmt: skip
    assert county.ask("cm", "POST", "/grids/merge", body).status_code == 200
    phone.sync()
    assert {one[0] for one in statuses(phone).values()} == {"applied"}
    other = handset("gw_next_village")
    assert {("household", made), ("contact", follows)} <= set(other.rows())
    assert other.is_exact()


def test_a_border_drawn_anew_takes_the_records_on_its_ground(
    street: Street, handset: Handed
) -> None:
    county = street.county
    first, second = handset("gw"), handset("colleague")
    road = first.edit("create", "incident", **on_the_road(HOMES - 1))
    body = {"features": [feature(GRID_CODE, 0, 0.5), feature("620422105200011", 0.5, 2)],
            "source": "test"}  # fmt: skip
    reply = county.ask("cm", "POST", "/grids/redraw", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    one, other = first.sync(), second.sync()
    second.sync()
    assert first.is_exact() and second.is_exact()
    moved = street.all_of(*street.homes[HOMES // 2 :])
    assert set(second.rows()) == moved | {("incident", road)} and not one.puts
    assert within_five_percent(other.records, one, other)


def test_posts_go_on_with_their_ends_and_reasons(county: County) -> None:
    county.sql(sa.update(Post).where(Post.user_id == county.ids["gw"]).values(mode="cover",
               reason="leave"))  # fmt: skip
    told = split(county, main=EAST_CODE, posts="main")
    assert (told["posts_ended"], told["posts_given"]) == (1, 1)
    held = county.sql(sa.select(Post.area_id, Post.mode, Post.reason, Post.ends)
                      .where(Post.user_id == county.ids["gw"]).order_by(Post.id))  # fmt: skip
    assert held[0].ends is not None
    assert tuple(held[1]) == (grid_of(county, EAST_CODE), "cover", "leave", None)


def test_moving_a_grid_of_any_size_takes_as_many_statements_for_each_hundred(
    county: County,
) -> None:
    phone = county.phone("gw")
    edits = [phone.edit("create", "household", set=household(**door(one % HOMES)))
             for one in range(100)]  # fmt: skip
    phone.push(*edits[:4])
    with county.statements() as few:
        split(county, dry_run=True)
    phone.push(*edits[4:])
    with county.statements() as many:
        split(county, dry_run=True)
    assert len(many) <= len(few) + 2
