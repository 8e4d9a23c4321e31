"""The engines as this product opens them: locks in turn, safe settings, aware moments."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.core.audit import AuditEvent
from app.core.database import Database, Mode, Turnstile, UnsafeEngine, begin_writing


def test_settings_that_keep_acknowledged_work_pass_the_check(database: Database) -> None:
    database.check()


def test_a_database_that_forgets_on_power_loss_is_refused_with_the_mend(
    app: Flask, database: Database
) -> None:
    if database.is_sqlite:

        @sa.event.listens_for(database.engine, "connect")
        def careless(connection: object, _record: object) -> None:
            connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[attr-defined]

        mend = "PRAGMA synchronous=2"
    else:

        @sa.event.listens_for(database.engine, "connect")
        def careless(connection: object, _record: object) -> None:
            connection.execute("SET synchronous_commit = off")  # type: ignore[attr-defined]

        mend = "ALTER SYSTEM SET synchronous_commit=on"
    database.dispose()
    with pytest.raises(UnsafeEngine, match=mend):
        database.check()


def test_read_then_write_transactions_never_fail_on_a_lock(database: Database) -> None:
    def add(times: int) -> None:
        for _ in range(times):
            with database.transaction(Mode.MERGE) as session:
                session.execute(sa.select(sa.func.count()).select_from(AuditEvent)).scalar_one()
                begin_writing(session)
                session.execute(
                    sa.insert(AuditEvent).values(at=datetime.now(UTC), event="test", details={})
                )

    threads = [threading.Thread(target=add, args=(10,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.transaction(Mode.READ) as session:
        count = session.scalar(sa.select(sa.func.count()).select_from(AuditEvent))
    assert count == 80


def test_after_a_restart_of_the_database_one_request_at_most_is_told_to_retry(
    client: FlaskClient, database: Database
) -> None:
    if database.is_sqlite:
        return
    assert client.get("/readyz").status_code == 200
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    administrator = sa.create_engine(database.migrate_url)
    with administrator.connect() as connection:
        name = f"'{database.url.database}' AND pid <> pg_backend_pid()"
        connection.execute(sa.text(others + name))
    administrator.dispose()
    first, second = client.get("/readyz"), client.get("/readyz")
    assert first.status_code in (200, 503)
    assert second.status_code == 200


def test_a_failed_transaction_gives_the_turn_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction(Mode.WRITE):
        raise ZeroDivisionError
    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.select(1))


def test_a_moment_keeps_its_place_in_time_whatever_its_zone(database: Database) -> None:
    china = datetime(2026, 2, 17, 8, 30, tzinfo=timezone(timedelta(hours=8)))
    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.insert(AuditEvent).values(at=china, event="new year", details={}))
    with database.transaction(Mode.READ) as session:
        found = session.scalars(sa.select(AuditEvent.at)).one()
    assert found == china
    assert found.utcoffset() == timedelta(0)


def test_a_naive_moment_is_refused(database: Database) -> None:
    naive = datetime(2026, 2, 17, 8, 30)
    with pytest.raises(sa.exc.StatementError), database.transaction(Mode.WRITE) as session:
        session.execute(sa.insert(AuditEvent).values(at=naive, event="naive", details={}))


def test_the_turn_goes_to_the_one_who_has_waited_longest() -> None:
    turn, order, started = Turnstile(), [], threading.Semaphore(0)
    turn.acquire()

    def wait(name: int) -> None:
        started.release()
        turn.acquire()
        order.append(name)
        turn.release()

    threads = []
    for name in range(5):
        thread = threading.Thread(target=wait, args=(name,))
        thread.start()
        started.acquire()
        while len(turn._queue) <= name:
            threading.Event().wait(0.001)
        threads.append(thread)
    turn.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
