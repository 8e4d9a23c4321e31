"""Use the audit log: look into it, let it leave the house by two persons, check it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit, policy
from app.core.actor import Actor
from app.core.audit import AuditEvent
from app.core.database import begin_writing
from app.core.deeds import Asked, Deed
from app.core.pagination import after
from app.identity import approvals
from app.identity.approvals import APPROVED, Approval
from app.identity.rules import ms_of
from sync.errors import Problem

EXPORT = "audit.export"
_FILTERS = {
    "user": "user_id", "subject": "subject", "session": "session_id", "enrolment": "enrolment",
    "sort": "sort", "result": "result",
}  # fmt: skip


def find(session: Session, actor: Actor, wish: Mapping[str, Any]) -> Sequence[AuditEvent]:
    """Return rows by their id, one more than a page holds; that somebody looks is a row too."""
    t = AuditEvent
    wanted = [getattr(t, column) == wish[name] for name, column in _FILTERS.items()
              if wish[name] is not None]  # fmt: skip
    if wish["begins"] is not None:
        wanted.append(t.at >= wish["begins"])
    if wish["ends"] is not None:
        wanted.append(t.at < wish["ends"])
    if wish["event"] is not None:
        named = t.event.startswith(wish["event"], autoescape=True)
        wanted.append(named if wish["event"].endswith(".") else t.event == wish["event"])
    found = session.scalars(
        sa.select(t)
        .where(*wanted, after([t.id], wish["cursor"]))
        .order_by(t.id)
        .limit(wish["limit"] + 1)
    ).all()
    begin_writing(session)
    asked = [name for name in (*_FILTERS, "event", "begins", "ends") if wish[name] is not None]
    audit.record(session, "audit.list", user_id=actor.user_id, sort=audit.READ,
                 rows=min(len(found), wish["limit"]), filters=asked)  # fmt: skip
    return found


def ask_for_export(session: Session, actor: Actor, reason: str, now: datetime) -> Approval:
    """Ask that the log may leave the house; a second person decides."""
    post = next(post for post in actor.posts_at(ms_of(now))
                if policy.table()[EXPORT][post.role].letter != "-")  # fmt: skip
    return approvals.ask(session, actor, EXPORT, subject=EXPORT, area_id=post.area_id,
                         reason=reason, now=now)  # fmt: skip


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Do nothing more: whoever asked fetches the log for as long as the approval holds."""


DEED = Deed(EXPORT, settle)


def to_fetch(session: Session, actor: Actor, name: str, now: datetime) -> Approval:
    """Return the approved wish of an actor; that he fetches the log is written down.

    Raises:
        Problem: 404 not his, 403 ``second_person_required``, 410 ``export_expired``.
    """
    found = session.get(Approval, name)
    if found is None or found.asked_by != actor.user_id or found.action != EXPORT:
        raise Problem(404, "not_found")
    if found.state != APPROVED or found.decided_at is None:
        raise Problem(403, "second_person_required", action=EXPORT)
    if found.decided_at + approvals.LIFE <= now:
        raise Problem(410, "export_expired")
    audit.record(session, "audit.exported", user_id=actor.user_id, subject=f"approval:{name}",
                 reason=found.reason, approved_by=found.decided_by)  # fmt: skip
    return found
