"""The server notices by itself that its database has gone back in time."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.database import Database, Mode
from app.core.engine import current_engine
from app.factory import create_app
from app.sync_api import epochs
from app.sync_api.epochs import BEHIND, MOVED, STRANGE, Epochs, Milestone, Signs, judged
from tests.conftest import settings_for

E1, E2, E3 = "epoch-1", "epoch-2", "epoch-3"
Case = tuple[Signs, Milestone | None, str | None]
CASES: dict[str, Case] = {
    "a new database": (Signs(E1, 0, None, {}), None, None),
    "as we left it": (Signs(E1, 7, "here", {}), Milestone(E1, 7), None),
    "the milestone came too late": (Signs(E1, 8, "here", {}), Milestone(E1, 7), None),
    "an older copy": (Signs(E1, 5, "here", {}), Milestone(E1, 7), BEHIND),
    "a copy from before the epoch": (Signs(E1, 5, "here", {}), Milestone(E2, 7), STRANGE),
    "another machine has begun an epoch": (Signs(E3, 9, "here", {E1: 8}), Milestone(E1, 7), None),
    "another cluster": (Signs(E1, 7, "there", {}), Milestone(E1, 7), MOVED),
    "another folder": (Signs(E1, 7, "here", {}), None, MOVED),
}


@pytest.mark.parametrize("name", CASES)
def test_a_copy_is_told_from_the_database_that_we_knew(name: str) -> None:
    signs, milestone, reason = CASES[name]
    assert judged(signs, milestone, home="here", alone=True) == reason


def test_where_many_serve_one_database_a_missing_mark_tells_nothing() -> None:
    assert judged(Signs(E1, 7, "here", {}), None, home="here", alone=False) is None


@pytest.fixture
def watch(app: Flask) -> Epochs:
    found: Epochs = app.extensions[epochs.EXTENSION]
    return found


def _epoch(database: Database) -> str:
    with database.transaction(Mode.READ) as session:
        return current_engine().store(session).epoch()


def test_nothing_happens_as_long_as_time_goes_on(watch: Epochs, database: Database) -> None:
    before = _epoch(database)
    assert [watch.look() for _ in range(3)] == [None, None, None]
    assert _epoch(database) == before


def test_a_database_behind_its_mark_begins_a_new_epoch_once(
    watch: Epochs, database: Database
) -> None:
    watch.look()
    before, milestone = _epoch(database), epochs.read_milestone(watch._path)
    assert milestone is not None
    epochs.write_milestone(watch._path, Milestone(milestone.epoch, milestone.generation + 1))
    assert watch.look() == BEHIND
    after = _epoch(database)
    assert after != before
    assert watch.look() is None
    assert _epoch(database) == after


def test_a_second_machine_does_not_begin_the_epoch_again(
    watch: Epochs, database: Database, app: Flask, tmp_path: Path
) -> None:
    if database.is_sqlite:
        return
    other = Epochs(database, watch.engine, tmp_path / "other machine" / "wangge")
    assert (watch.look(), other.look()) == (None, None)
    assert watch.look(reason="ordered") == "ordered"
    epoch = _epoch(database)
    assert (other.look(), watch.look(), other.look()) == (None, None, None)
    assert _epoch(database) == epoch


def test_a_file_put_back_is_noticed_at_the_next_start(app: Flask, tmp_path: Path) -> None:
    database: Database = app.extensions["wangge_database"]
    if not database.is_sqlite:
        return
    path = Path(str(database.url.database))
    app.extensions[epochs.EXTENSION].look()
    database.dispose()
    shutil.copy(path, tmp_path / "copy.db")
    app.extensions[epochs.EXTENSION].look()
    database.dispose()
    shutil.copy(tmp_path / "copy.db", path)
    for companion in ("-wal", "-shm"):
        path.with_name(path.name + companion).unlink(missing_ok=True)
    again = create_app(settings_for(f"sqlite:///{path}", tmp_path))
    with again.app_context():
        assert again.extensions[epochs.EXTENSION].look() == BEHIND
    again.extensions["wangge_database"].dispose()


def test_loading_a_dump_changes_the_epoch_without_any_look(database: Database) -> None:
    """What wrote the row is part of the epoch: a dump writes it anew, to the letter the same."""
    if database.is_sqlite:
        return
    before = _epoch(database)
    with database.transaction(Mode.WRITE) as session:
        rows = session.execute(sa.text("DELETE FROM sync_meta RETURNING name, value")).all()
        for name, value in rows:
            session.execute(sa.text("INSERT INTO sync_meta VALUES (:n, :v)"),
                            {"n": name, "v": value})  # fmt: skip
    after = _epoch(database)
    assert after != before and after[:36] == before[:36]
    with database.migrating() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("VACUUM (FREEZE, FULL) sync_meta"))
    assert _epoch(database) == after, "housekeeping is no time travel"


def test_the_first_request_of_a_process_looks(county: Any) -> None:
    watch: Epochs = county.app.extensions[epochs.EXTENSION]
    county.phone("gw")
    milestone = epochs.read_milestone(watch._path)
    assert milestone is not None and milestone.generation >= 1
    before = county.phone("gw").send("pull", {}).get_json()["to"]
    epochs.write_milestone(watch._path, Milestone(milestone.epoch, milestone.generation + 100))
    watch._due_s = 0.0
    page = county.phone("gw").send("pull", {"cursor": before}).get_json()
    assert page["reset"]
    assert [event[0].details["reason"] for event in county.events("sync.new_epoch")] == [BEHIND]


def test_a_mark_that_makes_no_sense_is_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.milestone"
    assert epochs.read_milestone(path) is None
    for text in ("", "{}", "[]", "null", json.dumps({"epoch": "a", "generation": "b"})):
        path.write_text(text, encoding="utf-8")
        assert epochs.read_milestone(path) is None
    epochs.write_milestone(path, Milestone("a", 3))
    assert epochs.read_milestone(path) == Milestone("a", 3)
