"""One's own password: chosen by oneself, changed after a reset, and no telephone number."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.identity import rules
from app.identity.models import User
from tests.app.identity.town import VILLAGE, TestPhone, Town, outcome

PASSWORD, NEW = "长城之外-seven geese", "黄河水车-nine cranes"
CHANGE = "/auth/password"
WHY = {"reason": "忘记密码，已当面核实"}


@pytest.fixture
def office(town: Town) -> Town:
    """Return a town in which one village lead has office access."""
    town.person("马兰", "vl", VILLAGE, login="ma.lan", password=PASSWORD)
    return town


def sign_in(town: Town, password: str, login: str = "ma.lan"):
    return town.call(None, "POST", "/auth/sign-in", {"login": login, "password": password})


def as_(town: Town, reply, name: str = "signed in") -> str:
    assert reply.status_code == 200, reply.get_data(as_text=True)
    town.headers[name] = {"Authorization": f"Bearer {reply.get_json()['access_token']}"}
    return name


def test_a_changed_password_ends_the_other_office_sessions(office: Town) -> None:
    other = as_(office, sign_in(office, PASSWORD), "other")
    office.enrolled("马兰", TestPhone())
    body = {"password": PASSWORD, "new_password": NEW}
    assert office.call("马兰", "POST", CHANGE, body).status_code == 204
    assert office.call("马兰", "GET", "/auth/me").status_code == 200
    assert office.call("马兰_phone", "GET", "/auth/me").status_code == 200
    assert outcome(office.call(other, "GET", "/auth/me")) == (401, "revoked")
    assert outcome(sign_in(office, PASSWORD)) == (401, "wrong_credentials")
    assert sign_in(office, NEW).status_code == 200
    assert outcome(office.call("马兰", "POST", CHANGE, body)) == (401, "wrong_credentials")
    assert len(office.events("user.password_changed")) == 1


REFUSED: list[tuple[Any, str]] = [
    ("short", "password_too_short"), ("x" * 129, "password_too_long"),
    ("ma.lan123", "password_too_common"), (PASSWORD, "password_unchanged"),
    ("password1", "password_too_common"), ("139-1234-5678", "password_too_common"),
    ("+86 13912345678", "password_too_common"),
]  # fmt: skip


def test_a_bad_new_password_is_refused_with_what_is_wrong(office: Town) -> None:
    cipher, user_id = office.house.cipher, office.ids["马兰"]
    sealed = cipher.seal("+8613912345678", f"user/phone/{user_id}")
    office.sql(sa.update(User).where(User.id == user_id).values(phone=sealed))
    for new, fault in REFUSED:
        reply = office.call("马兰", "POST", CHANGE, {"password": PASSWORD, "new_password": new})
        assert outcome(reply) == (422, "invalid_fields")
        assert [one["code"] for one in reply.get_json()["errors"]] == [fault], new
    for body in ({}, {"password": PASSWORD}, {"password": 1, "new_password": NEW}, []):
        assert outcome(office.call("马兰", "POST", CHANGE, body)) == (422, "invalid_fields")
    assert sign_in(office, PASSWORD).status_code == 200


def test_the_telephone_number_is_no_password_however_it_is_grouped() -> None:
    for text in ("13912345678", "139 1234 5678", "+86-139-1234-5678", "13912345678!!"):
        fault = rules.password_fault(text, about=[], roles=["vl"], phone="+8613912345678")
        assert fault == "password_too_common", text
    for phone, fault in (("+8613912345678", "password_too_common"), ("+8613800000000", None)):
        assert rules.password_fault("zz13912345678", about=[], roles=[], phone=phone) == fault


def test_whoever_was_made_with_a_password_chooses_another_one_first(town: Town) -> None:
    person = {"name": "李雷", "login": "li.lei", "password": PASSWORD,
              "post": {"role": "vl", "area_id": VILLAGE}}  # fmt: skip
    assert town.call("ts", "POST", "/users", person).status_code == 201
    signed_in = sign_in(town, PASSWORD, "li.lei")
    assert signed_in.get_json()["owes"] == "password_change_needed"
    who = as_(town, signed_in)
    for method, path in (("GET", "/users"), ("POST", "/auth/second-factor")):
        assert outcome(town.call(who, method, path)) == (403, "password_change_needed")
    body = {"password": PASSWORD, "new_password": NEW}
    assert town.call(who, "POST", CHANGE, body).status_code == 204
    assert outcome(town.call(who, "GET", "/users")) == (403, "second_factor_not_set")
    assert sign_in(town, NEW, "li.lei").get_json()["owes"] == "second_factor_not_set"


def test_a_reset_gives_a_password_for_three_days_that_must_be_changed(office: Town) -> None:
    here = as_(office, sign_in(office, PASSWORD))
    path = f"/users/{office.ids['马兰']}/password-reset"
    made = office.call("ts", "POST", path, WHY)
    assert made.status_code == 201
    assert outcome(office.call(here, "GET", "/auth/me")) == (401, "revoked")
    assert outcome(sign_in(office, PASSWORD)) == (401, "wrong_credentials")
    temporary = made.get_json()["password"]
    assert sign_in(office, temporary).get_json()["owes"] == "password_change_needed"
    until = datetime.now(UTC) - timedelta(minutes=1)
    office.sql(sa.update(User).where(User.login == "ma.lan").values(password_until=until))
    assert outcome(sign_in(office, temporary)) == (401, "temporary_password_expired")
    again = office.call("ts", "POST", path, WHY).get_json()["password"]
    assert again != temporary
    assert sign_in(office, again).status_code == 200


RESETTING = [
    ("vl", (403, "not_allowed")), ("vl_next_village", (403, "not_allowed")),
    ("ts_other_township", (404, "not_found")), ("cm_other_county", (404, "not_found")),
    ("au", (403, "not_allowed")), ("da", (403, "not_allowed")), (None, (401, "token_missing")),
]  # fmt: skip


def test_passwords_are_reset_from_above_alone(office: Town) -> None:
    path = f"/users/{office.ids['马兰']}/password-reset"
    for who, expected in RESETTING:
        reply = office.call(who, "POST", path, WHY)
        assert outcome(reply)[0] in (expected[0], 404) and reply.status_code >= 400, who
    equal = f"/users/{office.ids['ts_colleague']}/password-reset"
    assert outcome(office.call("ts", "POST", equal, WHY)) == (403, "above_your_level")
    bare = f"/users/{office.ids['vl']}/password-reset"
    assert outcome(office.call("ts", "POST", bare, WHY)) == (409, "no_office_access")
    for body in ({}, {"reason": "abc"}, {"reason": "x" * 201}, {"reason": 1}):
        assert outcome(office.call("ts", "POST", path, body)) == (422, "invalid_fields")
    assert office.call("cm_city", "POST", path, WHY).status_code == 201


def test_one_telephone_number_is_one_persons(town: Town) -> None:
    post = {"role": "vl", "area_id": VILLAGE}
    person = {"name": "李雷", "phone": "13912345678", "post": post}
    assert town.call("ts", "POST", "/users", person).status_code == 201
    again = town.call("ts", "POST", "/users", {**person, "phone": "+86 139 1234 5678"})
    assert outcome(again) == (409, "phone_taken")
    town.sql(sa.update(User).where(User.name == "李雷").values(active=False))
    assert town.call("ts", "POST", "/users", person).status_code == 201
