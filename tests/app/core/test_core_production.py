"""A production server refuses what is good for trying only, and answers nothing over plain http."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.settings import Settings, SettingsError
from app.factory import create_app
from tests.conftest import SECRETS, settings_for

SAFE = {"PROFILE": "production", "PUBLIC_URL": "https://grid.example.cn", "TRUSTED_PROXIES": "1"}
FROM_PROXY = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture
def strict(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings_for(database_url, tmp_path, **SAFE))
    yield app
    app.extensions["wangge_database"].dispose()


@pytest.fixture
def outside(strict: Flask) -> FlaskClient:
    return strict.test_client()


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"API_DOCS": "1"}, "API_DOCS"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"PUBLIC_URL": "http://grid.example.cn"}, "PUBLIC_URL"),
        ({"SECRET_KEY": "a" * 40}, "SECRET_KEY"),
        ({"FIELD_KEY": "changeme" * 5}, "FIELD_KEY"),
        ({"FIELD_KEY": SECRETS["SECRET_KEY"]}, "must differ"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "x7Kd9"}, "SECRET_KEY"),
    ],
)
def test_production_refuses_to_start_with(told: dict[str, str], word: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=word):
        Settings.from_environment({**SECRETS, **SAFE, "DATA_DIR": str(tmp_path), **told})


def test_the_same_settings_are_good_for_trying(tmp_path: Path) -> None:
    Settings.from_environment({"DATA_DIR": str(tmp_path), "API_DOCS": "1", "FLASK_DEBUG": "1"})


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY"])
def test_every_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{os.urandom(24).hex()}\n", encoding="utf-8")
    told = {**SECRETS, **SAFE, "DATA_DIR": str(tmp_path), f"{name}_FILE": f"{tmp_path}/secret"}
    told.pop(name, None)
    read = getattr(Settings.from_environment(told), name.lower())
    assert read == (tmp_path / "secret").read_text(encoding="utf-8").strip()


def test_plain_http_is_refused_before_a_token_is_looked_at(outside: FlaskClient) -> None:
    plain = {**FROM_PROXY, "X-Forwarded-Proto": "http", "Authorization": "Bearer x"}
    for method, path in (("GET", "/api/v1/tasks"), ("POST", "/api/v1/auth/sign-in"), ("GET", "/x")):
        reply = outside.open(path, method=method, headers=plain)
        assert (reply.status_code, reply.get_json()["code"]) == (403, "https_required")
    assert outside.get("/api/v1/tasks", headers=FROM_PROXY).status_code == 401


def test_a_proxy_that_is_not_counted_cannot_say_that_it_was_https(
    database_url: str, tmp_path: Path
) -> None:
    alone = create_app(settings_for(database_url, tmp_path, **{**SAFE, "TRUSTED_PROXIES": "0"}))
    reply = alone.test_client().get("/api/v1/tasks", headers=FROM_PROXY)
    alone.extensions["wangge_database"].dispose()
    assert (reply.status_code, reply.get_json()["code"]) == (403, "https_required")


def test_a_supervisor_on_the_machine_needs_no_tls(outside: FlaskClient) -> None:
    assert outside.get("/livez").status_code == outside.get("/readyz").status_code == 200


def test_production_shows_neither_docs_nor_document(outside: FlaskClient) -> None:
    for path in ("/docs", "/docs/index.html", "/api/v1/openapi.json"):
        assert outside.get(path, headers=FROM_PROXY).status_code == 404


def test_browsers_are_told_to_come_over_tls_only(outside: FlaskClient, client: FlaskClient) -> None:
    for reply in (outside.get("/x", headers=FROM_PROXY), outside.get("/api/v1/tasks")):
        assert reply.headers.getlist("Strict-Transport-Security") == ["max-age=31536000"]
    assert "Strict-Transport-Security" not in client.get("/x").headers


def test_a_bug_leaves_no_word_of_itself_in_the_answer(strict: Flask) -> None:
    def fail() -> None:
        raise RuntimeError("a secret name")

    strict.add_url_rule("/planted", view_func=fail)
    reply = strict.test_client().get("/planted", headers=FROM_PROXY)
    assert reply.status_code == 503 and b"secret" not in reply.data and b"Trace" not in reply.data
