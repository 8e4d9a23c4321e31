"""Ask every cell at every door, and compare with the table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from werkzeug.test import TestResponse

from tests.cells import oracle as o
from tests.cells.rest import ALL, Call, Door
from tests.cells.world import World


@dataclass
class Cells:
    """The cells asked so far, and where door and table disagree.

    Attributes:
        wrong: (door, action, role, relation, expected, found) of each deviation.
        asked: which (action, role, relation) has been asked anywhere.
    """

    world: World
    wrong: list[tuple[str, ...]] = field(default_factory=list)
    asked: set[tuple[str, str, str]] = field(default_factory=set)
    by_door: Counter[str] = field(default_factory=Counter)

    def cell(
        self, door: str, action: str, role: str, relation: str, *, expected: str, found: str
    ) -> None:
        """Count one cell, and keep it if it is wrong."""
        self.by_door[door.split(":")[0]] += 1
        self.asked.add((action, role, relation))
        if expected != found:
            self.wrong.append((door, action, role, relation, expected, found))

    @property
    def count(self) -> int:
        """Return how many cells were asked."""
        return self.by_door.total()


def verdict(reply: TestResponse) -> str:
    """Return what an answer says of the right: only the table's own words count as a no."""
    if reply.status_code in (401, 403, 404):
        problem = reply.get_json()
        if reply.status_code == 403 and problem.get("errors"):
            return o.SEEN  # a rule of the feature, after the table has said yes
        return str(reply.status_code)
    assert reply.status_code < 500, reply.get_data(as_text=True)
    return o.SEEN


def ask_doors(cells: Cells, doors: tuple[Door, ...] = ALL) -> None:
    """Knock at every door of the office in every role, about everything."""
    for door in doors:
        for role in o.ROLES:
            for relation in o.RELATIONS:
                if relation not in door.without:
                    _knock(cells, door, role, relation)


def _knock(cells: Cells, door: Door, role: str, relation: str) -> None:
    world = cells.world
    thing = world.thing(door.sort, relation, role)
    if thing is None:
        return
    call = Call(world, role, relation, thing)
    path = door.path.format(thing, newcomer=world.county.ids["newcomer"])
    reply = world.county.ask(role, door.method, path, door.body(call) if door.body else None,
                             headers=_version(world, door, thing))  # fmt: skip
    expected = door.expected(role, relation)
    found = verdict(reply)
    cells.cell(f"rest:{door.name}", door.action, role, relation,
               expected=o.SEEN if expected == o.MASKED else expected, found=found)  # fmt: skip


def _version(world: World, door: Door, thing: Any) -> Mapping[str, str]:
    """Name the present version of a record, so that what is asked is the right and not the race."""
    if not door.seen_version:
        return {}
    table = world.county.app.extensions["wangge_engine"].tables[door.sort].table
    rows = world.county.sql(sa.select(table.c.rv).where(table.c.id == str(thing)))
    return {"If-Match": f'"v{rows[0][0] if rows else 1}"'}
