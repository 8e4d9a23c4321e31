"""The commands of the house: listed, well formed, and a backup that is worth its name."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from app.core.driver import driver
from app.core.settings import Settings
from scripts.backup import backup
from tests.house import tree

SHELL = [*sorted((tree.ROOT / "scripts").glob("*.sh")), tree.ROOT / ".ci" / "run"]
NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def _settings(folder: Path) -> Settings:
    return Settings.from_environment({"DATA_DIR": str(folder)})


@pytest.fixture
def busy_database(tmp_path: Path):
    """A database in use: the last row stands in its log only, and a reader holds it open."""
    connection = driver.connect(tmp_path / "wangge.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)")
    connection.execute("INSERT INTO note (text) VALUES ('永新乡')")
    yield connection
    connection.close()


def test_make_alone_lists_every_command() -> None:
    makefile = (tree.ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=tree.ROOT, capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    ).stdout  # fmt: skip
    assert targets == set(re.findall(r"^  make ([a-z]+) ", shown, re.MULTILINE))


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_every_script_is_well_formed_and_stops_at_the_first_error(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text or "common.sh" in text
    assert os.access(script, os.X_OK) == (script.name != "common.sh")


def test_a_backup_holds_what_was_committed_while_the_server_goes_on(
    tmp_path: Path, busy_database
) -> None:
    target = backup(_settings(tmp_path), NOW)
    assert target.name == "wangge-20260301T020000Z.db"
    copy = driver.connect(target)
    assert copy.execute("SELECT text FROM note").fetchall() == [("永新乡",)]
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    busy_database.execute("INSERT INTO note (text) VALUES ('复兴乡')")


def test_a_backup_is_for_its_owner_only(tmp_path: Path, busy_database) -> None:
    target = backup(_settings(tmp_path), NOW)
    assert target.stat().st_mode & 0o077 == 0
    assert target.parent.stat().st_mode & 0o077 == 0


def test_without_a_database_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="make run"):
        backup(_settings(tmp_path), NOW)
    assert list((tmp_path / "backup").iterdir()) == []
