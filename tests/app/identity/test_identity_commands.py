"""The commands of identity."""

import re

import pytest
import sqlalchemy as sa
from click.testing import Result

from app.identity.models import User
from tests.app.identity.town import COUNTY, VILLAGE, TestPhone, Town

VILLAGE_CODE, COUNTY_CODE = f"62{VILLAGE:010}", f"62{COUNTY:010}"
SECRET = "seven grey geese"


def run(town: Town, *words: str, typed: str | None = None) -> Result:
    return town.app.test_cli_runner().invoke(args=["identity", *words], input=typed)


def make(town: Town, *more: str, role: str = "vl", area: str = VILLAGE_CODE) -> Result:
    return run(town, "create-user", "马兰", "--role", role, "--area", area, *more)


def sign_in(town: Town, password: str) -> int:
    body = {"login": "ma.lan", "password": password}
    return town.call(None, "POST", "/auth/sign-in", body).status_code


def test_a_person_is_made_who_can_sign_in(town: Town) -> None:
    made = make(town, "--login", "ma.lan", "--password", SECRET)
    assert made.exit_code == 0, made.output
    assert SECRET not in made.output
    assert sign_in(town, SECRET) == 200


def test_the_password_is_asked_for_without_being_shown(town: Town) -> None:
    made = run(town, "create-user", "马兰", "--role", "vl", "--area", VILLAGE_CODE, "--login",
               "ma.lan", typed=f"{SECRET}\n{SECRET}\n")  # fmt: skip
    assert made.exit_code == 0, made.output
    assert SECRET not in made.output
    assert sign_in(town, SECRET) == 200


@pytest.mark.parametrize(
    ("more", "role", "area", "words"),
    [
        ([], "vl", "629999999999", "no area"),
        ([], "vl", COUNTY_CODE, "not served at this level"),
        (["--login", "ma.lan", "--password", "short"], "vl", VILLAGE_CODE, "too short"),
        (["--login", "ma.lan", "--password", "grey geese"], "cm", COUNTY_CODE, "managers 12"),
        (["--phone", "12"], "vl", VILLAGE_CODE, "no telephone number"),
        (["--password", SECRET], "vl", VILLAGE_CODE, "together"),
    ],
)
def test_a_wrong_order_says_what_to_do_and_makes_nobody(
    town: Town, more: list[str], role: str, area: str, words: str
) -> None:
    made = make(town, *more, role=role, area=area)
    assert made.exit_code == 1
    assert words in made.output
    assert town.sql(sa.select(User.id).where(User.name == "马兰")) == []


def test_a_taken_login_is_said(town: Town) -> None:
    make(town, "--login", "ma.lan", "--password", SECRET)
    assert "taken" in make(town, "--login", "ma.lan", "--password", SECRET).output


def test_a_new_password_ends_all_sessions(town: Town) -> None:
    make(town, "--login", "ma.lan", "--password", SECRET)
    body = {"login": "ma.lan", "password": SECRET}
    token = town.call(None, "POST", "/auth/sign-in", body).get_json()["access_token"]
    changed = run(town, "set-password", "ma.lan", "--password", "nine white cranes")
    assert changed.exit_code == 0, changed.output
    headers = {"Authorization": f"Bearer {token}"}
    assert town.client.get("/api/v1/auth/me", headers=headers).status_code == 401
    assert sign_in(town, SECRET) == 401
    assert sign_in(town, "nine white cranes") == 200


def test_whom_the_command_line_has_made_chooses_a_password_of_his_own(town: Town) -> None:
    make(town, "--login", "ma.lan", "--password", SECRET)
    body = {"login": "ma.lan", "password": SECRET}
    signed_in = town.call(None, "POST", "/auth/sign-in", body).get_json()
    assert signed_in["owes"] == "password_change_needed"


def test_the_command_line_takes_a_lost_second_factor_away(town: Town) -> None:
    town.person("审计", "au", 1, login="au.dit", password=SECRET, factor="A" * 32)
    body = {"login": "au.dit", "password": SECRET}
    refused = town.call(None, "POST", "/auth/sign-in", body).get_json()
    assert refused["code"] == "second_factor_needed"
    assert run(town, "reset-second-factor", "au.dit").exit_code == 0
    signed_in = town.call(None, "POST", "/auth/sign-in", body).get_json()
    assert signed_in["owes"] == "second_factor_not_set"
    assert run(town, "reset-second-factor", "nobody").exit_code == 1


def test_a_weak_new_password_is_refused(town: Town) -> None:
    make(town, "--login", "ma.lan", "--password", SECRET)
    assert run(town, "set-password", "ma.lan", "--password", "12345678").exit_code == 1
    assert run(town, "set-password", "nobody", "--password", SECRET).exit_code == 1
    assert sign_in(town, SECRET) == 200


def test_a_code_is_printed_with_its_qr_and_enrols_a_phone(town: Town, phone: TestPhone) -> None:
    printed = run(town, "issue-code", str(town.ids["gw"]))
    assert printed.exit_code == 0, printed.output
    assert "█" in printed.output or "▀" in printed.output
    found = re.search(r"wangge://enrol\?u=\S+&c=([A-Z2-7]{26})", printed.output)
    assert found
    reply = town.call(None, "POST", "/auth/enrol", phone.enrolment(found[1]))
    assert reply.status_code == 201
    assert reply.get_json()["user"]["id"] == town.ids["gw"]


def test_a_code_for_nobody_is_refused(town: Town) -> None:
    assert run(town, "issue-code", "999999").exit_code == 1
    assert run(town, "issue-code", "9" * 30).exit_code == 1
