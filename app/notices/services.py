"""The use cases of notices: publish, change, withdraw; begin and end by their dates."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.database import Mode, current_database
from app.core.engine import write_all_as_office
from app.core.jobs import ask_for
from app.core.moments import now_ms
from app.notices import reading
from app.notices.house import HOUSE
from app.notices.models import Notice
from app.office import writing
from sync.edits import Edit

TURN = "notices.turn"
BATCH_MAX = 100


def publish(session: Session, actor: Actor, body: Mapping[str, Any]) -> str:
    """Publish a notice, now or when its time comes; return its id."""
    return writing.create(session, actor, Notice.kind, body)


def change(
    session: Session, actor: Actor, shown: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    """Change a notice that the author has seen; a new text is a new version, unread again."""
    writing.change_seen(session, actor, Notice.kind, shown, body)


def withdraw(session: Session, actor: Actor, shown: Mapping[str, Any], reason: str) -> None:
    """Withdraw a notice: phones keep the title and the reason until it would have ended."""
    writing.change(
        session, actor, Notice.kind, shown["id"], {"withdraw_reason": reason}, base=shown["rv"]
    )


def turn(_subject: str) -> None:
    """Publish what has become valid and take away what is over; each is an edit like any other.

    Naming a date again changes nothing but what follows from it.
    """
    with current_database().transaction(Mode.WRITE) as session:
        now = datetime.fromtimestamp(now_ms() / 1000, UTC)
        rows = reading.due(session, now, BATCH_MAX)
        edits = [_again(row) for row in rows]
        if edits:
            write_all_as_office(session, HOUSE, edits)
        if len(edits) == BATCH_MAX:
            ask_for(session, TURN, at_ms=now_ms())


def _again(row: Any) -> Edit:
    until = reading.shown(row)["valid_until"]
    return Edit(0, "", "update", Notice.kind, row.id, base=row.rv, set={"valid_until": until})
