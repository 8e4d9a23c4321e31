"""Change one's own password, and give somebody below a new start when he has lost his."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import Actor
from app.core.cipher import Cipher
from app.core.database import Database, Mode, begin_writing
from app.identity import attempts, factors, policies, proving, rules, sessions
from app.identity.authentication import posts_of
from app.identity.gatehouse import Gatehouse
from app.identity.models import AuthSession, User
from app.identity.people import phone_place, subject_of
from app.identity.rules import ms_of
from sync.errors import FieldError, Problem

TEMPORARY_BYTES = 10


@dataclass(frozen=True, slots=True)
class Temporary:
    """A password that somebody is told by his superior; it is shown once."""

    user_id: int
    password: str
    until: datetime


def change(
    database: Database,
    house: Gatehouse,
    actor: Actor,
    *,
    password: str,
    new_password: str,
    now: datetime,
) -> None:
    """Change one's own password; all other office sessions of the person end.

    Raises:
        Problem: 401 ``wrong_credentials``, 422 with what is wrong with the new one, 429.
    """
    assert actor.session_id is not None, "whoever asks over HTTP has a session"
    knock = attempts.at_session(house.keys, actor.session_id)
    attempts.enter(database, knock, now)
    kept = proving.password_of(database, actor.user_id)
    if not proving.checked(database, house, kept, password, knock):
        raise Problem(401, "wrong_credentials")
    with database.transaction(Mode.READ) as session:
        user = session.get(User, actor.user_id)
        assert user is not None, "whoever asks is somebody"
        fault = fault_of(session, house.cipher, user, new_password)
    if rules.prepared_password(password) == rules.prepared_password(new_password):
        fault = "password_unchanged"
    if fault:
        attempts.undecided(database, knock)
        raise Problem(422, "invalid_fields",
                      errors=[FieldError("new_password", fault).as_json()])  # fmt: skip
    hashed = house.passwords.hash(new_password)
    with database.transaction(Mode.WRITE) as session:
        attempts.passed(session, knock)
        write(session, actor.user_id, hashed, until=None, but=actor.session_id, now=now)
        audit.record(session, "user.password_changed", user_id=actor.user_id,
                     subject=f"user:{actor.user_id}")  # fmt: skip


def fault_of(session: Session, cipher: Cipher, user: User, password: str) -> str | None:
    """Return the code of what is wrong with a new password of somebody, or None."""
    phone = cipher.open(user.phone, phone_place(user.id)) if user.phone else None
    roles = [post.role for post in posts_of(session, user.id)]
    about = [user.login or "", user.name]
    return rules.password_fault(password, about=about, roles=roles, phone=phone)


def write(
    session: Session,
    user_id: int,
    hashed: str,
    *,
    until: datetime | None,
    now: datetime,
    but: str = "",
) -> None:
    """Write a new password; office sessions that were opened with the old one end.

    Args:
        until: how long somebody else's choice is good; None for one's own.
        but: the session that goes on.
    """
    values = {"password_hash": hashed, "password_until": until}
    session.execute(sa.update(User).where(User.id == user_id).values(**values)
                    .execution_options(synchronize_session=False))  # fmt: skip
    office = sa.and_(AuthSession.user_id == user_id, AuthSession.enrolment_id.is_(None),
                     AuthSession.id != but)  # fmt: skip
    sessions.revoke_sessions(session, office, why="password", now=now)


def reset(
    session: Session, house: Gatehouse, actor: Actor, user_id: int, reason: str, now: datetime
) -> Temporary:
    """Give somebody below a password for 72 hours, with which he can only choose his own.

    Raises:
        Problem: 404, 403, 409 for somebody without office access.
    """
    user = _below(session, actor, user_id, now)
    if user.login is None:
        raise Problem(409, "no_office_access")
    password = base64.b32encode(secrets.token_bytes(TEMPORARY_BYTES)).decode().lower()
    until, hashed = now + rules.TEMPORARY_PASSWORD, house.passwords.hash(password)
    begin_writing(session)
    write(session, user_id, hashed, until=until, now=now)
    audit.record(session, "user.password_reset", user_id=actor.user_id, subject=f"user:{user_id}",
                 reason=reason)  # fmt: skip
    return Temporary(user_id, password, until)


def reset_factor(session: Session, actor: Actor, user_id: int, reason: str, now: datetime) -> None:
    """Take the second factor of somebody below away, so that he sets up a new one.

    Raises:
        Problem: 404, 403.
    """
    _below(session, actor, user_id, now)
    forget_factor(session, user_id, by=actor.user_id, reason=reason, now=now)


def forget_factor(
    session: Session, user_id: int, *, by: int | None, reason: str, now: datetime
) -> None:
    """Take a second factor away; the office sessions that rest on it end."""
    factors.forget(session, user_id)
    office = sa.and_(AuthSession.user_id == user_id, AuthSession.enrolment_id.is_(None))
    sessions.revoke_sessions(session, office, why="factor", now=now)
    audit.record(session, "factor.reset", user_id=by, subject=f"user:{user_id}", reason=reason)


def _below(session: Session, actor: Actor, user_id: int, now: datetime) -> User:
    """Return somebody whose access the actor may set anew: one who stands below him."""
    if actor.user_id == user_id:
        raise Problem(403, "not_to_yourself")
    subject = subject_of(session, user_id, ms_of(now))
    policies.demand_above(actor, subject, ms_of(now), "user.reset_password")
    user = session.get(User, user_id)
    if user is None:
        raise Problem(404, "not_found")
    return user
