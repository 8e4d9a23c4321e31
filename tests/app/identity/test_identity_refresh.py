"""The refresh tokens of phones: proofs, lost replies, copies."""

import threading
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.identity.models import AuthSession
from tests.app.identity.town import TestPhone, Town, now_ms, outcome

HOUR_MS = 3_600_000


def me(town: Town, tokens: dict) -> object:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return town.client.get("/api/v1/auth/me", headers=headers)


def test_a_phone_refreshes_with_the_proof_of_its_key(town: Town, phone: TestPhone) -> None:
    tokens = town.enrolled("gw", phone)
    reply = town.refresh(phone, tokens["refresh_token"])
    assert reply.status_code == 200
    assert me(town, reply.get_json()).status_code == 200
    ends = datetime.fromisoformat(reply.get_json()["refresh_until"])
    assert timedelta(days=44) < ends - datetime.now(UTC) < timedelta(days=46)


def test_a_stolen_token_is_worth_nothing_on_another_phone(town: Town, phone: TestPhone) -> None:
    token = town.enrolled("gw", phone)["refresh_token"]
    thief = TestPhone()
    assert outcome(town.refresh(thief, token)) == (401, "bad_proof")
    bare = town.call(None, "POST", "/auth/refresh", {"refresh_token": token})
    assert outcome(bare) == (401, "bad_proof")
    rubbish = {**phone.refresh(token, now_ms()), "proof": "AAAA"}
    assert outcome(town.call(None, "POST", "/auth/refresh", rubbish)) == (401, "bad_proof")
    assert town.refresh(phone, token).status_code == 200


def test_a_proof_for_another_token_or_time_is_none(town: Town, phone: TestPhone) -> None:
    token = town.enrolled("gw", phone)["refresh_token"]
    other = {**phone.refresh(token + "x", now_ms()), "refresh_token": token}
    assert outcome(town.call(None, "POST", "/auth/refresh", other)) == (401, "bad_proof")
    moved = phone.refresh(token, now_ms())
    moved["at"] += 1
    assert outcome(town.call(None, "POST", "/auth/refresh", moved)) == (401, "bad_proof")


def test_a_phone_with_a_wrong_clock_learns_the_time_and_gets_in(
    town: Town, phone: TestPhone
) -> None:
    token = town.enrolled("gw", phone)["refresh_token"]
    for wrong_ms in (-50 * 365 * 24 * HOUR_MS, -HOUR_MS, HOUR_MS):
        refused = town.refresh(phone, token, at_ms=now_ms() + wrong_ms)
        assert outcome(refused) == (401, "stale_proof")
        told = refused.get_json()
        renewed = town.refresh(phone, token, at_ms=max(told["now"], told["after"] + 1))
        assert renewed.status_code == 200
        token = renewed.get_json()["refresh_token"]


def test_a_captured_request_cannot_be_sent_again(town: Town, phone: TestPhone) -> None:
    body = phone.refresh(town.enrolled("gw", phone)["refresh_token"], now_ms())
    assert town.call(None, "POST", "/auth/refresh", body).status_code == 200
    again = town.call(None, "POST", "/auth/refresh", body)
    assert outcome(again) == (401, "stale_proof")


def test_a_phone_whose_refresh_reply_was_lost_gets_the_same_successor(
    town: Town, phone: TestPhone
) -> None:
    token = town.enrolled("gw", phone)["refresh_token"]
    lost = town.refresh(phone, token).get_json()
    for attempt in (1, 2):
        again = town.refresh(phone, token, later_ms=attempt)
        assert again.status_code == 200
        assert again.get_json()["refresh_token"] == lost["refresh_token"]
    assert town.refresh(phone, lost["refresh_token"], later_ms=10).status_code == 200


def test_a_lost_reply_is_forgiven_for_a_day(town: Town, phone: TestPhone) -> None:
    token = town.enrolled("gw", phone)["refresh_token"]
    town.refresh(phone, token)
    long_ago = datetime.now(UTC) - timedelta(hours=25)
    town.sql(sa.update(AuthSession).where(AuthSession.generation == 1).values(rotated_at=long_ago))
    assert outcome(town.refresh(phone, token, later_ms=5)) == (401, "token_reused")


def test_a_copy_of_an_old_token_revokes_the_family_and_raises_the_alarm(
    town: Town, phone: TestPhone
) -> None:
    first = town.enrolled("gw", phone)["refresh_token"]
    second = town.refresh(phone, first).get_json()["refresh_token"]
    third = town.refresh(phone, second, later_ms=5).get_json()
    assert outcome(town.refresh(TestPhone(), first)) == (401, "token_reused")
    assert outcome(me(town, third)) == (401, "revoked")
    assert outcome(town.refresh(phone, third["refresh_token"], later_ms=9)) == (401, "revoked")
    event = town.sql(sa.text("SELECT user_id, details FROM audit_event WHERE event LIKE '%reused'"))
    assert [row.user_id for row in event] == [town.ids["gw"]]


def test_a_phone_is_not_locked_out_by_a_restored_database(town: Town, phone: TestPhone) -> None:
    """Its token is later than any that the copy remembers, and bears our tag: we have made it."""
    first = town.enrolled("gw", phone)["refresh_token"]
    columns = ("generation", "refresh_hash", "previous_hash", "rotated_at", "proof_ms")
    mine = AuthSession.enrolment_id.is_not(None)
    query = sa.select(*(getattr(AuthSession, name) for name in columns))
    [copy] = town.sql(query.where(mine))
    token = first
    for later_ms in (1, 2, 3):
        token = town.refresh(phone, token, later_ms=later_ms).get_json()["refresh_token"]
    town.sql(sa.update(AuthSession).where(mine).values(dict(zip(columns, copy, strict=True))))
    assert outcome(town.refresh(TestPhone(), token)) == (401, "bad_proof")
    renewed = town.refresh(phone, token, later_ms=4)
    assert renewed.status_code == 200
    assert me(town, renewed.get_json()).status_code == 200
    assert outcome(town.refresh(phone, first, later_ms=5)) == (401, "token_reused")


def test_two_refreshes_at_once_lead_to_one_successor(town: Town, phone: TestPhone) -> None:
    token, at_ms = town.enrolled("gw", phone)["refresh_token"], now_ms()
    bodies = [phone.refresh(token, at_ms + number) for number in range(3)]
    successors, refused = set(), []

    def run(body: dict) -> None:
        reply = town.app.test_client().post("/api/v1/auth/refresh", json=body)
        if reply.status_code == 200:
            successors.add(reply.get_json()["refresh_token"])
        else:
            refused.append(outcome(reply))

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One that overtook another brings an older time; it asks again and loses nothing.
    assert len(successors) == 1 and set(refused) <= {(401, "stale_proof")}
    assert town.refresh(phone, successors.pop(), later_ms=9).status_code == 200


def test_a_good_token_without_its_key_is_written_down_and_soon_turned_away(
    town: Town, phone: TestPhone
) -> None:
    token = town.enrolled("gw", phone)["refresh_token"]
    statuses = [town.refresh(TestPhone(), token).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    [event, *_] = [row.AuditEvent for row in town.events("auth.bad_proof")]
    assert event.user_id == town.ids["gw"]
    assert len(town.events("auth.bad_proof")) == 5
    assert town.refresh(phone, token).status_code == 200
