"""Which cases lie on somebody's desk: what is sensitive is open for them, not for a role alone."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import table_of
from app.office.reveals import Case
from app.tasks.models import Task
from app.tasks.rules import OPEN_STATES

_tasks = table_of(Task)


def case_at(session: Session, user_id: int, household: str) -> Case | None:
    """Return an open task at a household that another has assigned to somebody."""
    row = session.execute(
        sa.select(_tasks.c.id, _tasks.c.assigned_by)
        .where(
            _tasks.c.household == household, _tasks.c.assignee == user_id,
            _tasks.c.state.in_(OPEN_STATES), _tasks.c.deleted.is_(None),
            _tasks.c.assigned_by != user_id,
        )
        .order_by(_tasks.c.id)
        .limit(1)
    ).first()  # fmt: skip
    return Case(row.id, row.assigned_by) if row else None
