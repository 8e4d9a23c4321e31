"""Short ways to bring an incident from its report to where a test needs it."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.core.engine import current_engine
from app.incidents.models import Incident
from tests.app.core.county import GARBAGE, County, centre, place
from tests.app.identity.town import GRID

Steps = tuple[tuple[str, str, dict[str, Any]], ...]
TO_FILED: Steps = (("vl", "verified", {}), ("ts", "filed", {}))
TO_DISPATCHED: Steps = (*TO_FILED, ("ts", "dispatched", {"unit": GRID}))
TO_PROGRESS: Steps = (
    *TO_DISPATCHED, ("second", "claimed", {}), ("second", "in_progress", {}),
)  # fmt: skip
TO_ANSWERED: Steps = (*TO_PROGRESS, ("second", "answered", {"result_text": "已清运"}))
TO_CHECKED: Steps = (*TO_ANSWERED, ("gw", "checked", {}))
TO_CLOSED: Steps = (*TO_CHECKED, ("ts", "closed", {"close_kind": "normal"}))


def report(county: County, **more: Any) -> dict[str, Any]:
    """Let the worker of the first grid report something; a second one serves there too."""
    if "second" not in county.ids:
        county.person("second", "gw", GRID)
    body = {"category": GARBAGE, "text": "垃圾无人清运", **place(*centre(GRID)), **more}
    return county.made("gw", "/incidents", body)


def move(county: County, who: str, rec: str, state: str, **more: Any) -> TestResponse:
    """Let somebody take an incident a step on."""
    return county.ask(who, "POST", f"/incidents/{rec}/moves", {"state": state, **more})


def act(county: County, who: str, rec: str, name: str, **more: Any) -> TestResponse:
    """Let somebody do something to an incident."""
    return county.ask(who, "POST", f"/incidents/{rec}/acts", {"act": name, **more})


def walked(county: County, steps: Steps, **more: Any) -> dict[str, Any]:
    """Report an incident and take it along some steps; return it as the township sees it."""
    rec = report(county, **more)["id"]
    return on(county, rec, steps)


def on(county: County, rec: str, steps: Steps) -> dict[str, Any]:
    """Take an incident along some steps; return it as the township sees it."""
    for who, state, said in steps:
        reply = move(county, who, rec, state, **said)
        assert reply.status_code == 200, (who, state, reply.get_data(as_text=True))
    return seen(county, rec)


def seen(county: County, rec: str, who: str = "ts") -> dict[str, Any]:
    """Return an incident as somebody sees it."""
    shown: dict[str, Any] = county.ask(who, "GET", f"/incidents/{rec}").get_json()
    return shown


def when(shown: dict[str, Any], name: str) -> datetime:
    """Return a moment of an incident."""
    return datetime.fromisoformat(shown[name])


def turn_back(county: County, rec: str, **moments: str) -> None:
    """Write other moments into an incident, as if they had been stamped then."""
    engine = current_engine()
    with county.database.engine.begin() as connection:
        row = connection.execute(sa.select(Incident.__table__).where(Incident.id == rec)).one()
        body = json.dumps({**json.loads(row.body), **moments})
        values = {name: datetime.fromisoformat(text) for name, text in moments.items()}
        connection.execute(
            sa.update(Incident.__table__)
            .where(Incident.id == rec)
            .values(**values, body=engine.seal.close("incident", rec, body))
        )
