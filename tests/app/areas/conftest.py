"""Fixtures for the tests of areas."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session


@pytest.fixture
def statements(session: Session) -> Iterator[list[str]]:
    """Return the list into which every statement of the session's engine is written."""
    seen: list[str] = []

    def write_down(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = session.get_bind().engine
    sa.event.listen(engine, "before_cursor_execute", write_down)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", write_down)
