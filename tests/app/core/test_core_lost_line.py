"""The line to PostgreSQL may break at any statement: the phone is told to retry, once."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from tests.app.core.county import County, household

STATEMENTS_MAX = 60


def test_a_line_that_breaks_at_any_statement_of_a_push_costs_one_retry_and_no_edit(
    county: County, caplog: pytest.LogCaptureFixture
) -> None:
    database = county.database
    if database.is_sqlite:
        return  # there is no line
    phone, left = county.phone("gw"), [0]
    operator = sa.create_engine(database.migrate_url)

    def break_off(connection: sa.Connection, *_told: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            line: Any = connection.connection.dbapi_connection
            with operator.connect() as own:
                own.exec_driver_sql(f"SELECT pg_terminate_backend({line.info.backend_pid}, 5000)")

    sa.event.listen(database.engine, "before_cursor_execute", break_off, insert=True)
    broken = 0
    for place in range(1, STATEMENTS_MAX):
        home, left[0] = new_id(), place
        edit = phone.edit("create", "household", home, set=household())
        reply = phone.send("push", {"edits": [edit]})
        if left[0] > 0:
            break  # so many statements there are not
        if reply.status_code != 200:
            assert (reply.status_code, reply.get_json()["code"]) == (503, "retry"), place
            broken += 1
            reply = phone.send("push", {"edits": [edit]})
        assert reply.status_code == 200, (place, reply.get_json())
        assert [one["status"] for one in reply.get_json()["results"]] == ["applied"]
        phone.n = edit["n"]
    sa.event.remove(database.engine, "before_cursor_execute", break_off)
    operator.dispose()
    assert broken > 5 and place < STATEMENTS_MAX - 1
    assert "bug:" not in caplog.text, "it is the line's fault, not one of ours"
