"""The commands of the demo say what they do, refuse what they must, and open the doors."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from pyotp import TOTP

from app.core.database import Database, Mode
from app.core.engine import current_engine
from app.demo.commands import TOWNSHIP
from app.demo.day import CHINA
from app.demo.load import load_base
from app.demo.plan import city_plan
from app.demo.staff import FACTOR, LOGINS, PASSWORD
from app.factory import create_app
from app.identity.rules import MANAGERS, password_fault
from tests.app.demo.conftest import DAY, SMALL_TOWNSHIP, run
from tests.conftest import settings_for


def test_the_default_township_is_a_real_one_of_medium_size() -> None:
    sizes = sorted(
        city_plan().only(township.code).households for township in city_plan().of_level("township")
    )
    plan = city_plan().only(TOWNSHIP)
    assert not any(division.synthetic for division in plan.divisions)
    assert sizes[len(sizes) // 3] < plan.households < sizes[2 * len(sizes) // 3 + 3]


@pytest.fixture
def staffed(app: Flask, database: Database) -> Flask:
    """Return an application with the areas and people of a township, and no records."""
    with database.transaction(Mode.WRITE) as session:
        plan = city_plan().only(SMALL_TOWNSHIP)
        load_base(session, current_engine(), plan, datetime.now(CHINA))
    return app


def test_one_person_of_each_role_can_sign_in(staffed: Flask) -> None:
    client = staffed.test_client()
    for login in LOGINS.values():
        shown = {"login": login, "password": PASSWORD}
        bare = client.post("/api/v1/auth/sign-in", json=shown)
        assert (bare.status_code, bare.json["code"]) == (401, "second_factor_needed")
        answer = client.post("/api/v1/auth/sign-in", json={**shown, "code": TOTP(FACTOR).now()})
        assert answer.status_code == 200, (login, answer.json)
        assert answer.json["owes"] is None


def test_the_demo_password_keeps_the_rules() -> None:
    for role, login in LOGINS.items():
        roles = [role, *MANAGERS]
        assert password_fault(PASSWORD, about=[login], roles=roles) is None


def test_loading_over_data_is_refused_with_the_next_step(staffed: Flask) -> None:
    for words in (("township", "--code", SMALL_TOWNSHIP), ("city",)):
        result = run(staffed, *words)
        assert result.exit_code == 1
        assert "--force" in result.output


def test_loading_if_empty_passes_over_data(staffed: Flask) -> None:
    result = run(staffed, "township", "--if-empty")
    assert result.exit_code == 0
    assert "nothing to load" in result.output


def test_the_welcome_shows_logins_a_code_and_the_addresses(staffed: Flask) -> None:
    result = run(staffed, "welcome")
    assert result.exit_code == 0, result.output
    for words in (*LOGINS.values(), PASSWORD, "wangge://enrol?", "/docs"):
        assert words in result.output


def test_without_demo_people_the_welcome_says_what_to_do(app: Flask) -> None:
    result = run(app, "welcome")
    assert result.exit_code == 1
    assert "flask demo township" in result.output


def test_an_unknown_township_is_refused(app: Flask) -> None:
    result = run(app, "township", "--code", "620402999")
    assert result.exit_code == 1
    assert "620402999" in result.output


def test_a_day_that_is_not_over_is_refused(app: Flask) -> None:
    tomorrow = datetime.now(CHINA) + timedelta(days=1)
    result = run(app, "township", "--day", f"{tomorrow:%Y-%m-%d}")
    assert result.exit_code == 2


def test_a_production_server_loads_no_demo_and_shows_no_login(
    database_url: str, tmp_path: Path
) -> None:
    strict = create_app(settings_for(database_url, tmp_path, PROFILE="production"))
    for words in (("township", "--day", DAY, "--force"), ("city", "--force"), ("welcome",)):
        result = run(strict, *words)
        assert result.exit_code == 1
        assert PASSWORD not in result.output
        assert "PROFILE=development" in result.output
    strict.extensions["wangge_database"].dispose()


def test_without_tables_the_next_step_is_named(tmp_path: Path) -> None:
    bare = create_app(settings_for(f"sqlite:///{tmp_path}/bare.db", tmp_path))
    result = run(bare, "township")
    assert result.exit_code == 1
    assert "flask db upgrade" in result.output
    bare.extensions["wangge_database"].dispose()
