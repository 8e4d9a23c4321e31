"""The last door: what the database itself shows to statements that forgot to ask for anything."""

import time

import sqlalchemy as sa

from app.core import span
from app.core.database import Mode
from app.identity import actors_of
from tests.cells import oracle as o
from tests.cells.run import Cells
from tests.cells.world import KINDS

OWNED = {"task": ("gw",), "visit": ("gw",), "photo": ("gw",), "incident": ("gw", "vl", "ts", "cm"),
         "sync_parked": ("gw",)}  # fmt: skip
TABLES = {**{kind: (kind, "id") for kind in KINDS}, "conflict": ("conflict", "id"),
          "sync_parked": ("parked", "edit")}  # fmt: skip
"""Of each table the sort of things in it, and the column of their ids."""


def ask_rows(cells: Cells) -> None:
    """Select everything, in the span of each role, and see what comes."""
    county = cells.world.county
    for role in o.ROLES:
        with county.database.transaction(Mode.READ) as session:
            user = county.ids[role]
            actor = actors_of(session, [user])[user]
        with span.spanning(span.span_of(actor, int(time.time() * 1000))):
            for table, (sort, column) in TABLES.items():
                with county.database.transaction(Mode.READ) as session:
                    every = sa.text(f'SELECT "{column}" FROM "{table}"')
                    rows = {str(one) for one in session.scalars(every)}
                for relation in o.RELATIONS:
                    _compare(cells, role, relation, table=table, sort=sort, rows=rows)


def _compare(
    cells: Cells, role: str, relation: str, *, table: str, sort: str, rows: set[str]
) -> None:
    thing = cells.world.thing(sort, relation, role)
    if thing is None:
        return
    everywhere = role in ("au", "da")
    own = relation == o.OWN and role in OWNED.get(table, ())
    there = relation != o.ABSENT
    seen = there and (everywhere or own or o.is_below(role, relation))
    cells.cell(f"rows:{table}", "household.list", role, relation,
               expected=o.SEEN if seen else o.NOTHING,
               found=o.SEEN if str(thing) in rows else o.NOTHING)  # fmt: skip
