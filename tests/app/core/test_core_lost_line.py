"""The line to PostgreSQL may break at any statement: the phone is told to retry, once."""

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from tests.app.core.county import County, household
from tests.app.core.lost_line import breaking

STATEMENTS_MAX = 60


def test_a_line_that_breaks_at_any_statement_of_a_push_costs_one_retry_and_no_edit(
    county: County, caplog: pytest.LogCaptureFixture
) -> None:
    database = county.database
    if database.is_sqlite:
        return  # there is no line
    phone, broken = county.phone("gw"), 0
    operator = sa.create_engine(database.migrate_url)
    with breaking(database.engine, operator) as line:
        for place in range(1, STATEMENTS_MAX):
            home, line.statements_left = new_id(), place
            edit = phone.edit("create", "household", home, set=household())
            reply = phone.send("push", {"edits": [edit]})
            if line.statements_left > 0:
                break  # so many statements there are not
            if reply.status_code != 200:
                assert (reply.status_code, reply.get_json()["code"]) == (503, "retry"), place
                broken += 1
                reply = phone.send("push", {"edits": [edit]})
            assert reply.status_code == 200, (place, reply.get_json())
            assert [one["status"] for one in reply.get_json()["results"]] == ["applied"]
            phone.n = edit["n"]
    operator.dispose()
    assert broken > 5 and place < STATEMENTS_MAX - 1
    assert "bug:" not in caplog.text, "it is the line's fault, not one of ours"
