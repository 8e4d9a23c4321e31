"""Let people go: their reading ends at once, their phones hand in what they hold, then erase it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import Actor
from app.identity import policies, rules, sessions
from app.identity.gatehouse import Gatehouse
from app.identity.models import AuthSession, Enrolment, EnrolmentCode, Post, User
from app.identity.orders import read_ticket
from app.identity.people import subject_of
from app.identity.rules import ms_of
from sync.errors import Problem


@dataclass(frozen=True, slots=True)
class Dismissal:
    """What a dismissal has set going.

    Attributes:
        phones: how many may hand in what they hold, until ``drain_until``.
    """

    user_id: int
    dismissed_at: datetime
    drain_until: datetime
    phones: int


def dismiss(session: Session, actor: Actor, user_id: int, now: datetime) -> Dismissal:
    """Let somebody go; a second time changes nothing.

    All posts end now. Office sessions end; phones may send for 72 hours what they hold, which
    is judged by the rights of the time at which it was made, and are then told to erase it.

    Raises:
        Problem: 404, 403.
    """
    if actor.user_id == user_id:
        raise Problem(403, "not_to_yourself")
    subject = subject_of(session, user_id, ms_of(now))
    policies.demand_whole(actor, subject, ms_of(now), "user.dismiss")
    for post in subject.posts:
        policies.demand_rank(actor, "user.dismiss", post.path, post.role, ms_of(now))
    user = session.get(User, user_id)
    if user is None:
        raise Problem(404, "not_found")
    if user.dismissed_at is None:
        user.active, user.dismissed_at = False, now
        session.flush()
        _end_posts(session, user_id, now)
        _let_phones_drain(session, user_id, now)
        audit.record(session, "user.dismissed", user_id=actor.user_id, subject=f"user:{user_id}")
    return _dismissal(session, user_id, user.dismissed_at)


def _dismissal(session: Session, user_id: int, dismissed_at: datetime) -> Dismissal:
    counted = sa.select(sa.func.count()).where(
        Enrolment.user_id == user_id, Enrolment.drain_until.is_not(None),
        Enrolment.wiped_at.is_(None),
    )  # fmt: skip
    phones = session.execute(counted).scalar_one()
    return Dismissal(user_id, dismissed_at, dismissed_at + rules.DRAIN, phones)


def _end_posts(session: Session, user_id: int, now: datetime) -> None:
    standing = (Post.user_id == user_id, sa.or_(Post.ends.is_(None), Post.ends > now))
    begun = sa.case((Post.starts > now, Post.starts), else_=now)
    _update(session, sa.update(Post).where(*standing).values(ends=begun))
    unused = (EnrolmentCode.user_id == user_id, EnrolmentCode.used_at.is_(None))
    session.execute(sa.delete(EnrolmentCode).where(*unused))
    office = sa.and_(AuthSession.user_id == user_id, AuthSession.enrolment_id.is_(None))
    sessions.revoke_sessions(session, office, why="dismissed", now=now)


def _let_phones_drain(session: Session, user_id: int, now: datetime) -> None:
    """Ask all phones of a person to erase themselves once they have sent what they hold."""
    mine = (
        Enrolment.user_id == user_id, Enrolment.revoked_at.is_(None),
        Enrolment.wipe_asked_at.is_(None),
    )  # fmt: skip
    ids = list(session.scalars(sa.select(Enrolment.id).where(*mine)))
    drain(session, ids, now)


def drain(session: Session, enrolments: list[str], now: datetime) -> None:
    """Give phones 72 hours to send what they hold; their sessions last as long, for that alone."""
    until = now + rules.DRAIN
    values = {"wipe_asked_at": now, "drain_until": until}
    _update(session, sa.update(Enrolment).where(Enrolment.id.in_(enrolments)).values(**values))
    for column in (AuthSession.idle_until, AuthSession.absolute_until):
        short = (AuthSession.enrolment_id.in_(enrolments), AuthSession.revoked_at.is_(None),
                 column < until)  # fmt: skip
        _update(session, sa.update(AuthSession).where(*short).values({column: until}))


def take_receipt(
    session: Session, house: Gatehouse, *, ticket: str, unsent: int, address: str, now: datetime
) -> None:
    """Note that a phone has erased itself; a second time changes nothing.

    Args:
        unsent: how many edits it had not been able to send.

    Raises:
        Problem: 401 for a ticket that is not ours.
    """
    enrolment_id = read_ticket(house.keys, ticket)
    row = session.get(Enrolment, enrolment_id) if enrolment_id else None
    if row is None:
        house.doors.enter(address, "wiped", now.timestamp())
        raise Problem(401, "ticket_unknown")
    if row.wiped_at is not None:
        return
    row.wiped_at, row.wiped_unsent = now, unsent
    row.revoked_at = row.revoked_at or now
    session.flush()
    sessions.revoke_sessions(session, AuthSession.enrolment_id == row.id, why="wiped", now=now)
    audit.record(session, "device.wiped", user_id=row.user_id, subject=f"device:{row.id}",
                 unsent=unsent)  # fmt: skip


def _update(session: Session, statement: sa.Update) -> None:
    session.execute(statement.execution_options(synchronize_session=False))
