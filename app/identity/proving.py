"""Prove again who acts, before what is hard to take back: an export, a grant, a wipe, a reveal.

In the office that is the password and a one-time code; on a phone, a signature of its device key
over the session and the time. It counts for five minutes, on this session alone.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.database import Database, Mode, lock_rows
from app.identity import attempts, credentials, factors, rules
from app.identity.gatehouse import Gatehouse
from app.identity.models import AuthSession, Enrolment, User
from app.identity.sessions import Proof
from sync.errors import Problem


def step_up_office(
    database: Database,
    house: Gatehouse,
    actor: Actor,
    *,
    password: str,
    code: str,
    now: datetime,
) -> None:
    """Take password and code as a fresh proof.

    Raises:
        Problem: 401 ``wrong_credentials``, ``second_factor_wrong`` or ``second_factor_used``; 409
            on a phone; 429.
    """
    assert actor.session_id is not None, "whoever asks over HTTP has a session"
    if actor.enrolment is not None:
        raise Problem(409, "wrong_proof_here", fields=["proof", "at"])
    knock = attempts.at_session(house.keys, actor.session_id)
    attempts.enter(database, knock, now)
    kept = password_of(database, actor.user_id)
    if not checked(database, house, kept, password, knock):
        raise Problem(401, "wrong_credentials")
    with database.transaction(Mode.WRITE) as session:
        factors.take(session, house, user_id=actor.user_id, code=code, now=now)
        attempts.passed(session, knock)
        _note(session, actor.session_id, now)


def step_up_phone(
    database: Database, house: Gatehouse, actor: Actor, proof: Proof, *, now: datetime
) -> None:
    """Take a signature of the device key as a fresh proof; the same one is not taken twice.

    Raises:
        Problem: 401 ``bad_proof`` or ``stale_proof``; 409 in the office; 429.
    """
    assert actor.session_id is not None, "whoever asks over HTTP has a session"
    if actor.enrolment is None:
        raise Problem(409, "wrong_proof_here", fields=["password", "code"])
    knock = attempts.at_session(house.keys, actor.session_id)
    attempts.enter(database, knock, now)
    with database.transaction(Mode.WRITE) as session:
        mine = sa.select(AuthSession).where(AuthSession.id == actor.session_id)
        row: AuthSession = session.scalars(lock_rows(mine)).one()
        key = session.execute(
            sa.select(Enrolment.public_key).where(Enrolment.id == row.enrolment_id)
        ).scalar_one()
        message = credentials.step_up_message(actor.session_id, proof.at_ms)
        if not credentials.proves(key, proof.signature, message):
            raise Problem(401, "bad_proof")
        now_ms = rules.ms_of(now)
        drift_ms = rules.ms_of(now + rules.PROOF_DRIFT) - now_ms
        if abs(now_ms - proof.at_ms) > drift_ms or proof.at_ms <= row.proof_ms:
            raise Problem(401, "stale_proof", now=now_ms, after=row.proof_ms)
        row.proof_ms = proof.at_ms
        session.flush()
        attempts.passed(session, knock)
        _note(session, actor.session_id, now)


def _note(session: Session, session_id: str, now: datetime) -> None:
    proven = sa.update(AuthSession).where(AuthSession.id == session_id).values(proven_at=now)
    session.execute(proven.execution_options(synchronize_session=False))


def password_of(database: Database, user_id: int) -> str | None:
    """Return the hash of somebody's password."""
    query = sa.select(User.password_hash).where(User.id == user_id)
    with database.transaction(Mode.LOOK) as session:
        return session.execute(query).scalar()


def checked(
    database: Database, house: Gatehouse, kept: str | None, password: str, knock: attempts.Knock
) -> bool:
    """Tell whether a password is right; when we are too busy to tell, nothing is counted."""
    try:
        return house.passwords.check(kept, password)
    except Problem:
        attempts.undecided(database, knock)
        raise
