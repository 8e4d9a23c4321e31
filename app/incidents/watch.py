"""The jobs of the clocks: urge what is overdue, lift it one level, tell who reported the same.

All that is due at a moment goes through the engine in batches, in a constant number of
statements each. Whatever died in the middle is found again: a case says itself when the clock
must look at it next, and a limit urges and lifts once.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.core.actor import house
from app.core.database import Mode, current_database
from app.core.engine import ATTEMPTS_MAX, write_all_as_office
from app.core.moments import now_ms
from app.incidents.models import Incident
from app.incidents.moves import OPEN_STATES
from sync.edits import Edit
from sync.errors import Problem, Stale

CLOCK = house("cm")
"""Nobody: the server's own hand. The table lets him do what its rows for the clock say."""
BATCH, BATCHES_MAX = 500, 40
LOOK = {"act": "clock", "act_text": None, "act_until": None}
TELL = {"act": "tell", "act_text": None, "act_until": None}
_target = aliased(Incident)

_DUE = (
    sa.select(Incident.id, Incident.rv)
    .where(
        Incident.watch_at <= sa.bindparam("now"),
        Incident.state.in_(OPEN_STATES),
        Incident.deleted.is_(None),
    )
    .order_by(Incident.watch_at, Incident.id)
    .limit(BATCH)
)
_UNTOLD = (
    sa.select(Incident.id, Incident.rv)
    .join(_target, _target.id == Incident.merged_into)
    .where(
        Incident.state == "merged",
        Incident.deleted.is_(None),
        _target.state != sa.func.coalesce(Incident.told_state, ""),
    )
    .order_by(Incident.id)
    .limit(BATCH)
)


def look() -> int:
    """Urge and lift what is due now; return how often the clock looked at a case."""
    return _all(_DUE, {"now": datetime.fromtimestamp(now_ms() / 1000, UTC)}, LOOK)


def tell() -> int:
    """Let merged cases show how the case stands that took them up; return how many did not."""
    return _all(_UNTOLD, {}, TELL)


def run_clock(_subject: str) -> None:
    """Do what is due now."""
    look()
    tell()


def _all(statement: Any, given: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Write one act on all that a statement finds, batch by batch.

    What is left after the last batch, or comes due again at once, waits for the next round.
    """
    looked = 0
    for _ in range(BATCHES_MAX):
        found = _batch(statement, given, values)
        looked += found
        if found < BATCH:
            break
    return looked


def _batch(statement: Any, given: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    for _ in range(ATTEMPTS_MAX):
        try:
            with current_database().transaction(Mode.WRITE) as session:
                return _write(session, session.execute(statement, given).all(), values)
        except Stale:
            continue
    raise Problem(503, "retry")


def _write(session: Session, rows: Sequence[Any], values: Mapping[str, Any]) -> int:
    if not rows:
        return 0
    edits = [Edit(0, "", "event", "incident", row.id, base=row.rv, set=values) for row in rows]
    receipts = write_all_as_office(session, CLOCK, edits)
    refused = [one["code"] for one in receipts if "code" in one]
    assert not refused, f"the clock's own acts were refused: {set(refused)}"
    return len(rows)
