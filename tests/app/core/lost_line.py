"""Break the line to PostgreSQL at a chosen statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


class Break:
    """When the line breaks.

    Attributes:
        statements_left: it breaks before the statement at which this becomes 0.
    """

    statements_left = 0


@contextmanager
def breaking(engine: sa.Engine, operator: sa.Engine) -> Iterator[Break]:
    """Yield what tells when the line of an engine breaks; the operator may end connections."""
    when = Break()

    def break_off(connection: sa.Connection, *_told: Any) -> None:
        when.statements_left -= 1
        if when.statements_left == 0:
            line: Any = connection.connection.dbapi_connection
            with operator.connect() as own:
                own.exec_driver_sql(f"SELECT pg_terminate_backend({line.info.backend_pid}, 5000)")

    sa.event.listen(engine, "before_cursor_execute", break_off, insert=True)
    try:
        yield when
    finally:
        sa.event.remove(engine, "before_cursor_execute", break_off)
