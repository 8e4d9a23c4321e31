"""What time does to open tasks: a reminder before they are due, an end when nobody did them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Mode, current_database, lock_rows, table_of
from app.core.engine import office_device
from app.core.moments import as_text, now_ms
from app.tasks.house import HOUSE, WholeGate, write_together
from app.tasks.models import Task, TaskKind
from app.tasks.rules import EXPIRES_AFTER, OPEN_STATES
from sync.edits import Edit

AT_ONCE = 1_000
"""How many tasks one transaction takes: phones wait behind it for a second at most."""

_tasks, _kinds = table_of(Task), table_of(TaskKind)
_OPEN = (
    sa.select(_tasks.c.id, _tasks.c.rv, _tasks.c.round)
    .where(_tasks.c.state.in_(OPEN_STATES), _tasks.c.deleted.is_(None))
    .order_by(_tasks.c.id)
    .limit(AT_ONCE)
)
Find = Callable[[Session, datetime], Sequence[Any]]
Write = Callable[[Session, Sequence[Any], int], None]


def expire(now: int | None = None) -> int:
    """Let the open tasks expire whose time has long passed; return how many."""
    return _in_portions(_overdue, _expire, now)


def remind(now: int | None = None) -> int:
    """Note on open tasks that are due soon that their workers are reminded; return how many."""
    return _in_portions(_due_soon, _remind, now)


def _in_portions(find: Find, write: Write, now: int | None) -> int:
    at_ms, done = now_ms() if now is None else now, 0
    while True:
        with current_database().transaction(Mode.WRITE) as session:
            # The device before the tasks, as every push takes its locks.
            office_device(session, HOUSE)
            found = find(session, datetime.fromtimestamp(at_ms / 1000, UTC))
            if found:
                write(session, found, at_ms)
        done += len(found)
        if len(found) < AT_ONCE:
            return done


def _overdue(session: Session, now: datetime) -> Sequence[Any]:
    late = _OPEN.where(_tasks.c.due_at < now - EXPIRES_AFTER)
    return session.execute(lock_rows(late)).all()


def _expire(session: Session, found: Sequence[Any], at_ms: int) -> None:
    edits = [
        Edit(0, "", "event", "task", row.id, row.rv, {"state": "expired", "round": row.round or 0})
        for row in found
    ]
    gate = WholeGate("event", frozenset({"state", "round"}))
    write_together(session, HOUSE, edits, gate, at_ms)


def _due_soon(session: Session, now: datetime) -> Sequence[Any]:
    """Find what is due within the hours of its kind; one statement, whatever kinds there are."""
    kinds = session.execute(sa.select(_kinds.c.code, _kinds.c.remind_before_hours)).all()
    soon = [
        sa.and_(_tasks.c.task_kind == code, _tasks.c.due_at <= now + timedelta(hours=hours))
        for code, hours in kinds
    ]
    near = _OPEN.where(
        _tasks.c.reminded_at.is_(None), _tasks.c.due_at > now, sa.or_(sa.false(), *soon)
    )
    return session.execute(lock_rows(near)).all()


def _remind(session: Session, found: Sequence[Any], at_ms: int) -> None:
    edits = [Edit(0, "", "update", "task", row.id, row.rv) for row in found]
    note = {"reminded_at": as_text(at_ms)}
    gate = WholeGate("update", frozenset(), lambda _work: note)
    write_together(session, HOUSE, edits, gate, at_ms)
