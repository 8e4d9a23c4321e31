"""A log line holds what is on the list, and nothing else."""

import json
import logging
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import Database, Mode
from app.core.logs import HIDDEN, AllowList

NAME, NUMBER = "张三丰", "13812345678"
ID = "0198a1b2-0000-7000-8000-000000000001"


def _line(message: str, *args: Any, logger: str = "wangge", **extra: Any) -> dict[str, Any]:
    record = logging.getLogger(logger).makeRecord(
        logger, logging.ERROR, "x.py", 1, message, args, extra.pop("exc_info", None), extra=extra
    )
    line: dict[str, Any] = json.loads(AllowList().format(record))
    return line


@pytest.mark.parametrize(
    ("value", "shown"),
    [(7, "7"), (None, "None"), ("KeyError", "KeyError"), ("incident.create", "incident.create"),
     ("/api/v1/tasks/<uuid:record>",) * 2, (ID, ID), ("gate.py:12 > web.py:7",) * 2,
     (NAME, HIDDEN), (NUMBER, HIDDEN), ("a@b.cn", HIDDEN), ("Zhang San", HIDDEN),
     ({"name": NAME}, HIDDEN),
     ("x" * 300, HIDDEN), ("line\nbreak", HIDDEN), ("[104.1, 36.5]", HIDDEN)],
)  # fmt: skip
def test_of_a_message_only_numbers_and_words_of_a_code_are_shown(value: Any, shown: str) -> None:
    assert _line("bug: %s in a test", value)["event"] == f"bug: {shown} in a test"


def test_of_what_is_told_beside_only_the_named_fields_are_written() -> None:
    line = _line(
        "done", count=3, code="retry", person=NAME, body={"phone": NUMBER}, path=f"/{NAME}"
    )
    assert set(line) == {"at", "level", "logger", "event", "count", "code", "path"}
    assert (line["count"], line["code"], line["path"]) == (3, "retry", HIDDEN)


def test_what_a_library_says_is_not_repeated() -> None:
    for logger in ("sqlalchemy.engine", "_granian", "root", "py.warnings", "wanggeish"):
        line = _line(f"failed row contains ({NAME})", logger=logger)
        assert set(line) == {"at", "level", "logger"}


def test_of_an_error_its_class_and_place_are_written_and_never_its_words() -> None:
    try:
        raise ValueError(NAME)
    except ValueError:
        line = _line("bug", exc_info=sys.exc_info())
    assert line["error"] == "ValueError" and line["trail"].startswith("test_core_logs.py:")
    assert NAME not in json.dumps(line, ensure_ascii=False)


def test_an_error_of_the_database_does_not_carry_the_values(database: Database) -> None:
    with pytest.raises(sa.exc.SQLAlchemyError) as caught:
        with database.transaction(Mode.WRITE) as session:
            session.execute(sa.text("INSERT INTO no_such_table VALUES (:name)"), {"name": NAME})
    assert NAME not in str(caught.value)
