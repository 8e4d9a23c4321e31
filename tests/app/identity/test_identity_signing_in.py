"""Signing in to the office, refreshing and signing out."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from app.core.database import Mode
from app.identity import sessions
from app.identity.credentials import read_access
from app.identity.limiter import FREE_PER_ACCOUNT
from app.identity.models import AuthSession, User
from app.identity.passwords import AT_ONCE
from tests.app.identity.town import VILLAGE, Town, outcome

PASSWORD = "长城之外-seven geese"


@pytest.fixture
def office(town: Town) -> Town:
    """Return a town in which one village lead has office access."""
    town.person("马兰", "vl", VILLAGE, login="ma.lan", password=PASSWORD)
    return town


def sign_in(town: Town, login="ma.lan", password=PASSWORD, address="192.0.2.1"):
    body = {"login": login, "password": password}
    return town.call(None, "POST", "/auth/sign-in", body, address=address)


def bearer(reply):
    return {"Authorization": f"Bearer {reply.get_json()['access_token']}"}


def refresh(town: Town, token: str):
    return town.call(None, "POST", "/auth/refresh", {"refresh_token": token})


def test_the_right_password_opens_a_session_of_ten_minutes(office: Town) -> None:
    reply = sign_in(office)
    body = reply.get_json()
    assert reply.status_code == 200
    assert body["expires_in"] == 600
    assert body["user"] == {"id": office.ids["马兰"], "name": "马兰"}
    me = office.client.get("/api/v1/auth/me", headers=bearer(reply))
    assert me.get_json()["roles"] == ["vl"]


def test_the_login_may_be_typed_in_capitals_and_the_password_on_another_keyboard(
    office: Town,
) -> None:
    assert sign_in(office, " MA.LAN ").status_code == 200
    assert sign_in(office, password="长城之外-ｓeven geese").status_code == 200


def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(office: Town) -> None:
    wrong = sign_in(office, password="not this one")
    unknown = sign_in(office, login="nobody")
    assert outcome(wrong) == outcome(unknown) == (401, "wrong_credentials")
    assert wrong.get_data() == unknown.get_data()


def test_an_unknown_login_costs_the_same_work(office: Town) -> None:
    before = office.house.passwords.checks
    sign_in(office, login="nobody")
    sign_in(office, password="not this one")
    assert office.house.passwords.checks == before + 2


def test_somebody_without_a_password_cannot_sign_in(town: Town) -> None:
    town.person("无密码", "vl", VILLAGE, login="plain")
    assert outcome(sign_in(town, "plain", "x")) == (401, "wrong_credentials")


def test_whoever_has_left_cannot_sign_in(office: Town) -> None:
    office.sql(sa.update(User).where(User.login == "ma.lan").values(active=False))
    assert outcome(sign_in(office)) == (401, "wrong_credentials")


MALFORMED: list[object] = [
    {},
    {"login": "ma.lan"},
    {"login": "ma.lan", "password": 5},
    {"login": "", "password": "x"},
    {"login": "a", "password": "x" * 5000},
    {"login": "a", "password": "x", "more": 1},
    [],
    "text",
]


def test_a_malformed_sign_in_is_refused(office: Town) -> None:
    for body in MALFORMED:
        assert outcome(office.call(None, "POST", "/auth/sign-in", body)) == (422, "invalid_fields")


def test_failures_slow_down_their_own_address_and_nobody_else(office: Town) -> None:
    for _ in range(FREE_PER_ACCOUNT):
        assert sign_in(office, password="guess").status_code == 401
    slowed = sign_in(office, password="guess")
    assert outcome(slowed) == (429, "too_many_requests")
    assert int(slowed.headers["Retry-After"]) >= 1
    assert outcome(sign_in(office)) == (429, "too_many_requests")
    assert sign_in(office, address="198.51.100.7").status_code == 200


def test_a_burst_of_guesses_at_one_moment_gets_no_more_tries_than_a_row(office: Town) -> None:
    statuses: list[int] = []

    def guess() -> None:
        client = office.app.test_client()
        body = {"login": "ma.lan", "password": "guess"}
        statuses.append(client.post("/api/v1/auth/sign-in", json=body).status_code)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(401) <= FREE_PER_ACCOUNT
    assert set(statuses) <= {401, 429}


def test_when_all_places_for_hashing_are_taken_the_answer_is_to_come_again(
    office: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.identity.passwords.WAIT_S", 0.01)
    places = office.house.passwords._places
    for _ in range(AT_ONCE):
        places.acquire()
    assert outcome(sign_in(office)) == (503, "retry")
    for _ in range(AT_ONCE):
        places.release()
    assert sign_in(office).status_code == 200


def test_a_hash_of_weaker_settings_is_renewed_at_sign_in(office: Town) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    office.sql(sa.update(User).where(User.login == "ma.lan").values(password_hash=weak))
    assert sign_in(office).status_code == 200
    kept = office.sql(sa.select(User.password_hash).where(User.login == "ma.lan"))[0][0]
    assert "m=19456,t=2,p=1" in kept
    assert sign_in(office).status_code == 200


def test_signing_in_is_audited(office: Town) -> None:
    sign_in(office)
    assert len(office.events("auth.sign_in")) == 1


def test_a_refresh_token_is_good_for_one_time_and_an_old_one_ends_the_session(
    office: Town,
) -> None:
    first = sign_in(office).get_json()["refresh_token"]
    second = refresh(office, first)
    assert second.status_code == 200
    assert second.get_json()["refresh_token"] != first
    assert outcome(refresh(office, first)) == (401, "token_reused")
    assert outcome(refresh(office, second.get_json()["refresh_token"])) == (401, "revoked")
    me = office.client.get("/api/v1/auth/me", headers=bearer(second))
    assert outcome(me) == (401, "revoked")
    assert len(office.events("auth.token_reused")) == 1


RUBBISH = ["x", "A" * 91, "A" * 92, "é", "...."]


def test_rubbish_is_no_refresh_token_and_ends_nothing(office: Town) -> None:
    reply = sign_in(office)
    for token in RUBBISH:
        assert outcome(refresh(office, token)) == (401, "invalid_token")
    assert refresh(office, reply.get_json()["refresh_token"]).status_code == 200


def test_a_changed_refresh_token_ends_nothing(office: Town) -> None:
    token = sign_in(office).get_json()["refresh_token"]
    changed = token[:-8] + ("B" if token[-8] == "A" else "A") + token[-7:]
    assert outcome(refresh(office, changed)) == (401, "invalid_token")
    assert refresh(office, token).status_code == 200


def test_rubbish_is_slowed_down_but_a_good_token_still_passes(office: Town) -> None:
    good = sign_in(office).get_json()["refresh_token"]
    statuses = [refresh(office, "rubbish").status_code for _ in range(FREE_PER_ACCOUNT + 2)]
    assert statuses[-1] == 429
    assert refresh(office, good).status_code == 200


def test_signing_out_ends_the_session_at_once_and_may_be_repeated(office: Town) -> None:
    reply = sign_in(office)
    body = {"refresh_token": reply.get_json()["refresh_token"]}
    assert office.call(None, "POST", "/auth/sign-out", body).status_code == 204
    assert office.call(None, "POST", "/auth/sign-out", body).status_code == 204
    me = office.client.get("/api/v1/auth/me", headers=bearer(reply))
    assert outcome(me) == (401, "revoked")
    assert outcome(refresh(office, body["refresh_token"])) == (401, "revoked")


def test_signing_out_with_rubbish_ends_nothing(office: Town) -> None:
    reply = sign_in(office)
    body = {"refresh_token": "rubbish"}
    assert office.call(None, "POST", "/auth/sign-out", body).status_code == 204
    assert office.client.get("/api/v1/auth/me", headers=bearer(reply)).status_code == 200


STRANGERS = [
    ("", "token_missing"),
    ("Bearer", "token_missing"),
    ("Basic abc", "token_missing"),
    ("Bearer abc", "invalid_token"),
    ("Bearer a.b.c", "invalid_token"),
    ("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "invalid_token"),
]


def test_nobody_passes_without_a_token_of_ours(town: Town) -> None:
    for header, code in STRANGERS:
        headers = {"Authorization": header} if header else {}
        assert outcome(town.client.get("/api/v1/auth/me", headers=headers)) == (401, code)


def test_an_access_token_ends_after_ten_minutes(town: Town) -> None:
    token = town.headers["vl"]["Authorization"].removeprefix("Bearer ")
    now = datetime.now(UTC)
    assert read_access(token, town.house.keys, now + timedelta(minutes=9)).user_id
    with pytest.raises(Exception, match="token_expired"):
        read_access(token, town.house.keys, now + timedelta(minutes=10))


def test_a_session_that_lay_idle_or_grew_too_old_cannot_be_refreshed(office: Town) -> None:
    token = sign_in(office).get_json()["refresh_token"]
    idle, in_time = timedelta(minutes=31), timedelta(minutes=29)
    for later, code in ((idle, "session_expired"), (in_time, None)):
        with office.database.transaction(Mode.MERGE) as session:
            arguments = {"text": token, "proof": None, "address": "", "now": _later(later)}
            if code:
                with pytest.raises(Exception, match=code):
                    sessions.refresh(session, office.house, **arguments)
            else:
                assert sessions.refresh(session, office.house, **arguments)


def test_the_sessions_that_a_person_has_outlived_are_not_kept(office: Town) -> None:
    sign_in(office)
    past = datetime.now(UTC) - timedelta(days=1)
    ours = AuthSession.user_id == office.ids["马兰"]
    office.sql(sa.update(AuthSession).where(ours).values(absolute_until=past))
    sign_in(office)
    assert len(office.sql(sa.select(AuthSession.id).where(ours))) == 1


def test_refreshing_never_leads_beyond_the_absolute_end(office: Town) -> None:
    token = sign_in(office).get_json()["refresh_token"]
    end = office.sql(sa.select(sa.func.max(AuthSession.absolute_until)))
    now = datetime.now(UTC)
    office.sql(sa.update(AuthSession).values(absolute_until=now + timedelta(minutes=10)))
    assert end
    refreshed = refresh(office, token).get_json()
    assert datetime.fromisoformat(refreshed["refresh_until"]) <= now + timedelta(minutes=10)


def _later(delta: timedelta) -> datetime:
    return datetime.now(UTC) + delta
