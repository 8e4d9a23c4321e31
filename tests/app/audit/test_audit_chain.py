"""The chain: linked in order, anchored outside, and whatever is done to it is found."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.audit import exporting, retiring
from app.audit.models import AuditLink
from app.audit.sealing import Sealer, current_sealer, moved
from app.core import audit, audit_verifier
from app.core.audit import AuditEvent
from app.core.database import Database, Mode
from app.core.settings import current_settings
from tests.conftest import as_owner


@pytest.fixture
def sealer(app: Flask) -> Sealer:
    """Return the sealer of an application."""
    return current_sealer()


def _write(database: Database, count: int, event: str = "household.read", **more: Any) -> None:
    with database.transaction(Mode.WRITE) as session:
        for number in range(count):
            audit.record(session, event, user_id=number, subject=f"r{number}", **more)


def _codes(sealer: Sealer, **more: Any) -> list[str]:
    return [one.code for one in exporting.verify(sealer, **more)[1]]


def _by_force(database: Database, *statements: str) -> None:
    """Do what a superuser can: switch the triggers off, and write."""
    with as_owner(database) as connection:
        if database.is_sqlite:
            names = connection.execute(sa.text(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'"
            )).scalars().all()  # fmt: skip
            for name in names:
                connection.execute(sa.text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(sa.text(statement))


def _links(database: Database) -> list[Any]:
    with database.transaction(Mode.READ) as session:
        return list(session.execute(sa.select(AuditLink.__table__).order_by(AuditLink.n)))


def test_rows_are_linked_in_order_and_the_log_is_sound(sealer: Sealer, database: Database) -> None:
    _write(database, 3)
    assert sealer.seal() == 3
    _write(database, 2, "auth.sign_in")
    assert sealer.is_due()
    assert sealer.seal() == 2
    assert not sealer.is_due()
    links = _links(database)
    assert [one.n for one in links] == [1, 2, 3, 4, 5]
    assert all(one.sound for one in links)
    assert [one.sort for one in links] == ["act"] * 3 + ["access"] * 2
    assert _codes(sealer) == []


def test_a_late_commit_and_a_rollback_are_no_alarm(sealer: Sealer, database: Database) -> None:
    """On PostgreSQL ids are taken before the commit: a smaller one may appear later."""
    if database.is_sqlite:
        high, gaps = moved(0, {}, [1, 2, 5], 1_000)
        assert (high, gaps) == (5, {"3": 1_000, "4": 1_000})
        assert moved(high, gaps, [3, 6], 2_000) == (6, {"4": 1_000})
        assert moved(6, {"4": 1_000}, [7], 9_000_000) == (7, {})
        return
    with database.transaction(Mode.WRITE) as late:
        audit.record(late, "test.late", user_id=None)
        with pytest.raises(ZeroDivisionError), database.transaction(Mode.WRITE) as gone:
            audit.record(gone, "test.gone", user_id=None)
            raise ZeroDivisionError
        _write(database, 1)
        assert sealer.seal() == 1
    assert sealer.is_due()
    assert sealer.seal() == 1
    assert [one.event_id for one in _links(database)] == [3, 1]
    assert _codes(sealer) == []


def test_a_row_put_in_or_changed_before_it_is_sealed_is_marked_for_ever(
    sealer: Sealer, database: Database
) -> None:
    _write(database, 2)
    sealer.seal()
    _write(database, 2)
    _by_force(
        database, "UPDATE audit_event SET user_id = 77 WHERE id = 4",
        "INSERT INTO audit_event (at, event, details, user_id)"
        " SELECT at, 'invented', details, 5 FROM audit_event WHERE id = 1",
    )  # fmt: skip
    sealer.seal()
    assert [one.sound for one in _links(database)] == [True, True, True, False, False]
    assert _codes(sealer) == ["forged_row", "forged_row"]


@pytest.mark.parametrize(("statement", "code"), [
    ("UPDATE audit_event SET subject = 'other' WHERE id = 2", "edited"),
    ("UPDATE audit_event SET at = (SELECT max(at) FROM audit_event) WHERE id = 2", "edited"),
    ("DELETE FROM audit_event WHERE id = 2", "missing"),
    ("DELETE FROM audit_link WHERE n = 2", "missing"),
    ("UPDATE audit_link SET event_id = 99 - event_id WHERE n IN (2, 3)", "missing"),
    ("UPDATE audit_link SET hash = content WHERE n = 3", "chain_broken"),
])  # fmt: skip
def test_what_is_done_to_linked_rows_is_found(
    sealer: Sealer, database: Database, statement: str, code: str
) -> None:
    _write(database, 5)
    sealer.seal()
    _by_force(database, statement)
    assert code in _codes(sealer)


def test_a_cut_tail_or_a_database_put_back_is_found_and_said_for_ever(
    sealer: Sealer, database: Database
) -> None:
    _write(database, 3)
    sealer.seal(firm=True)
    _write(database, 3)
    sealer.seal()
    _by_force(database, "DELETE FROM audit_link WHERE n > 4",
              "DELETE FROM audit_event WHERE id > 4")  # fmt: skip
    assert _codes(sealer) == ["set_back"]
    _write(database, 4)
    assert _codes(sealer) == ["set_back"]
    assert _codes(sealer, known=[3]) == []
    with database.transaction(Mode.READ) as session:
        [told] = session.scalars(sa.select(AuditEvent).where(AuditEvent.event == "audit.set_back"))
        assert told.details == {"signed": 6, "found": 4, "common": 3}


def test_a_chain_made_anew_in_the_database_does_not_fit_its_anchors(
    sealer: Sealer, database: Database
) -> None:
    _write(database, 4)
    sealer.seal(firm=True)
    _write(database, 1)
    sealer.seal(firm=True)
    rows = _links(database)
    before = rows[0].hash
    statements = ["UPDATE audit_event SET user_id = 9 WHERE id = 2"]
    for row in rows[1:]:
        before = audit_verifier.hash_of(before, row.n, row.content, sound=True, sort=row.sort + "x")
        statements.append(f"UPDATE audit_link SET hash = '{before}' WHERE n = {row.n}")
    _by_force(database, *statements)
    found = _codes(sealer)
    assert "set_back" in found
    assert "edited" in found


def test_old_rows_go_and_the_chain_and_the_verifier_know(
    sealer: Sealer, database: Database
) -> None:
    _write(database, 1, "export.fetched")
    _write(database, 3, sort="read")
    _write(database, 2, "consent.create")
    sealer.seal()
    now = datetime.now(UTC)
    with pytest.raises(sa.exc.DBAPIError, match="wants this audit row kept"):
        retiring.retire(sealer, current_settings(), now + timedelta(days=366))
    _age(database, sealer)
    assert retiring.retire(sealer, current_settings(), now) == 4
    with database.transaction(Mode.READ) as session:
        events = set(session.scalars(sa.select(AuditEvent.event)))
    assert events == {"consent.create", "audit.retired"}
    assert _links(database)[0].n == 5
    assert _codes(sealer) == []


def _age(database: Database, sealer: Sealer) -> None:
    """Begin anew, with rows that were written long ago."""
    _by_force(database, "DELETE FROM audit_event", "DELETE FROM audit_link",
              "DELETE FROM audit_progress")  # fmt: skip
    for path in (sealer.outside.file, sealer.outside.head):
        path.unlink(missing_ok=True)
    now, pen = datetime.now(UTC), sealer.pen
    ages = (("export.fetched", "act", 1_200), *(("household.read", "read", 400),) * 3,
            *(("consent.create", "act", 400),) * 2)  # fmt: skip
    with database.transaction(Mode.WRITE) as session:
        for event, sort, days in ages:
            old = audit._row(pen, audit.Event(event, 1, sort=sort), audit._circumstances(),
                             now - timedelta(days=days))  # fmt: skip
            session.execute(sa.insert(AuditEvent), [old])
    sealer.seal(firm=True)


def test_an_export_is_verified_by_one_file_and_python_alone(
    sealer: Sealer, database: Database, tmp_path: Path
) -> None:
    _write(database, 4)
    sealer.seal(firm=True)
    export = tmp_path / "log.ndjson"
    export.write_text("\n".join(exporting.lines(sealer)) + "\n", encoding="utf-8")
    script = Path(audit_verifier.__file__).read_text(encoding="utf-8")
    alone = tmp_path / "audit_verifier.py"
    alone.write_text(script, encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(alone), str(export), "--key", sealer.pen.public_key,
               "--anchors", str(sealer.outside.file)]  # fmt: skip
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout[:10]) == (0, "OK: 4 rows"), good.stdout + good.stderr
    lines = export.read_text(encoding="utf-8").splitlines()
    place = next(place for place, line in enumerate(lines) if '"n":2,' in line and "row" in line)
    shape = json.loads(lines[place])
    shape["row"]["user_id"] = 99
    export.write_text("\n".join([*lines[:place], json.dumps(shape), *lines[place + 1 :]]))
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout.splitlines()[0][:15]) == (1, "edited at row 2")


def test_an_anchor_goes_to_the_second_place_too_and_is_never_the_databases(
    sealer: Sealer, database: Database, tmp_path: Path
) -> None:
    sealer.outside.copy = tmp_path / "elsewhere" / "anchors"
    _write(database, 2)
    sealer.seal(firm=True)
    for path in (sealer.outside.file, sealer.outside.head):
        path.unlink()
    _by_force(
        database, "DELETE FROM audit_link WHERE n = 2", "DELETE FROM audit_event WHERE id = 2"
    )
    assert _codes(sealer) == ["cut"]


def test_rows_from_before_the_codes_are_taken_as_they_are_once(
    sealer: Sealer, database: Database
) -> None:
    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.insert(AuditEvent).values(at=datetime.now(UTC), event="old", details={}))
    _write(database, 1)
    sealer.seal()
    assert _codes(sealer) == []
    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.insert(AuditEvent).values(at=datetime.now(UTC), event="new", details={}))
    sealer.seal()
    assert _codes(sealer) == ["forged_row"]
