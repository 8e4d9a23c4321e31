"""A street of homes in the first grid, each with contacts, tasks, incidents and a conflict."""

from dataclasses import dataclass, field
from typing import Any

from tests.app.core.county import SIDE, SOUTH, WEST, County, household, incident, place
from tests.app.identity.town import GRID

HOMES = 6


@dataclass
class Street:
    """The homes in their order from west to east; ``of`` gives all that belongs to one."""

    county: County
    homes: list[str] = field(default_factory=list)
    of: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def all_of(self, *homes: str) -> set[tuple[str, str]]:
        """Return the keys of homes and of all that belongs to them."""
        return {key for home in homes for key in self.of[home]}


def door(number: int) -> dict[str, Any]:
    """Return the fields of a door, one after the other along the street."""
    lon = round(WEST + SIDE * (number + 0.5) / HOMES, 7)
    return {"door_point": [lon, round(SOUTH + SIDE / 2, 7)], "door_accuracy_m": 5,
            "door_source": "gps"}  # fmt: skip


def build_street(county: County) -> Street:
    """Build it with the phone of the first grid's worker."""
    phone, street = county.phone("gw"), Street(county)
    other = county.another_phone("gw")
    for number in range(HOMES):
        edits = [phone.edit("create", "household", set=household(**door(number)))]
        home = edits[0]["rec"]
        for name in ("张三", "李四"):
            values = {"household": home, "name": name, "phone": "13912345678"}
            edits.append(phone.edit("create", "contact", set=values))
        values = incident(household=home)
        edits.append(phone.edit("create", "incident", set=values))
        assert {one["status"] for one in phone.push(*edits)} == {"applied"}
        tasks = [county.task(household=home)["id"], county.task(incident=edits[3]["rec"])["id"]]
        phone.push(phone.edit("update", "household", home, base=1, set={"occupancy": "empty"}))
        clash = other.act("update", "household", home, base=1, set={"occupancy": "seasonal"})
        street.homes.append(home)
        street.of[home] = [
            *((one["kind"], one["rec"]) for one in edits), *(("task", one) for one in tasks),
            ("conflict", clash["conflicts"][0]),
        ]  # fmt: skip
    return street


def on_the_road(number: int) -> dict[str, Any]:
    """Return an incident before a home that names no home."""
    values = incident(**place(*door(number)["door_point"]))
    return {name: value for name, value in values.items() if name != "grid"} | {"grid": GRID}
