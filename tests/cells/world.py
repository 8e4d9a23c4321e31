"""One world for all cells: every sort of thing, once in each relation to the six who ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.areas.models import Area
from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.identity.models import Post
from sync.store import DEL
from tests.app.core.county import County, SyncPhone, draw_borders, household, incident
from tests.app.households.answers import agreed, contact_fields
from tests.app.identity.town import (
    CITY,
    COUNTY,
    GRID,
    NEXT_VILLAGE,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    TOWNSHIP,
    VILLAGE,
    _write_area,
    settle,
)
from tests.app.notices.bulletin import notice
from tests.app.photos.camera import facts, picture
from tests.cells import oracle as o

FAR_VILLAGE, FAR_GRID = 14, 15
CITY_2, COUNTY_2, TOWNSHIP_2, VILLAGE_2, GRID_2, ENDED_GRID = 20, 21, 22, 23, 24, 25
MORE_AREAS = (
    (FAR_VILLAGE, "village", 6, "1.3.6.14."), (FAR_GRID, "grid", FAR_VILLAGE, "1.3.6.14.15."),
    (CITY_2, "city", None, "20."), (COUNTY_2, "county", CITY_2, "20.21."),
    (TOWNSHIP_2, "township", COUNTY_2, "20.21.22."),
    (VILLAGE_2, "village", TOWNSHIP_2, "20.21.22.23."),
    (GRID_2, "grid", VILLAGE_2, "20.21.22.23.24."),
    (ENDED_GRID, "grid", VILLAGE, "1.2.4.7.25."),
)  # fmt: skip
GRID_OF = {
    o.OWN: GRID, o.SAME_GRID: GRID, o.OTHER_GRID: SAME_VILLAGE_GRID,
    o.OTHER_VILLAGE: NEXT_VILLAGE_GRID, o.OTHER_TOWNSHIP: OTHER_TOWNSHIP_GRID,
    o.OTHER_COUNTY: FAR_GRID, o.OTHER_CITY: GRID_2, o.MOVED: GRID, o.DELETED: GRID,
}  # fmt: skip
WORKER_OF = {
    o.OWN: "gw", o.SAME_GRID: "peer", o.OTHER_GRID: "colleague",
    o.OTHER_VILLAGE: "gw_next_village", o.OTHER_TOWNSHIP: "gw_other_township",
    o.OTHER_COUNTY: "gw_far", o.OTHER_CITY: "gw_2", o.MOVED: "peer", o.DELETED: "peer",
}  # fmt: skip
CHIEF_OF = {o.OTHER_TOWNSHIP: "ts_other_township", o.OTHER_COUNTY: "ts_far", o.OTHER_CITY: "ts_2"}
ABOVE = {"gw": VILLAGE, "vl": TOWNSHIP, "ts": COUNTY, "cm": CITY}
LEADER_ABOVE = {"gw": "vl", "vl": "ts_colleague", "ts": "cm_second", "cm": "cm_city"}
NOBODYS = 999_999
KINDS = ("household", "contact", "service_person", "visit", "consent", "incident", "photo", "task")
SENTINEL = {"household": "address_text", "contact": "name", "service_person": "display_name",
            "visit": "note", "incident": "text", "task": "title"}  # fmt: skip
"""Of each kind, a field whose value is a stranger's until one may see it."""
SECRET = "甲乙丙丁"


@dataclass
class World:
    """The county with all that is asked about.

    Attributes:
        things: ids by (sort of thing, relation).
    """

    county: County
    things: dict[tuple[str, str], Any] = field(default_factory=dict)
    phones: dict[str, SyncPhone] = field(default_factory=dict)

    def thing(self, sort: str, relation: str, role: str) -> Any | None:
        """Return the id of a thing; what is nobody's gets a number of its own each time."""
        if sort in ("area", "grid", "user", "device", "post", "leaver"):
            return self._placed(sort, relation, role)
        if relation == o.ABSENT:
            return new_id()
        return self.things.get((f"{sort} of {role}", relation), self.things.get((sort, relation)))

    def _placed(self, sort: str, relation: str, role: str) -> Any | None:
        if relation == o.ABSENT:
            return new_id() if sort == "device" else NOBODYS
        if relation == o.OWN and sort == "user":
            return self.county.ids[role]
        if relation == o.ANCESTOR:
            if sort == "area":
                return ABOVE.get(role)
            if sort == "user" and role in LEADER_ABOVE:
                return self.county.ids[LEADER_ABOVE[role]]
            return None
        return self.things.get((sort, relation))


def open_world(county: County) -> World:
    """Settle the county, fill it, and return it."""
    settle(county)
    with county.database.transaction(Mode.WRITE) as session:
        draw_borders(session)
        for area in MORE_AREAS:
            _write_area(session, *area)
        session.execute(sa.update(Area).where(Area.id == ENDED_GRID)
                        .values(valid_until=datetime(2024, 1, 1, tzinfo=UTC).date()))  # fmt: skip
        for name, role, area in (
            ("peer", "gw", GRID), ("gw_far", "gw", FAR_GRID), ("gw_2", "gw", GRID_2),
            ("ts_far", "ts", 6), ("ts_2", "ts", TOWNSHIP_2), ("cm_second", "cm", COUNTY),
        ):  # fmt: skip
            county.add(session, name, role, area)
    world = World(county)
    for relation, grid in GRID_OF.items():
        _furnish(world, relation, grid)
    _office_things(world)
    _move_and_delete(world)
    _people(world)
    return world


def _furnish(world: World, relation: str, grid: int) -> None:
    """Let the worker of a grid take down one of everything."""
    phone = world.county.phone(WORKER_OF[relation])
    ids = {sort: new_id() for sort in (*KINDS, "asked", "helped")}
    home = ids["household"]
    edits = [
        ("household", home, household(grid=grid, address_text=f"{SECRET}路 {relation}",
                                      building="9")),
        ("consent", ids["consent"], agreed(home, "contact")),
        ("consent", ids["asked"], agreed(home, "safety")),
        ("consent", ids["helped"], agreed(home, "meal_help", ids["service_person"])),
        ("contact", ids["contact"], {**contact_fields(home), "name": SECRET}),
        ("service_person", ids["service_person"],
         {"household": home, "display_name": SECRET, "services": ["meal_help"]}),
        ("visit", ids["visit"], {"household": home, "outcome": "met", "note": SECRET}),
        ("incident", ids["incident"], incident(grid=grid, text=SECRET)),
        ("photo", ids["photo"], facts(picture(len(world.things)), incident=ids["incident"])),
    ]  # fmt: skip
    made = phone.push(*(phone.edit("create", kind, rec, set=said) for kind, rec, said in edits))
    assert {one["status"] for one in made} == {"applied"}, made
    ids["task"] = _task(world, relation, grid)
    ids["parked"] = phone.act("create", "incident", set=incident(category="9999", grid=grid))["id"]
    ids["conflict"] = _clash(world, relation, home)
    world.things |= {(sort, relation): name for sort, name in ids.items()}
    world.things |= {("grid", relation): grid, ("area", relation): grid}


def _task(world: World, relation: str, grid: int) -> str:
    body = {"grid": grid, "task_kind": "visit", "title": SECRET,
            "assignee": world.county.ids[WORKER_OF[relation]]}  # fmt: skip
    return str(world.county.made(CHIEF_OF.get(relation, "ts"), "/tasks", body)["id"])


def _clash(world: World, relation: str, home: str) -> str:
    """Let two phones of a worker say different things of a household."""
    one, name = world.county.phone(WORKER_OF[relation]), f"second {WORKER_OF[relation]}"
    two = world.phones.setdefault(name, world.county.another_phone(WORKER_OF[relation]))
    one.act("update", "household", home, base=1, set={"occupancy": "empty"})
    receipt = two.act("update", "household", home, base=1, set={"occupancy": "seasonal"})
    return str(receipt["conflicts"][0])


def _office_things(world: World) -> None:
    """Let the offices publish notices, and report incidents of their own."""
    county = world.county
    for relation, grid in GRID_OF.items():
        if relation in (o.MOVED, o.DELETED):
            continue
        chief = CHIEF_OF.get(relation, "ts_colleague")
        body = notice(areas=[grid], title=f"{SECRET} {relation}")
        world.things["notice", relation] = county.made(chief, "/notices", body)["id"]
    for role in ("vl", "ts", "cm"):
        own = {key: value for key, value in incident(text=SECRET).items()
               if key not in ("state", "round")}  # fmt: skip
        world.things[f"incident of {role}", o.OWN] = county.made(role, "/incidents", own)["id"]
        body = notice(areas=[GRID], title=f"{SECRET} {role}")
        world.things[f"notice of {role}", o.OWN] = county.made(role, "/notices", body)["id"]


def _move_and_delete(world: World) -> None:
    """Move one household and one case to the next village, and delete a set of things."""
    county, things = world.county, world.things
    moved = county.ask("ts", "POST", f"/households/{things['household', o.MOVED]}/transfer",
                       {"grid": NEXT_VILLAGE_GRID})  # fmt: skip
    assert moved.status_code == 200, moved.get_data(as_text=True)
    for sort, body in (("incident", {"grid": NEXT_VILLAGE_GRID}),
                       ("task", {"grid": NEXT_VILLAGE_GRID,
                                 "assignee": county.ids["gw_next_village"]})):  # fmt: skip
        phone, rec = county.phone("ts"), things[sort, o.MOVED]
        done = phone.act("update", sort, rec, base=9, set=body)
        assert done["status"] in ("applied", "merged"), done
    for sort in (*KINDS, "asked"):
        kind = "consent" if sort == "asked" else sort
        table = county.app.extensions["wangge_engine"].tables[kind].table
        gone = sa.update(table).where(table.c.id == things[sort, o.DELETED])
        county.sql(gone.values(deleted="record"))
        feed = sync_tables.feed
        county.sql(sa.update(feed).where(feed.c.record == things[sort, o.DELETED])
                   .values(op=DEL))  # fmt: skip
    for sort in ("parked", "conflict", "grid", "area"):
        things.pop((sort, o.MOVED)), things.pop((sort, o.DELETED))
    things["area", o.DELETED] = ENDED_GRID


def _people(world: World) -> None:
    """Take people on who can be let go, with phones and posts, in every relation."""
    county, things = world.county, world.things
    for relation, worker in WORKER_OF.items():
        if relation in (o.MOVED, o.DELETED):
            continue
        things["user", relation] = county.ids[worker]
        name = f"leaver {relation}"
        county.person(name, "gw", GRID_OF[relation])
        county.another_phone(name)
        things["leaver", relation] = county.ids[name]
        [things["post", relation]] = [row[0] for row in county.sql(
            sa.select(Post.id).where(Post.user_id == county.ids[name]))]  # fmt: skip
        [device] = county.ask(f"{name}_phone", "GET", "/devices").get_json()
        things["device", relation] = device["id"]
    county.person("newcomer", "gw", GRID)
    county.person("moved worker", "gw", GRID, ended=True)
    with county.database.transaction(Mode.WRITE) as session:
        session.add(Post(user_id=county.ids["moved worker"], role="gw", area_id=NEXT_VILLAGE_GRID,
                         starts=datetime(2026, 1, 1, tzinfo=UTC), ends=None, reason="",
                         mode="permanent"))  # fmt: skip
    things["user", o.MOVED] = county.ids["moved worker"]


def names(things: Mapping[tuple[str, str], Any], sort: str) -> dict[Any, str]:
    """Return the relation of each thing of a sort, by id."""
    return {name: relation for (one, relation), name in things.items() if one == sort}


__all__ = ["NEXT_VILLAGE", "World", "names", "open_world"]
