"""Tasks that ask a household for its consent leave in peace those who have just said no.

A no counts for 180 days, unless somebody of the household has agreed to the same since.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.engine import current_engine

ASKS: Mapping[str, tuple[str, ...]] = {
    "care_visit": ("care_visit",),
    "errand": ("errands",),
    "household_update": ("contact", "safety"),
}
"""Of each kind of task that rests on a consent, the purposes it asks for."""
IN_PEACE = timedelta(days=180)
DECLINED, WITHDRAWN, GIVEN = "declined", "withdrawn", "given"


def asks(task_kind: object) -> bool:
    """Tell whether a kind of task rests on a consent."""
    return task_kind in ASKS


def has_declined(household: Any, task_kind: str, now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a household has said no to all that a kind of task asks for.

    Args:
        household: the column that names the household.
    """
    purposes = ASKS.get(task_kind, ())
    if not purposes:
        return sa.false()
    return sa.and_(*(_said_no(household, purpose, now) for purpose in purposes))


def _said_no(household: Any, purpose: str, now: datetime) -> sa.ColumnElement[bool]:
    t = current_engine().tables["consent"].table.alias().c
    own = sa.and_(t.household == household, t.purpose == purpose, t.deleted.is_(None))
    lately = sa.func.coalesce(t.withdrawn_at, t.given_at) > sa.literal(
        now - IN_PEACE, t.given_at.type
    )
    no = sa.exists().where(own, t.state.in_((DECLINED, WITHDRAWN)), lately)
    return sa.and_(no, ~sa.exists().where(own, t.state == GIVEN))


def declining(
    session: Session, wanted: Iterable[tuple[str, str]], now: datetime
) -> frozenset[tuple[str, str]]:
    """Return which of these (household, kind of task) have said no; a statement for each kind."""
    by_kind: dict[str, set[str]] = {}
    for household, task_kind in wanted:
        if asks(task_kind):
            by_kind.setdefault(task_kind, set()).add(household)
    return frozenset(
        (household, kind)
        for kind, homes in by_kind.items()
        for household in _declining(session, homes, kind, now)
    )


def _declining(
    session: Session, homes: Collection[str], task_kind: str, now: datetime
) -> list[str]:
    t = current_engine().tables["household"].table.c
    query = sa.select(t.id).where(t.id.in_(homes), has_declined(t.id, task_kind, now))
    return list(session.scalars(query))
