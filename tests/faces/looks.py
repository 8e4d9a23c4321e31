"""What the scenarios of the faces share: the first moves, and looks at the server."""

from typing import Any

import sqlalchemy as sa

from app.core.records import sync_tables
from tests.app.core.county import household
from tests.app.identity.town import GRID
from tests.faces.clients import AppPhone, Stage
from tests.prove.ground import Ground


def pair(stage: Stage, grid: int = GRID) -> tuple[AppPhone, AppPhone]:
    """Return the phones of two people who serve one grid."""
    return stage.phone(stage.person(grid)), stage.phone(stage.person(grid))


def shared_home(one: AppPhone, *others: AppPhone, **more: Any) -> str:
    """Make a household on one phone and bring it to all, each as of its last version."""
    home = one.create("household", household(**more))
    for phone in (one, *others, one):
        phone.sync()
    return home


def master(stage: Stage, home: str, who: str = "gw") -> dict[str, Any]:
    shown: dict[str, Any] = stage.ground.county.ask(who, "GET", f"/households/{home}").get_json()
    return shown


def conflicts_of(stage: Stage, record: str) -> list[dict[str, Any]]:
    """Return the conflicts of a record, settled by rule or waiting for a human."""
    asked = stage.ground.county.ask
    return [
        one
        for state in ("open", "settled")
        for one in asked("ts", "GET", f"/conflicts?state={state}&record={record}").get_json()
    ]


def parked(ground: Ground, device: str) -> list[tuple[str, str]]:
    t = sync_tables.parked
    rows = ground.county.sql(sa.select(t.c.code, t.c.state).where(t.c.device == device))
    return [(row.code, row.state) for row in rows]


def edits_of(ground: Ground, device: str) -> int:
    t = sync_tables.ledger
    count = sa.select(sa.func.count()).select_from(t).where(t.c.device == device)
    return int(ground.county.sql(count)[0][0])
