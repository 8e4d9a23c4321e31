"""What stands in the log: who, when, from where, why, with what result; and never what was said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask_migrate import downgrade, upgrade

from app.core import audit, refused
from app.core.audit import AuditEvent
from app.core.database import Mode
from app.core.refused import Budget
from app.core.settings import Settings, SettingsError
from tests.app.core.county import County, fill, household
from tests.app.identity.town import GRID, TestPhone, outcome
from tests.conftest import SECRETS, as_owner

PASSWORD = "correct horse battery"
REFUSED_SIGN_IN = "auth.sign_in.refused"


def _last(county: County, event: str) -> AuditEvent:
    found: AuditEvent = county.events(event)[-1].AuditEvent
    return found


def _everything(county: County) -> str:
    return "\n".join(str(tuple(row)) for row in county.sql(sa.select(AuditEvent.__table__)))


def test_a_sign_in_leaves_a_row_and_so_does_one_that_fails(county: County) -> None:
    county.person("chief", "cm", login="chief", password=PASSWORD)
    for password in (PASSWORD, "wrong horse battery"):
        county.call(None, "POST", "/auth/sign-in", {"login": "chief", "password": password},
                    address="198.51.100.7")  # fmt: skip
    assert len(county.events(REFUSED_SIGN_IN)) == 1
    good, bad = _last(county, "auth.sign_in"), _last(county, REFUSED_SIGN_IN)
    assert (good.result, good.user_id, good.address) == ("done", county.ids["chief"],
                                                         "198.51.100.7")  # fmt: skip
    assert (bad.result, bad.user_id, bad.sort) == ("refused", county.ids["chief"], "access")
    assert bad.subject == f"user:{county.ids['chief']}"
    assert bad.details == {"code": "wrong_credentials"}
    county.call(None, "POST", "/auth/sign-in", {"login": "张三丰", "password": "x" * 9})
    assert str(_last(county, REFUSED_SIGN_IN).subject).startswith("login:")
    assert "张三丰" not in _everything(county)


def test_refused_codes_tokens_and_rights_leave_rows(county: County) -> None:
    code = county.code_for("gw")
    county.call(None, "POST", "/auth/enrol", TestPhone("one").enrolment(code))
    reply = county.call(None, "POST", "/auth/enrol", TestPhone("two").enrolment(code))
    assert outcome(reply) == (409, "code_used")
    assert _last(county, "auth.enrol.refused").details["code"] == "code_used"
    assert _last(county, "auth.enrol.refused").user_id == county.ids["gw"]
    assert outcome(county.ask("gw", "GET", "/audit/events")) == (403, "not_allowed")
    row = _last(county, "audit.list.refused")
    assert (row.result, row.user_id, row.session_id is None) == (
        "refused", county.ids["gw"], True,
    )  # fmt: skip
    county.headers["ghost"] = {"Authorization": "Bearer nonsense"}
    assert outcome(county.ask("ghost", "GET", "/households")) == (401, "invalid_token")
    assert _last(county, "household.list.refused").details == {"code": "invalid_token"}


def test_a_flood_of_refusals_is_counted_and_not_written_row_by_row(county: County) -> None:
    clock = [0.0]
    county.app.extensions[refused.EXTENSION] = Budget(clock=lambda: clock[0])
    county.headers["ghost"] = {"Authorization": "Bearer nonsense"}
    for _ in range(12):
        county.ask("ghost", "GET", "/households")
    assert len(county.events("household.list.refused")) == refused.FREE
    clock[0] = refused.WINDOW_S
    county.ask("ghost", "GET", "/households")
    assert _last(county, "household.list.refused").details["unsaid"] == 12 - refused.FREE


def test_a_missing_or_expired_token_is_no_refusal_worth_a_row(county: County) -> None:
    assert outcome(county.ask(None, "GET", "/households")) == (401, "token_missing")
    assert county.events("household.list.refused") == []


def test_consents_and_deletions_by_phone_keep_the_phones_time_apart(county: County) -> None:
    phone, home = county.phone("gw"), "0190a000-0000-7000-8000-000000000001"
    phone.act("create", "household", home, set=household())
    given = {"household": home, "subject": home, "purpose": "contact", "state": "given",
             "notice_version": 1, "given_by": "self", "method": "on_screen"}  # fmt: skip
    phone.push(phone.edit("create", "consent", set=given, at={"claimed": 1_000_000_000_000}))
    row = _last(county, "consent.create")
    assert row.phone_ms == 1_000_000_000_000
    assert row.at.year >= 2024
    assert (row.device, row.enrolment is not None) == (phone.device, True)
    wish = phone.edit("delete", "household", home, base=1)
    for _ in range(2):
        phone.push(wish)
    [told] = county.events("household.delete")
    assert (told.AuditEvent.subject, told.AuditEvent.result) == (home, "refused")
    assert told.AuditEvent.details["code"] == "not_allowed"
    phone.act("delete", "张三丰的家", home)
    assert _last(county, "unknown.delete").subject == home


def test_an_act_whose_row_cannot_be_written_does_not_happen(county: County) -> None:
    fill(county, 1)
    [home] = county.ask("gw", "GET", "/households").get_json()
    phone = county.phone("gw")
    with _broken_log(county):
        for who, method, path, body in (
            ("gw", "GET", f"/households/{home['id']}", None),
            ("gw", "GET", "/households", None),
            ("ts", "POST", f"/users/{county.ids['gw']}/enrolment-codes", {}),
        ):
            assert county.ask(who, method, path, body).status_code == 503
        assert phone.send("pull", {"cursor": None}).status_code == 503
    unused = "SELECT count(*) FROM enrolment_code WHERE used_at IS NULL"
    assert county.sql(sa.text(unused))[0][0] == 0


@contextmanager
def _broken_log(county: County) -> Iterator[None]:
    def rename(one: str, other: str) -> None:
        with as_owner(county.database) as connection:
            connection.execute(sa.text(f"ALTER TABLE {one} RENAME TO {other}"))

    rename("audit_event", "audit_gone")
    try:
        yield
    finally:
        rename("audit_gone", "audit_event")


@pytest.mark.parametrize("statement", [
    "UPDATE audit_event SET event = 'nothing'", "DELETE FROM audit_event",
    "UPDATE audit_link SET hash = 'x'", "DELETE FROM audit_link",
])  # fmt: skip
def test_the_database_refuses_to_change_or_delete_rows(county: County, statement: str) -> None:
    with county.database.transaction(Mode.WRITE) as session:
        audit.record(session, "test.done", user_id=None)
    county.app.extensions["wangge_sealer"].seal()
    wanted = pytest.raises(sa.exc.DBAPIError, match=r"never changed|wants|still there")
    with wanted, as_owner(county.database) as connection:
        connection.execute(sa.text(statement))


def test_the_role_of_the_server_has_no_right_to_change_the_log(county: County) -> None:
    if county.database.is_sqlite:
        return
    for statement in ("UPDATE audit_event SET event = 'x'", "DELETE FROM audit_link",
                      "TRUNCATE audit_event"):  # fmt: skip
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            county.sql(sa.text(statement))


def test_settings_below_what_the_law_demands_refuse_to_start() -> None:
    for name, days in (("AUDIT_DAYS", "182"), ("PROCESSING_DAYS", "1094")):
        with pytest.raises(SettingsError, match=name):
            Settings.from_environment({**SECRETS, name: days})
    Settings.from_environment({**SECRETS, "AUDIT_DAYS": "183", "PROCESSING_DAYS": "1095"})


def test_a_command_is_written_down_before_it_runs(county: County) -> None:
    result = county.app.test_cli_runner().invoke(args=["identity", "issue-code", "nobody"])
    assert result.exit_code == 1
    row = _last(county, "system.command")
    assert (row.subject, row.sort) == ("identity issue-code", "system")
    assert "nobody" not in _everything(county)


def test_a_migration_of_a_database_that_was_there_leaves_a_row(county: County) -> None:
    downgrade(revision="-1")
    upgrade()
    row = _last(county, "system.migrated")
    assert row.details["before"] != row.details["after"]


def _count(county: County, *more: Any) -> int:
    return int(county.sql(sa.select(sa.func.count()).select_from(AuditEvent).where(*more))[0][0])


def test_many_at_once_do_not_wait_for_each_others_row(county: County) -> None:
    """On PostgreSQL a transaction that holds a row back does not keep another from committing."""
    if county.database.is_sqlite:
        return
    done = threading.Event()

    def other() -> None:
        with county.app.app_context(), county.database.transaction(Mode.WRITE) as session:
            audit.record(session, "test.second", user_id=None)
        done.set()

    with county.database.transaction(Mode.WRITE) as session:
        audit.record(session, "test.first", user_id=None, scope=f"grid:{GRID}")
        thread = threading.Thread(target=other)
        thread.start()
        assert done.wait(20)
        thread.join()
    assert _count(county, AuditEvent.event.like("test.%")) == 2
