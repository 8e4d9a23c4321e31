"""What of a person opens to whom: care notes for a case or a reason, minors for an approval too.

A care note is no business of a role: it is read while a task at that household lies on one's
desk, or behind the glass (``app.office.reveals``). The record of a minor is read for such a task,
which somebody else has assigned, or when a colleague of the same level or above has agreed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import OFFICE_ROLES, Actor
from app.core.deeds import Asked, Deed
from app.core.policy import Answer
from app.households.rules import is_minor
from app.households.service_models import ServicePerson
from app.identity import approvals
from app.identity.approvals import APPROVED, WAITING, Approval
from app.identity.rules import RANK, ms_of
from app.office import reveals
from app.office.reading import place_of_record
from app.office.reveals import Glass, Reveal
from sync.errors import Problem

READ, READ_SENSITIVE = "resident.read", "resident_sensitive.read"
GOOD_FOR = timedelta(hours=24)
"""How long an approval waits to be used; it opens a record once."""


def read_open(session: Session, actor: Actor, record: str, action: str) -> dict[str, Any]:
    """Return a person's record, if it is open to the actor; the use is written down.

    Raises:
        Problem: 404 absent or out of scope, 403 ``reason_required`` or ``approval_needed``.
    """
    shown, answer = place_of_record(
        session, actor, ServicePerson, record, action, besides=(Answer.REASON,)
    )
    demand_open(session, actor, shown, answer, action)
    return shown


def demand_open(
    session: Session, actor: Actor, shown: Mapping[str, Any], answer: Answer, action: str
) -> None:
    """Refuse whoever has neither a case there nor opened the record in time.

    Raises:
        Problem: 403 ``reason_required`` or ``approval_needed``.
    """
    minor = is_minor(shown, datetime.now(UTC))
    if answer is not Answer.REASON and not minor:
        return
    if minor or action == READ_SENSITIVE:
        case = reveals.case_of(session, actor.user_id, shown["household"])
        if case is not None:
            reveals.note_case(session, actor, Glass(ServicePerson.kind, shown["id"], action), case)
            return
    if not reveals.use(session, actor, _glass(shown["id"], action), approved=minor):
        code = "approval_needed" if minor else "reason_required"
        raise Problem(403, code, action=action)


def _glass(record: str, action: str) -> Glass:
    return Glass(ServicePerson.kind, record, action)


def reveal_person(
    session: Session, actor: Actor, record: str, action: str, why: str, now: datetime
) -> Reveal | Approval:
    """Open a person's record for a reason, or ask for the approval that a minor's needs first.

    Raises:
        Problem: 404 absent or out of scope, 403 not for this role, 409 ``nothing_to_reveal``.
    """
    shown, answer = place_of_record(
        session, actor, ServicePerson, record, action, besides=(Answer.REASON,)
    )
    if is_minor(shown, now):
        return _of_minor(session, actor, shown, action, why, now)
    if answer is not Answer.REASON:
        raise Problem(409, "nothing_to_reveal")
    return reveals.break_glass(session, actor, _glass(record, action), why, now)


def _of_minor(
    session: Session,
    actor: Actor,
    shown: Mapping[str, Any],
    action: str,
    why: str,
    now: datetime,
) -> Reveal | Approval:
    """Use an approval that was given, else wait for the one that was asked for, else ask."""
    subject, glass = f"{ServicePerson.kind}:{shown['id']}", _glass(shown["id"], action)
    for one in _asked(session, actor, subject, action, now):
        opened = (one.details or {}).get("reveal")
        if one.state == WAITING:
            return one
        if opened is None:
            made = reveals.break_glass(session, actor, glass, why, now, approved_by=one.decided_by)
            one.details = {"reveal": made.id}
            session.flush()
            return made
        reveal = session.get(Reveal, opened)
        if reveal is not None and reveal.ended_at is None and reveal.until > now:
            return reveal
    return approvals.ask(session, actor, action, subject=subject, area_id=int(shown["grid"]),
                         reason=why, now=now)  # fmt: skip


def _asked(
    session: Session, actor: Actor, subject: str, action: str, now: datetime
) -> list[Approval]:
    """Return what the actor has asked for and may use or wait for, the latest first."""
    usable = sa.or_(
        sa.and_(Approval.state == WAITING, Approval.asked_at > now - approvals.LIFE),
        sa.and_(Approval.state == APPROVED, Approval.decided_at > now - GOOD_FOR),
    )
    mine = (Approval.asked_by == actor.user_id, Approval.subject == subject,
            Approval.action == action)  # fmt: skip
    query = sa.select(Approval).where(*mine, usable).order_by(Approval.id.desc()).limit(10)
    return list(session.scalars(query.with_for_update()))


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Let a minor's record be opened; the glass is broken by the one who asked.

    Raises:
        Problem: 403 for somebody who stands below him.
    """
    if approved and _rank(decider, now) < max(_rank(asked.asked_by, now), min(_OFFICE_RANKS)):
        raise Problem(403, "above_your_level")


_OFFICE_RANKS = [RANK[role] for role in OFFICE_ROLES]


def _rank(actor: Actor, now: datetime) -> int:
    return max((RANK.get(post.role, 0) for post in actor.posts_at(ms_of(now))), default=0)


DEEDS = (
    Deed(READ, settle, rights=(Answer.YES, Answer.REASON)),
    Deed(READ_SENSITIVE, settle, rights=(Answer.REASON,)),
)
