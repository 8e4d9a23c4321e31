"""Enrolling phones and taking them back."""

import base64
import threading
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlparse

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.core.audit import AuditEvent
from app.identity.models import AuthSession, Enrolment, EnrolmentCode, Post, User
from tests.app.identity.town import VILLAGE, TestPhone, Town, answer, outcome

HOUR_MS = 3_600_000


def enrol(town: Town, body: object):
    return town.call(None, "POST", "/auth/enrol", body)


def me(town: Town, tokens: dict) -> object:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return town.client.get("/api/v1/auth/me", headers=headers)


def issue(town: Town, who: str | None, whom: str):
    return town.call(who, "POST", f"/users/{town.ids[whom]}/enrolment-codes")


def test_a_code_from_the_village_lead_makes_a_phone_the_workers_phone(
    town: Town, phone: TestPhone
) -> None:
    issued = issue(town, "vl", "gw")
    assert issued.status_code == 201
    link = urlparse(issued.get_json()["qr"])
    assert (link.scheme, link.netloc) == ("wangge", "enrol")
    assert parse_qs(link.query) == {
        "u": [town.house.public_url], "c": [issued.get_json()["code"]],
    }  # fmt: skip
    reply = enrol(town, phone.enrolment(issued.get_json()["code"]))
    assert reply.status_code == 201
    seen = me(town, reply.get_json()).get_json()
    assert (seen["id"], seen["roles"]) == (town.ids["gw"], ["gw"])
    assert seen["enrolment_id"] == reply.get_json()["enrolment_id"]
    assert len(town.events("device.enrolled")) == 1


ISSUING = [
    ("vl", "gw", 201, None),
    ("ts", "gw_next_village", 201, None),
    ("ts", "vl", 201, None),
    ("ts", "ts_colleague", 201, None),
    ("da", "gw_other_township", 201, None),
    ("da", "ts", 201, None),
    ("vl", "gw_next_village", 404, "not_found"),
    ("vl", "ts", 404, "not_found"),
    ("ts", "gw_other_township", 404, "not_found"),
    ("ts", "cm", 404, "not_found"),
    ("vl", "vl", 403, "not_to_yourself"),
    ("da", "cm", 403, "above_your_level"),
    ("da", "au", 403, "above_your_level"),
    ("gw", "colleague", 403, "not_allowed"),
    ("cm", "gw", 403, "not_allowed"),
    ("au", "gw", 403, "not_allowed"),
    (None, "gw", 401, "token_missing"),
]


def test_codes_are_issued_by_the_table_and_never_upwards(town: Town) -> None:
    found = [(who, whom, *answer(issue(town, who, whom))) for who, whom, *_ in ISSUING]
    assert found == ISSUING


def test_an_unknown_person_and_one_out_of_scope_look_the_same(town: Town) -> None:
    town.ids["nobody"] = 999_999
    absent, foreign = issue(town, "vl", "nobody"), issue(town, "vl", "gw_next_village")
    assert absent.get_data() == foreign.get_data()
    huge = town.call("vl", "POST", f"/users/{2**70}/enrolment-codes")
    assert outcome(huge) == (404, "not_found")


def test_somebody_without_a_post_gets_no_phone(town: Town) -> None:
    town.person("former", "gw", ended=True)
    assert outcome(issue(town, "ts", "former")) == (409, "no_serving_post")


def test_a_new_code_voids_the_one_before(town: Town, phone: TestPhone) -> None:
    old = issue(town, "vl", "gw").get_json()["code"]
    new = issue(town, "vl", "gw").get_json()["code"]
    assert outcome(enrol(town, phone.enrolment(old))) == (401, "code_unknown")
    assert enrol(town, phone.enrolment(new)).status_code == 201


def test_a_code_may_be_typed_with_spaces_dashes_and_small_letters(
    town: Town, phone: TestPhone
) -> None:
    code = town.code_for("gw").lower().replace("o", "0")
    typed = "-".join(code[start : start + 4] for start in range(0, len(code), 4))
    assert enrol(town, phone.enrolment(f" {typed} ")).status_code == 201


def test_a_code_ends_after_fifteen_minutes(town: Town, phone: TestPhone) -> None:
    code = town.code_for("gw", age=timedelta(minutes=15, seconds=1))
    assert outcome(enrol(town, phone.enrolment(code))) == (410, "code_expired")


def test_an_unknown_code_is_refused_and_guessing_is_slowed_down(
    town: Town, phone: TestPhone
) -> None:
    guess = phone.enrolment("A" * 26)
    assert outcome(enrol(town, guess)) == (401, "code_unknown")
    statuses = [enrol(town, guess).status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert enrol(town, phone.enrolment(town.code_for("gw"))).status_code == 201


def test_a_used_code_serves_no_second_phone(town: Town, phone: TestPhone) -> None:
    code = town.code_for("gw")
    assert enrol(town, phone.enrolment(code)).status_code == 201
    assert outcome(enrol(town, TestPhone().enrolment(code))) == (409, "code_used")


def test_a_phone_whose_reply_was_lost_gets_the_same_answer_again(
    town: Town, phone: TestPhone
) -> None:
    body = phone.enrolment(town.code_for("gw"))
    first, second = enrol(town, body).get_json(), enrol(town, body).get_json()
    for name in ("refresh_token", "session_id", "enrolment_id", "user"):
        assert first[name] == second[name]
    assert len(town.sql(sa.select(Enrolment))) == 1
    used = town.refresh(phone, second["refresh_token"])
    assert used.status_code == 200
    assert outcome(enrol(town, body)) == (409, "code_used")


def test_of_two_phones_with_one_code_exactly_one_is_enrolled(town: Town) -> None:
    code = town.code_for("gw")
    barrier = threading.Barrier(2)
    statuses: list[int] = []

    def run(phone: TestPhone) -> None:
        client = town.app.test_client()
        barrier.wait()
        reply = client.post("/api/v1/auth/enrol", json=phone.enrolment(code))
        statuses.append(reply.status_code)

    threads = [threading.Thread(target=run, args=(TestPhone(f"i{n}"),)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409]
    assert len(town.sql(sa.select(Enrolment))) == 1


def _shown(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(raw).decode()


def test_another_kind_of_key_is_refused_and_the_code_stays_good(
    town: Town, phone: TestPhone
) -> None:
    body = phone.enrolment(town.code_for("gw"))
    for key in (_shown(ec.generate_private_key(ec.SECP384R1())),
                _shown(rsa.generate_private_key(65537, 1024)), "AAAA", "é"):  # fmt: skip
        assert outcome(enrol(town, {**body, "public_key": key})) == (422, "invalid_fields")
    assert enrol(town, body).status_code == 201


MALFORMED = [{"code": 5}, {"code": ""}, {"install_id": None}, {"public_key": ["a"]}, {"imei": "86"}]


def test_a_malformed_enrolment_is_refused(town: Town, phone: TestPhone) -> None:
    for change in MALFORMED:
        body = {**phone.enrolment("A" * 26), **change}
        assert outcome(enrol(town, body)) == (422, "invalid_fields")


def test_whoever_was_made_inactive_cannot_use_his_code(town: Town, phone: TestPhone) -> None:
    code = town.code_for("gw")
    town.sql(sa.update(User).where(User.id == town.ids["gw"]).values(active=False))
    assert outcome(enrol(town, phone.enrolment(code))) == (401, "code_unknown")


def test_enrolling_the_same_installation_again_withdraws_the_former_enrolment(
    town: Town, phone: TestPhone
) -> None:
    former = town.enrolled("gw", phone)
    town.enrolled("gw", phone)
    assert outcome(me(town, former)) == (401, "revoked")


def test_an_installation_id_of_somebody_elses_phone_withdraws_nothing(town: Town) -> None:
    victim = town.enrolled("gw", TestPhone("same"))
    town.enrolled("colleague", TestPhone("same"))
    assert me(town, victim).status_code == 200


def test_a_withdrawn_phone_is_shut_out_at_once(town: Town, phone: TestPhone) -> None:
    tokens = town.enrolled("gw", phone)
    path = f"/devices/{tokens['enrolment_id']}"
    assert me(town, tokens).status_code == 200
    assert town.call("vl", "DELETE", path).status_code == 204
    assert outcome(me(town, tokens)) == (401, "revoked")
    assert outcome(town.refresh(phone, tokens["refresh_token"])) == (401, "revoked")
    assert town.call("vl", "DELETE", path).status_code == 204
    assert len(town.events("device.revoked")) == 1


WITHDRAWING = [
    ("gw_phone", 204), ("vl", 204), ("ts", 204), ("cm", 204), ("da", 204), ("cm_city", 204),
    ("colleague", 403), ("au", 403), ("gw_next_village", 404), ("vl_next_village", 404),
    ("ts_other_township", 404), ("cm_other_county", 404), (None, 401),
]  # fmt: skip


def test_phones_are_withdrawn_by_the_table(town: Town) -> None:
    for number, (who, status) in enumerate(WITHDRAWING):
        tokens = town.enrolled("gw", TestPhone(f"install-{number}"))
        reply = town.call(who, "DELETE", f"/devices/{tokens['enrolment_id']}")
        assert reply.status_code == status, who
        assert me(town, tokens).status_code == (401 if status == 204 else 200), who


def test_an_unknown_phone_is_not_found(town: Town) -> None:
    for name in (str(uuid.uuid4()), "x", "%00", "1' OR '1'='1"):
        assert outcome(town.call("da", "DELETE", f"/devices/{name}")) == (404, "not_found")


WIPING = [("ts", 200), ("cm", 200), ("da", 200), ("vl", 403), ("gw", 403),
          ("ts_other_township", 404)]  # fmt: skip


def test_a_phone_that_is_to_erase_itself_is_told_so_at_every_door(town: Town) -> None:
    for number, (who, status) in enumerate(WIPING):
        phone = TestPhone(f"install-{number}")
        tokens = town.enrolled("gw", phone)
        path = f"/devices/{tokens['enrolment_id']}/wipe"
        assert [town.call(who, "POST", path).status_code for _ in range(2)] == [status] * 2
        told = (403, "device_wipe") if status == 200 else (200, None)
        assert answer(me(town, tokens)) == told, who
        assert answer(town.refresh(phone, tokens["refresh_token"])) == told, who


SEEING = {
    "gw": ["gw"], "colleague": [], "vl": ["gw"], "vl_next_village": ["gw_next_village"],
    "ts": ["gw", "gw_next_village"], "ts_other_township": ["gw_other_township"],
    "cm": ["gw", "gw_next_village", "gw_other_township"], "cm_other_county": [],
    "da": ["gw", "gw_next_village", "gw_other_township"],
}  # fmt: skip


def test_everybody_sees_the_phones_of_his_area(town: Town) -> None:
    for name in ("gw", "gw_next_village", "gw_other_township"):
        town.enrolled(name, TestPhone(name))
    for who, seen in SEEING.items():
        rows = town.call(who, "GET", "/devices").get_json()
        assert sorted(row["user_name"] for row in rows) == seen, who


def test_the_auditor_sees_phones_with_masked_names(town: Town, phone: TestPhone) -> None:
    town.enrolled("gw", phone)
    assert [row["user_name"] for row in town.call("au", "GET", "/devices").get_json()] == ["g*"]


def test_the_list_of_phones_has_pages(town: Town) -> None:
    for number in range(5):
        town.enrolled("gw", TestPhone(f"install-{number}"))
    found, path = [], "/devices?limit=2"
    while path:
        reply = town.call("vl", "GET", path)
        found += [row["id"] for row in reply.get_json()]
        link = reply.headers.get("Link", "")
        path = link[1 : link.index(">")].removeprefix("/api/v1") if link else ""
    assert len(found) == len(set(found)) == 5


def test_all_sessions_of_a_person_can_be_ended(town: Town, phone: TestPhone) -> None:
    tokens = town.enrolled("gw", phone)
    path = f"/users/{town.ids['gw']}/sessions"
    assert town.call("vl_next_village", "DELETE", path).status_code == 404
    assert town.call("colleague", "DELETE", path).status_code == 403
    assert town.call("vl", "DELETE", path).status_code == 204
    assert outcome(me(town, tokens)) == (401, "revoked")
    assert outcome(town.call("gw", "GET", "/auth/me")) == (401, "revoked")


def test_somebody_made_inactive_is_shut_out_at_once(town: Town, phone: TestPhone) -> None:
    tokens = town.enrolled("gw", phone)
    town.sql(sa.update(User).where(User.id == town.ids["gw"]).values(active=False))
    assert outcome(me(town, tokens)) == (401, "revoked")
    assert outcome(town.refresh(phone, tokens["refresh_token"])) == (401, "revoked")


def test_no_secret_lies_in_the_database_in_plain_text(town: Town, phone: TestPhone) -> None:
    password, number = "seven grey geese", "13912345678"
    post = {"role": "vl", "area_id": VILLAGE}
    person = {"name": "马兰", "login": "ma.lan", "password": password, "phone": number}
    assert town.call("ts", "POST", "/users", {**person, "post": post}).status_code == 201
    signed_in = {"login": "ma.lan", "password": password}
    office = town.call(None, "POST", "/auth/sign-in", signed_in).get_json()
    code = town.code_for("gw")
    tokens = enrol(town, phone.enrolment(code)).get_json()
    later = town.refresh(phone, tokens["refresh_token"]).get_json()
    secrets = [password, number, code]
    for answered in (office, tokens, later):
        secrets += [answered["refresh_token"], answered["access_token"]]
    kept = _everything(town)
    assert "ma.lan" in kept
    assert [secret for secret in secrets if secret in kept] == []


def _everything(town: Town) -> str:
    """Return all that identity and the audit have written, as text."""
    tables = (User, Post, EnrolmentCode, Enrolment, AuthSession, AuditEvent)
    rows = [town.sql(sa.select(*table.__table__.columns)) for table in tables]
    return repr([tuple(row) for found in rows for row in found])
