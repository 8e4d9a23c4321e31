"""The API docs page asks nobody outside, and runs no script but its own."""

import dataclasses
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core import docs
from app.core.settings import Settings
from app.factory import create_app

OWN_FILES = ("index.html", "page.css", "init.js")
OUTSIDE = re.compile(r"https?:|//[a-z0-9]|@import|url\(", re.IGNORECASE)


def _application(folder: Path, *, shown: str) -> Flask:
    settings = Settings.from_environment({"DATA_DIR": str(folder), "API_DOCS": shown})
    return create_app(dataclasses.replace(settings))


@pytest.fixture
def reader(tmp_path: Path) -> FlaskClient:
    return _application(tmp_path, shown="1").test_client()


@pytest.mark.parametrize("name", OWN_FILES)
def test_our_own_files_name_no_other_server(name: str) -> None:
    text = (docs.FILES / name).read_text(encoding="utf-8")
    assert not OUTSIDE.search(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def test_the_validator_of_swagger_ui_is_off() -> None:
    assert "validatorUrl: null" in (docs.FILES / "init.js").read_text(encoding="utf-8")


def test_the_page_has_no_script_of_its_own_text() -> None:
    page = (docs.FILES / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|<style|style=", page)


def test_every_file_the_page_names_is_there(reader: FlaskClient) -> None:
    page = reader.get("/docs", buffered=True)
    assert page.status_code == 200
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True)):
        assert reader.get(address, buffered=True).status_code == 200, address


def test_the_page_may_load_from_this_server_only(reader: FlaskClient) -> None:
    policy = reader.get("/docs", buffered=True).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_other_answers_allow_no_script_at_all(reader: FlaskClient) -> None:
    policy = reader.get("/livez").headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


def test_files_outside_the_folder_are_not_served(reader: FlaskClient) -> None:
    assert reader.get("/docs/../docs.py").status_code == 404
    assert reader.get("/docs/%2e%2e/%2e%2e/docs.py").status_code == 404


def test_switched_off_there_is_neither_page_nor_document(tmp_path: Path) -> None:
    client = _application(tmp_path, shown="0").test_client()
    assert client.get("/docs").status_code == 404
    assert client.get("/api/v1/openapi.json").status_code == 404
