"""End what has run out: consents past their end, and the places where workers stood.

The server's own edits go the way of every other one; their gate lets nothing else through.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import house
from app.core.database import Mode, current_database
from app.core.engine import current_engine, write_all_as_office
from app.households.consents import EXPIRED, GIVEN
from app.households.service_models import Consent, Visit
from sync.edits import Edit
from sync.errors import Refusal
from sync.gate import Verdict, Work

PORTION = 100
CHECKIN_KEPT = timedelta(days=90)
HOUSE = house("gw")
EVERY_S = 3_600
ENDED: Mapping[str, Mapping[str, Any]] = {
    "consent": {"state": EXPIRED},
    "visit": {"checkin_point": None, "checkin_accuracy_m": None},
}
Row = tuple[str, int]


class LapseGate:
    """Lets through what ends something that has run out, and nothing else."""

    def prepare(self, work: Sequence[Work]) -> None:
        """Need nothing."""

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Take the edit for the office's.

        Raises:
            Refusal: it does something else.
        """
        if work.edit.op != "update" or dict(values) != ENDED.get(work.kind.name):
            raise Refusal("not_allowed")
        return Verdict(office=True)

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add nothing."""
        return values


def lapse() -> int:
    """End all that has run out, in portions; return how much that was."""
    return sum(_all_of(kind) for kind in ENDED)


def _all_of(kind: str) -> int:
    total = 0
    while True:
        with current_database().transaction(Mode.WRITE) as session:
            rows = _due(session, kind)
            if rows:
                _end(session, kind, rows)
        total += len(rows)
        if len(rows) < PORTION:
            return total


def _due(session: Session, kind: str) -> Sequence[Row]:
    now = datetime.now(UTC)
    if kind == Consent.kind:
        due = sa.select(Consent.id, Consent.rv).where(
            Consent.state == GIVEN, Consent.expires_at <= now, Consent.deleted.is_(None)
        )
        return [(row[0], row[1]) for row in session.execute(due.limit(PORTION))]
    stood = sa.select(Visit.id, Visit.rv).where(
        Visit.checkin_accuracy_m.is_not(None), Visit.visited_at <= now - CHECKIN_KEPT,
        Visit.deleted.is_(None),
    )  # fmt: skip
    return [(row[0], row[1]) for row in session.execute(stood.limit(PORTION))]


def _end(session: Session, kind: str, rows: Sequence[Row]) -> None:
    schema = current_engine().kinds.by_name[kind].schema
    edits = [Edit(0, "", "update", kind, record, rv, ENDED[kind], schema=schema)
             for record, rv in rows]  # fmt: skip
    results = write_all_as_office(session, HOUSE, edits, gate=LapseGate())
    stuck = [one for one in results if one.get("code")]
    assert not stuck, f"what has run out is never refused: {stuck}"
