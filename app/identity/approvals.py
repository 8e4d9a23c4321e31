"""Two persons: what a cell with a ``2`` allows is asked for by one and approved by another.

A feature asks with the action of the authorisation table, the area it is about and the reason;
another person with the same right there says yes or no, once. What follows from a yes is the
feature's business, in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.areas.models import Area
from app.areas.services import below_any
from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import Base, BigInt, UTCDateTime
from app.core.identifiers import new_id
from app.core.policy import Answer
from app.identity.rules import ms_of
from sync.errors import Problem

WAITING, APPROVED, REFUSED = "waiting", "approved", "refused"
LIFE = timedelta(days=7)
RIGHTS = (Answer.SECOND_PERSON, Answer.YES)


class Approval(Base):
    """Something that one person has asked for and another decides about."""

    __tablename__ = "approval"
    __table_args__ = (sa.Index("ix_approval_action_state", "action", "state"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    action: Mapped[str] = mapped_column(sa.String(40))
    # What it is about, in the feature's own words ("export:<id>").
    subject: Mapped[str] = mapped_column(sa.String(80))
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"))
    reason: Mapped[str] = mapped_column(sa.String(200))
    asked_by: Mapped[int] = mapped_column(BigInt)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    state: Mapped[str] = mapped_column(sa.String(10))
    decided_by: Mapped[int | None] = mapped_column(BigInt)
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


def ask(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject: str,
    area_id: int,
    reason: str,
    now: datetime,
) -> Approval:
    """Ask for a second person's approval."""
    approval = Approval(
        id=new_id(), action=action, subject=subject, area_id=area_id, reason=reason,
        asked_by=actor.user_id, asked_at=now, state=WAITING,
    )  # fmt: skip
    session.add(approval)
    session.flush()
    audit.record(session, "approval.asked", user_id=actor.user_id, subject=subject, action=action)
    return approval


def decide(
    session: Session, actor: Actor, approval_id: str, *, verdict: str, now: datetime
) -> Approval:
    """Approve or refuse, as another person who has the same right there.

    Raises:
        Problem: 404 out of scope or absent, 403 ``not_to_yourself`` or not allowed, 409
            ``already_decided`` or ``approval_expired``.
    """
    query = sa.select(Approval, Area.path).join(Area, Area.id == Approval.area_id)
    row = session.execute(
        query.where(Approval.id == approval_id).with_for_update(of=Approval)
    ).first()
    if row is None:
        raise Problem(404, "not_found")
    approval: Approval = row.Approval
    _demand_right(actor, approval.action, row.path, now)
    if approval.asked_by == actor.user_id:
        raise Problem(403, "not_to_yourself")
    if approval.state != WAITING:
        raise Problem(409, "already_decided", state=approval.state)
    if approval.asked_at + LIFE <= now:
        raise Problem(409, "approval_expired")
    approval.state, approval.decided_by, approval.decided_at = verdict, actor.user_id, now
    session.flush()
    audit.record(
        session, f"approval.{verdict}", user_id=actor.user_id, subject=approval.subject,
        action=approval.action, asked_by=approval.asked_by,
    )  # fmt: skip
    return approval


def waiting_for(
    session: Session, actor: Actor, action: str, *, limit: int, now: datetime
) -> Sequence[Approval]:
    """Return what others have asked for and the actor may decide, the oldest first."""
    paths = policy.paths_of(actor, action, RIGHTS, ms_of(now))
    return session.scalars(
        sa.select(Approval)
        .join(Area, Area.id == Approval.area_id)
        .where(Approval.action == action, Approval.state == WAITING, below_any(paths),
               Approval.asked_at > now - LIFE, Approval.asked_by != actor.user_id)
        .order_by(Approval.id)
        .limit(limit)
    ).all()  # fmt: skip


def _demand_right(actor: Actor, action: str, path: str, now: datetime) -> None:
    answer = policy.decide(actor, action, path=path, own=False, at_ms=ms_of(now)).answer
    if answer not in RIGHTS:
        raise Problem(404 if answer is Answer.ABSENT else 403, answer.value)
