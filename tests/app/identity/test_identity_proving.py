"""A fresh proof before what is hard to take back: who gives it how, and what asks for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.web import PUBLIC, Need
from app.identity.attempts import WRONG_MAX
from app.identity.models import AuthSession
from tests.app.identity.town import TOWNSHIP, TestPhone, Town, now_ms, outcome

PASSWORD = "长城之外-seven geese"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEP_UP = "/auth/step-up"


def code(later: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(datetime.now(UTC), counter_offset=later)


@pytest.fixture
def stale(town: Town) -> Town:
    """Return a town in which a supervisor signed in ten minutes ago."""
    town.person("主管", "ts", TOWNSHIP, login="zhu.guan", password=PASSWORD, factor=SECRET)
    age(town)
    return town


def age(town: Town) -> None:
    """Let all proofs be ten minutes old."""
    town.sql(sa.update(AuthSession).values(proven_at=datetime.now(UTC) - timedelta(minutes=10)))


def test_an_old_proof_is_renewed_for_five_minutes(stale: Town) -> None:
    path = f"/users/{stale.ids['gw']}/dismissal"
    asked = stale.call("主管", "POST", path)
    assert outcome(asked) == (403, "step_up_needed")
    assert asked.get_json()["call"] == "/api/v1/auth/step-up"
    assert asked.get_json()["fields"] == ["password", "code"]
    assert stale.call("主管", "GET", "/auth/me").get_json()["proven_until"] is None
    proven = stale.call("主管", "POST", STEP_UP, {"password": PASSWORD, "code": code()})
    until = datetime.fromisoformat(proven.get_json()["proven_until"])
    assert timedelta(minutes=4) < until - datetime.now(UTC) <= timedelta(minutes=5)
    assert stale.call("主管", "POST", path).status_code == 200
    age(stale)
    assert outcome(stale.call("主管", "POST", path)) == (403, "step_up_needed")


def test_what_is_wrong_proves_nothing(stale: Town) -> None:
    good = code()
    assert outcome(stale.call("主管", "POST", STEP_UP, {"password": "x", "code": good})) == (
        401, "wrong_credentials",
    )  # fmt: skip
    wrong = {"password": PASSWORD, "code": code(later=7)}
    assert outcome(stale.call("主管", "POST", STEP_UP, wrong)) == (401, "second_factor_wrong")
    right = {"password": PASSWORD, "code": good}
    assert stale.call("主管", "POST", STEP_UP, right).status_code == 200
    assert outcome(stale.call("主管", "POST", STEP_UP, right)) == (401, "second_factor_used")
    assert outcome(stale.call("ts", "POST", STEP_UP, right)) == (401, "wrong_credentials")
    assert outcome(stale.call(None, "POST", STEP_UP, right)) == (401, "token_missing")


MALFORMED: list[Any] = [
    {}, [], {"password": "x"}, {"code": "1"}, {"password": 1, "code": "1"}, {"more": 1},
    {"proof": "x", "at": "y"}, {"password": "x", "code": "1", "proof": "x", "at": 1},
]  # fmt: skip


def test_a_malformed_proof_is_refused(stale: Town) -> None:
    for body in MALFORMED:
        assert outcome(stale.call("主管", "POST", STEP_UP, body)) == (422, "invalid_fields"), body


def test_guesses_shut_the_door_for_that_session_alone(stale: Town) -> None:
    for _ in range(WRONG_MAX):
        stale.call("主管", "POST", STEP_UP, {"password": "x", "code": "123456"})
    right = {"password": PASSWORD, "code": code()}
    assert outcome(stale.call("主管", "POST", STEP_UP, right)) == (429, "too_many_requests")
    body = {"login": "zhu.guan", **right}
    assert stale.call(None, "POST", "/auth/sign-in", body).status_code == 200


def test_a_phone_proves_with_its_key(town: Town) -> None:
    phone = TestPhone()
    session_id = town.enrolled("ts", phone)["session_id"]
    path = f"/users/{town.ids['gw']}/dismissal"
    asked = town.call("ts_phone", "POST", path)
    assert outcome(asked) == (403, "step_up_needed")
    assert asked.get_json()["fields"] == ["proof", "at"]
    stranger = TestPhone().step_up(session_id, now_ms())
    assert outcome(town.call("ts_phone", "POST", STEP_UP, stranger)) == (401, "bad_proof")
    old = phone.step_up(session_id, now_ms() - 3_600_000)
    told = town.call("ts_phone", "POST", STEP_UP, old)
    assert outcome(told) == (401, "stale_proof")
    proof = phone.step_up(session_id, told.get_json()["now"])
    assert town.call("ts_phone", "POST", STEP_UP, proof).status_code == 200
    assert outcome(town.call("ts_phone", "POST", STEP_UP, proof)) == (401, "stale_proof")
    office_way = {"password": "x", "code": "123456"}
    assert outcome(town.call("ts_phone", "POST", STEP_UP, office_way)) == (409, "wrong_proof_here")
    assert town.call("ts_phone", "POST", path).status_code == 200


def test_a_phone_cannot_use_a_proof_of_another_session(town: Town) -> None:
    phone, other = TestPhone("a"), TestPhone("b")
    town.enrolled("ts", phone)
    body = phone.step_up(town.enrolled("ts", other)["session_id"], now_ms())
    assert outcome(town.call("ts_phone", "POST", STEP_UP, body)) == (401, "bad_proof")


FRESH = {
    "export.create", "export.download", "user.create", "assignment.create", "user.grant_role",
    "user.dismiss", "user.reset_password", "device.wipe", "household.delete", "resident.delete",
    "incident.delete",
}  # fmt: skip


def test_exports_grants_wipes_and_reveals_ask_for_a_fresh_proof(app: Flask) -> None:
    """Each route that changes something under these actions; and all that reveal."""
    missing = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        action = getattr(view, "action", PUBLIC)
        words = rule.rule.rsplit("/", 1)[-1]
        writes = "POST" in (rule.methods or ())
        hard = (action in FRESH and writes) or words in ("reveal", "approve", "refuse")
        need = view._apidoc["manual_doc"].get("x-proof") if hard else Need.FRESH.value  # type: ignore[attr-defined]
        if need != Need.FRESH.value:
            missing.append(rule.rule)
    assert missing == []
