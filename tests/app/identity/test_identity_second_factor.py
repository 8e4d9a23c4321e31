"""The second factor of the office: set up, asked for, used once, lost and set up anew."""

import threading
from datetime import UTC, datetime

import pyotp
import pytest
import sqlalchemy as sa

from app.core import policy
from app.core.actor import ROLES
from app.identity.attempts import WRONG_MAX
from app.identity.models import RecoveryCode, SecondFactor
from app.identity.rules import MANAGERS, RECOVERY_CODES
from tests.app.identity.town import TOWNSHIP, VILLAGE, TestPhone, Town, outcome

PASSWORD = "长城之外-seven geese"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
FACTOR, CONFIRM = "/auth/second-factor", "/auth/second-factor/confirm"


def code(secret: str = SECRET, later: int = 0) -> str:
    """Return the code of now, or the next one; both count, also when half a minute ends."""
    return pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=later)


@pytest.fixture
def office(town: Town) -> Town:
    """Return a town in which a supervisor has a second factor, and a lead has none yet."""
    town.person("主管", "ts", TOWNSHIP, login="zhu.guan", password=PASSWORD, factor=SECRET)
    town.person("马兰", "vl", VILLAGE, login="ma.lan", password=PASSWORD)
    return town


def sign_in(town: Town, login: str, **more: str):
    body = {"login": login, "password": PASSWORD, **more}
    return town.call(None, "POST", "/auth/sign-in", body)


def as_(town: Town, reply) -> str:
    """Let the person of a sign-in act under his login."""
    assert reply.status_code == 200, reply.get_data(as_text=True)
    name = f"signed in {reply.get_json()['session_id']}"
    town.headers[name] = {"Authorization": f"Bearer {reply.get_json()['access_token']}"}
    return name


def set_up(town: Town, who: str) -> tuple[str, list[str]]:
    """Set up a second factor; return its secret and the codes for recovery."""
    made = town.call(who, "POST", FACTOR)
    assert made.status_code == 201, made.get_data(as_text=True)
    secret = made.get_json()["secret"]
    confirmed = town.call(who, "POST", CONFIRM, {"code": code(secret)})
    assert confirmed.status_code == 200, confirmed.get_data(as_text=True)
    return secret, confirmed.get_json()["codes"]


def test_every_role_has_a_right_that_no_password_alone_opens() -> None:
    """So nobody works in the office without a second factor: the table says for whom it counts."""
    table = policy.table()
    reveals = {role for cells in table.values() for role in ROLES if cells[role].suffix == "r"}
    exports = {role for role in ROLES if table["export.create"][role].letter != "-"}
    assert reveals | exports | MANAGERS == set(ROLES)


def test_a_right_password_without_a_code_is_told_what_is_missing(office: Town) -> None:
    bare = sign_in(office, "zhu.guan")
    assert outcome(bare) == (401, "second_factor_needed")
    assert bare.get_json()["fields"] == ["code"]
    signed_in = sign_in(office, "zhu.guan", code=code())
    assert signed_in.get_json()["owes"] is None
    assert office.call(as_(office, signed_in), "GET", "/users").status_code == 200


def test_a_wrong_password_says_nothing_of_a_second_factor(office: Town) -> None:
    wrong = {"login": "zhu.guan", "password": "guess", "code": code()}
    assert outcome(office.call(None, "POST", "/auth/sign-in", wrong)) == (401, "wrong_credentials")
    assert sign_in(office, "zhu.guan", code=code()).status_code == 200


def test_each_code_is_good_for_one_time(office: Town) -> None:
    used, later = code(), code(later=1)
    assert sign_in(office, "zhu.guan", code=used).status_code == 200
    assert outcome(sign_in(office, "zhu.guan", code=used)) == (401, "second_factor_used")
    assert sign_in(office, "zhu.guan", code=later).status_code == 200
    assert outcome(sign_in(office, "zhu.guan", code=used)) == (401, "second_factor_used")


def test_one_code_sent_twice_at_once_opens_one_session(office: Town) -> None:
    shown, statuses = code(), []

    def run() -> None:
        body = {"login": "zhu.guan", "password": PASSWORD, "code": shown}
        client = office.app.test_client()
        statuses.append(client.post("/api/v1/auth/sign-in", json=body).status_code)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 401, 401]


def test_codes_of_other_half_minutes_are_wrong(office: Town) -> None:
    for steps in (-4, 4):
        assert outcome(sign_in(office, "zhu.guan", code=code(later=steps))) == (
            401, "second_factor_wrong",
        )  # fmt: skip
    for text in ("１２３４５６", "0" * 40):
        assert outcome(sign_in(office, "zhu.guan", code=text)) == (401, "second_factor_wrong")
    body = {"login": "zhu.guan", "password": PASSWORD, "code": 123456}
    assert outcome(office.call(None, "POST", "/auth/sign-in", body)) == (422, "invalid_fields")


def test_after_five_wrong_codes_the_door_is_shut_for_the_account_wherever_one_is(
    office: Town,
) -> None:
    for number in range(WRONG_MAX):
        body = {"login": "zhu.guan", "password": PASSWORD, "code": code(later=9)}
        reply = office.call(None, "POST", "/auth/sign-in", body, address=f"198.51.100.{number}")
        assert outcome(reply) == (401, "second_factor_wrong")
    shut = sign_in(office, "zhu.guan", code=code())
    assert outcome(shut) == (429, "too_many_requests")
    assert 840 <= int(shut.headers["Retry-After"]) <= 901
    assert len(office.events("auth.door_shut")) == 1


def test_whoever_has_none_may_only_set_one_up(office: Town) -> None:
    signed_in = sign_in(office, "ma.lan")
    assert signed_in.get_json()["owes"] == "second_factor_not_set"
    who = as_(office, signed_in)
    assert outcome(office.call(who, "GET", "/users")) == (403, "second_factor_not_set")
    assert office.call(who, "GET", "/auth/me").get_json()["owes"] == "second_factor_not_set"
    secret, codes = set_up(office, who)
    assert office.call(who, "GET", "/users").status_code == 200
    assert len(set(codes)) == RECOVERY_CODES
    assert sign_in(office, "ma.lan", code=code(secret, 1)).status_code == 200


def test_a_second_factor_is_shown_once_and_kept_sealed(office: Town) -> None:
    who = as_(office, sign_in(office, "ma.lan"))
    made = office.call(who, "POST", FACTOR).get_json()
    assert made["uri"].startswith("otpauth://totp/Wangge:ma.lan?secret=" + made["secret"])
    assert made["qr_svg"].startswith("<svg")
    again = office.call(who, "POST", FACTOR).get_json()
    assert again["secret"] != made["secret"]
    first = office.call(who, "POST", CONFIRM, {"code": code(made["secret"])})
    assert outcome(first) == (401, "second_factor_wrong")
    confirmed = office.call(who, "POST", CONFIRM, {"code": code(again["secret"])})
    kept = repr([tuple(row) for table in (SecondFactor, RecoveryCode)
                 for row in office.sql(sa.select(*table.__table__.columns))])  # fmt: skip
    secrets = [again["secret"], *confirmed.get_json()["codes"]]
    assert [one for one in secrets if one in kept or one.replace("-", "") in kept] == []


def test_confirming_again_finds_nothing_to_confirm(office: Town) -> None:
    who = as_(office, sign_in(office, "ma.lan"))
    assert outcome(office.call(who, "POST", CONFIRM, {"code": "123456"})) == (
        409,
        "no_factor_waits",
    )
    secret, _ = set_up(office, who)
    again = office.call(who, "POST", CONFIRM, {"code": code(secret, 1)})
    assert outcome(again) == (409, "no_factor_waits")
    assert outcome(office.call(who, "POST", CONFIRM, {})) == (422, "invalid_fields")
    assert outcome(office.call(None, "POST", CONFIRM, {"code": "1"})) == (401, "token_missing")


def test_a_session_without_the_factor_ends_when_it_is_set_up_and_cannot_replace_it(
    office: Town,
) -> None:
    early, here = (as_(office, sign_in(office, "ma.lan")) for _ in range(2))
    set_up(office, here)
    assert outcome(office.call(early, "POST", FACTOR)) == (401, "revoked")


def test_a_phone_has_its_key_and_no_second_factor(town: Town) -> None:
    town.enrolled("ts", TestPhone())
    assert outcome(town.call("ts_phone", "POST", FACTOR)) == (409, "wrong_proof_here")


def test_a_code_for_recovery_opens_once(office: Town) -> None:
    who = as_(office, sign_in(office, "ma.lan"))
    _, codes = set_up(office, who)
    typed = codes[0].lower().replace("-", " ")
    assert sign_in(office, "ma.lan", code=typed).status_code == 200
    assert outcome(sign_in(office, "ma.lan", code=codes[0])) == (401, "second_factor_wrong")
    assert outcome(sign_in(office, "zhu.guan", code=codes[1])) == (401, "second_factor_wrong")
    assert len(office.events("factor.recovery_used")) == 1
    renewed = office.call(who, "POST", "/auth/recovery-codes")
    assert renewed.status_code == 201
    assert outcome(sign_in(office, "ma.lan", code=codes[2])) == (401, "second_factor_wrong")
    assert sign_in(office, "ma.lan", code=renewed.get_json()["codes"][0]).status_code == 200


RESETTING = {
    "ts": (403, "above_your_level"), "cm": (204, None), "vl": (403, "not_allowed"),
    "au": (403, "not_allowed"), "da": (403, "not_allowed"), "gw": (403, "not_allowed"),
    "cm_other_county": (404, "not_found"), None: (401, "token_missing"),
}  # fmt: skip


def test_a_lost_factor_is_taken_away_by_somebody_above(office: Town) -> None:
    who = as_(office, sign_in(office, "zhu.guan", code=code()))
    path = f"/users/{office.ids['主管']}/second-factor-reset"
    why = {"reason": "手机丢失，已当面核实"}
    for name, (status, problem) in RESETTING.items():
        reply = office.call(name, "POST", path, why)
        assert reply.status_code == status, name
        assert problem is None or outcome(reply)[1] == problem, name
    assert outcome(office.call(who, "GET", "/users")) == (401, "revoked")
    assert sign_in(office, "zhu.guan").get_json()["owes"] == "second_factor_not_set"
    assert outcome(office.call("cm", "POST", path, {"reason": " "})) == (422, "invalid_fields")
    assert office.call("cm", "POST", path, why).status_code == 204
    own = office.call("cm", "POST", f"/users/{office.ids['cm']}/second-factor-reset", why)
    assert outcome(own) == (403, "not_to_yourself")
    nobody = office.call("cm", "POST", "/users/999999/second-factor-reset", why)
    assert outcome(nobody) == (404, "not_found")
    assert [row.AuditEvent.details["reason"] for row in office.events("factor.reset")] == [
        why["reason"]] * 2  # fmt: skip
