"""What has been held for long enough goes, from phones too, and the run says how much it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.core.audit import AuditEvent
from app.core.database import Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.households.rules import AGE_BANDS
from app.identity.models import AuthSession
from app.privacy import retention
from tests.app.core.county import County
from tests.app.households.answers import consent
from tests.app.privacy.asking import family

NOTE = "家里一切正常"


def _later(months: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=months * 30.4375 + 1)


def _event(county: County) -> dict[str, Any]:
    with county.database.transaction(Mode.READ) as session:
        last = sa.select(AuditEvent).where(AuditEvent.event == "privacy.retention")
        found = session.scalars(last.order_by(AuditEvent.id.desc())).first()
        assert found is not None
        return found.details


def test_p20_p49_each_thing_ends_in_its_time_on_phones_too_and_only_numbers_are_written_down(
    county: County,
) -> None:
    phone = county.phone("gw")
    with county.database.transaction(Mode.WRITE) as session:
        # Only the clock of the job goes forward: whoever looks stays signed in.
        session.execute(sa.update(AuthSession).values(absolute_until=_later(240)))
    home, contact = family(phone)
    consent(phone, home, "safety")
    said = {"evacuation_help": True, "heating": "gas", "residents_count": 3,
            **dict.fromkeys(AGE_BANDS)}  # fmt: skip
    assert phone.act("update", "household", home, base=2, set=said)["status"] == "applied"
    rv = county.ask("vl", "GET", f"/households/{home}").get_json()["rv"]
    assert county.ask("vl", "GET", f"/households/{home}").get_json()["stale"] is False
    assert [name for name, one in retention.due(_later(11)).items() if one] == [
        "enrolment_code P30D"
    ]
    due = retention.due(_later(12))
    assert (due["visit.note P12M"], due["household.evacuation_help P12M"]) == (1, 1)
    done = retention.run(_later(12))
    assert done == due
    shown = county.ask("vl", "GET", f"/households/{home}").get_json()
    assert (shown["evacuation_help"], shown["heating"]) == (None, "gas")
    assert shown["rv"] > rv
    pulled = str(phone.pull())
    history = county.ask("vl", "GET", f"/records/household/{home}/history").get_data(as_text=True)
    assert NOTE not in pulled and '"set":true' not in history.replace(" ", "")
    assert _event(county)["ended"] == {name: one for name, one in done.items() if one}
    assert NOTE not in str(_event(county))
    done = retention.run(_later(24))
    assert done["contact P24M"] == 1 and done["visit P24M"] == 1
    assert done["household.residents_count P24M"] == 1
    assert county.ask("vl", "GET", "/contacts").get_json() == []
    assert [one["op"] for one in phone.pull() if one["id"] == contact] == ["purge"]
    assert county.ask("vl", "GET", f"/households/{home}").get_json()["heating"] is None
    assert sum(retention.run(_later(24)).values()) == 0


def test_p20_old_sessions_codes_and_the_numbers_of_people_who_left_go(county: County) -> None:
    before = retention.run(_later(0.1))
    assert before["auth_session P30D"] == 0
    done = retention.run(_later(6))
    assert done["auth_session P30D"] > 10
    assert done["user.phone P12M"] == 0
    with county.database.transaction(Mode.WRITE) as session:
        session.execute(sa.text('UPDATE "user" SET phone = :sealed, dismissed_at = :at'),
                        {"sealed": "x", "at": datetime.now(UTC).replace(tzinfo=None)})  # fmt: skip
    assert retention.run(_later(13))["user.phone P12M"] == len(county.ids)


def test_p20_a_proof_of_consent_goes_three_years_after_its_end(county: County) -> None:
    phone = county.phone("gw")
    home, _ = family(phone)
    record = new_id()
    said = {"household": home, "subject": home, "purpose": "safety", "state": "declined",
            "notice_version": 1, "given_by": "self", "method": "on_screen"}  # fmt: skip
    phone.act("create", "consent", record, set=said)
    assert retention.due(_later(35))["consent P36M"] == 0
    assert retention.run(_later(36))["consent P36M"] == 1
    with county.database.transaction(Mode.READ) as session:
        found = current_engine().store(session).records([("consent", record)])
    assert found["consent", record].deleted == "erased"
