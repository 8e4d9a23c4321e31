"""Close and add dated rows: what was stays readable for its time."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import AreaBorder, AreaVersion


def close(
    session: Session, table: type[AreaVersion | AreaBorder], ids: Iterable[int], day: date
) -> None:
    """Let the standing rows of some areas end on a day."""
    if chosen := sorted(ids):
        session.execute(
            sa.update(table)
            .where(table.area_id.in_(chosen), table.valid_until.is_(None))
            .values(valid_until=day)
            .execution_options(synchronize_session=False)
        )


def insert(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> None:
    """Insert rows, if there are any."""
    if rows:
        session.execute(sa.insert(table), rows)
