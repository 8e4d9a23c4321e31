"""Whoever has just said no is left in peace: no task asks him again for 180 days."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.households.service_models import Consent
from app.tasks.handing_out import unseen_households
from tests.app.core.county import County
from tests.app.households.answers import agreed, home_of
from tests.app.identity.town import GRID, outcome


def test_p12_no_task_asks_a_household_that_said_no_within_180_days(county: County) -> None:
    phone = county.phone("gw")
    home, other = home_of(phone), home_of(phone)
    no = agreed(home, "errands", new_id(), state="declined")
    assert phone.act("create", "consent", set=no)["status"] == "applied"
    errand = {"task_kind": "errand", "household": home, "title": "代办"}
    refused = county.ask("ts", "POST", "/tasks", {"grid": GRID, **errand})
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["code"] == "household_declined"
    assert county.task(task_kind="visit", household=home)["household"] == home
    batch = {"task_kind": "errand", "households": [home, other]}
    seen = county.ask("ts", "POST", "/task-batches/preview", batch).get_json()
    assert seen["tasks"] == 1
    none = county.ask("ts", "POST", "/task-batches/preview", {**batch, "households": [home]})
    assert outcome(none) == (422, "households_declined")
    later = datetime.now(UTC) + timedelta(days=100)

    def asked() -> set[str | None]:
        with county.database.transaction(Mode.READ) as session:
            found = unseen_households(session, "1.", task_kind="errand", days=30, now=later)
            return {one.household for one in found}

    assert asked() == {other}
    with county.database.transaction(Mode.WRITE) as session:
        earlier = datetime.now(UTC) - timedelta(days=100)
        session.execute(sa.update(Consent).values(given_at=earlier))
    assert asked() == {home, other}
    # Somebody else of the household agrees: the errand may be run.
    phone.act("create", "consent", set=agreed(home, "errands", new_id()))
    assert county.task(**errand)["household"] == home
