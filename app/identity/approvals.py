"""Two persons: what a cell with a ``2`` allows is asked for by one and approved by another.

A feature asks with the action of the authorisation table, the area it is about and the reason;
another person with the same right there says yes or no, once, and whoever asked must still have
the right then. What follows from a yes is the feature's business (``app.core.deeds``), in the same
transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.areas.models import Area
from app.areas.services import below_any
from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import Base, BigInt, UTCDateTime
from app.core.deeds import RIGHTS, Asked, Deed
from app.core.identifiers import new_id
from app.core.pagination import after
from app.core.policy import Answer
from app.identity.authentication import actors_of
from app.identity.rules import ms_of
from sync.errors import Problem

WAITING, APPROVED, REFUSED, WITHDRAWN = "waiting", "approved", "refused", "withdrawn"
STATES = (WAITING, APPROVED, REFUSED, WITHDRAWN)
LIFE = timedelta(days=7)
OPEN_MAX = 50
"""How many things one person may have asked for that nobody has decided."""


class Approval(Base):
    """Something that one person has asked for and another decides about."""

    __tablename__ = "approval"
    __table_args__ = (
        sa.Index("ix_approval_action_state", "action", "state"),
        sa.Index("ix_approval_asked_by", "asked_by"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    action: Mapped[str] = mapped_column(sa.String(40))
    # What it is about, in the feature's own words ("export:<id>").
    subject: Mapped[str] = mapped_column(sa.String(80))
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"))
    reason: Mapped[str] = mapped_column(sa.String(200))
    # What else was said; no personal values.
    details: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
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
    details: Mapping[str, Any] | None = None,
) -> Approval:
    """Ask for a second person's approval.

    Raises:
        Problem: 409 ``too_many_waiting``.
    """
    mine = sa.select(sa.func.count()).where(
        Approval.asked_by == actor.user_id,
        Approval.state == WAITING,
        Approval.asked_at > now - LIFE,
    )
    if session.execute(mine).scalar_one() >= OPEN_MAX:
        raise Problem(409, "too_many_waiting", most=OPEN_MAX)
    approval = Approval(
        id=new_id(), action=action, subject=subject, area_id=area_id, reason=reason,
        details=dict(details) if details else None, asked_by=actor.user_id, asked_at=now,
        state=WAITING,
    )  # fmt: skip
    session.add(approval)
    session.flush()
    audit.record(session, "approval.asked", user_id=actor.user_id, subject=subject, action=action,
                 reason=reason)  # fmt: skip
    return approval


def decide(
    session: Session,
    actor: Actor,
    approval_id: str,
    *,
    verdict: str,
    now: datetime,
    rights: Collection[Answer] = RIGHTS,
) -> Approval:
    """Approve or refuse, as another person who has the same right there.

    Raises:
        Problem: 404 out of scope or absent, 403 ``not_to_yourself`` or not allowed, 409
            ``already_decided``, ``approval_expired`` or ``asker_lost_right``.
    """
    approval, path = _locked(session, approval_id)
    demand_right(actor, approval.action, path, now, rights)
    if approval.asked_by == actor.user_id:
        raise Problem(403, "not_to_yourself")
    _demand_waiting(approval, now)
    if verdict == APPROVED:
        _demand_asker(session, approval, path, now, rights)
    approval.state, approval.decided_by, approval.decided_at = verdict, actor.user_id, now
    session.flush()
    audit.record(
        session, f"approval.{verdict}", user_id=actor.user_id, subject=approval.subject,
        action=approval.action, asked_by=approval.asked_by,
    )  # fmt: skip
    return approval


def settle(
    session: Session, actor: Actor, deed: Deed, approval_id: str, *, verdict: str, now: datetime
) -> Approval:
    """Decide about a deed, and let what follows from it happen.

    Raises:
        Problem: as ``decide``, and whatever stands in the way of the deed by now.
    """
    found = session.get(Approval, approval_id)
    if found is None or found.action != deed.action:
        raise Problem(404, "not_found")
    approval = decide(session, actor, approval_id, verdict=verdict, now=now, rights=deed.rights)
    asker = actors_of(session, [approval.asked_by])[approval.asked_by]
    approved = verdict == APPROVED
    deed.settle(session, asked_of(approval, asker), actor, now, approved=approved)
    return approval


def asked_of(approval: Approval, asker: Actor) -> Asked:
    """Return what was asked for, as a deed is told it."""
    return Asked(approval.id, approval.action, approval.subject, approval.area_id,
                 approval.reason, approval.details or {}, asker)  # fmt: skip


def withdraw(
    session: Session, actor: Actor, deed: Deed, approval_id: str, now: datetime
) -> Approval:
    """Take back what oneself has asked for; a second time changes nothing.

    Raises:
        Problem: 404 for anybody else's, 409 ``already_decided``.
    """
    approval, _ = _locked(session, approval_id)
    if approval.asked_by != actor.user_id or approval.action != deed.action:
        raise Problem(404, "not_found")
    if approval.state == WITHDRAWN:
        return approval
    if approval.state != WAITING:
        raise Problem(409, "already_decided", state=approval.state)
    approval.state, approval.decided_at = WITHDRAWN, now
    session.flush()
    deed.settle(session, asked_of(approval, actor), actor, now, approved=False)
    audit.record(session, "approval.withdrawn", user_id=actor.user_id, subject=approval.subject,
                 action=deed.action)  # fmt: skip
    return approval


def waiting_for(
    session: Session, actor: Actor, action: str, *, limit: int, now: datetime
) -> Sequence[Approval]:
    """Return what others have asked for and the actor may decide, the oldest first."""
    return session.scalars(
        sa.select(Approval)
        .join(Area, Area.id == Approval.area_id)
        .where(_may_decide(actor, action, RIGHTS, now))
        .order_by(Approval.id)
        .limit(limit)
    ).all()


def waiting_for_me(
    session: Session,
    actor: Actor,
    deeds: Mapping[str, Deed],
    *,
    limit: int,
    cursor: str | None,
    now: datetime,
) -> Sequence[Approval]:
    """Return all that waits for the actor's word, the oldest first, one more than a page holds."""
    able = [_may_decide(actor, name, deed.rights, now) for name, deed in sorted(deeds.items())]
    return session.scalars(
        sa.select(Approval)
        .join(Area, Area.id == Approval.area_id)
        .where(sa.or_(sa.false(), *able), after([Approval.id], cursor))
        .order_by(Approval.id)
        .limit(limit + 1)
    ).all()


def asked_by(
    session: Session, actor: Actor, *, limit: int, cursor: str | None
) -> Sequence[Approval]:
    """Return what the actor has asked for, the oldest first, one more than a page holds."""
    return session.scalars(
        sa.select(Approval)
        .where(Approval.asked_by == actor.user_id, after([Approval.id], cursor))
        .order_by(Approval.id)
        .limit(limit + 1)
    ).all()


def _may_decide(
    actor: Actor, action: str, rights: Collection[Answer], now: datetime
) -> sa.ColumnElement[bool]:
    paths = policy.paths_of(actor, action, rights, ms_of(now))
    return sa.and_(
        Approval.action == action, Approval.state == WAITING, below_any(paths),
        Approval.asked_at > now - LIFE, Approval.asked_by != actor.user_id,
    )  # fmt: skip


def _locked(session: Session, approval_id: str) -> tuple[Approval, str]:
    query = sa.select(Approval, Area.path).join(Area, Area.id == Approval.area_id)
    # What was read before the lock was given may have been decided meanwhile.
    row = session.execute(
        query.where(Approval.id == approval_id)
        .with_for_update(of=Approval)
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise Problem(404, "not_found")
    return row.Approval, row.path


def _demand_waiting(approval: Approval, now: datetime) -> None:
    if approval.state != WAITING:
        raise Problem(409, "already_decided", state=approval.state)
    if approval.asked_at + LIFE <= now:
        raise Problem(409, "approval_expired")


def _demand_asker(
    session: Session, approval: Approval, path: str, now: datetime, rights: Collection[Answer]
) -> None:
    asker = actors_of(session, [approval.asked_by])[approval.asked_by]
    try:
        demand_right(asker, approval.action, path, now, rights)
    except Problem:
        raise Problem(409, "asker_lost_right") from None


def demand_right(
    actor: Actor, action: str, path: str | None, now: datetime, rights: Collection[Answer] = RIGHTS
) -> None:
    """Let somebody ask, or decide, who has the right in an area.

    Raises:
        Problem: 404 out of scope, 403 not allowed.
    """
    answer = policy.decide(actor, action, path=path, own=False, at_ms=ms_of(now)).answer
    if answer not in rights:
        raise Problem(404 if answer is Answer.ABSENT else 403, answer.value, action=action)
