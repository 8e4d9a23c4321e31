"""Open, renew and end sessions: refresh and sign-out; signing in has a page of its own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import begin_writing, lock_rows
from app.identity import credentials, rules
from app.identity.authentication import refuse_if_withdrawn
from app.identity.credentials import Claims, Keys, RefreshToken
from app.identity.gatehouse import Gatehouse
from app.identity.models import AuthSession, Enrolment, User
from sync.errors import Problem


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a session hands to its device.

    Attributes:
        owes: what its person must do before anything else.
        known: what an office computer keeps, to be counted by itself at the next sign-in.
    """

    access_token: str
    refresh_token: str
    session_id: str
    user_id: int
    name: str
    enrolment_id: str | None
    idle_until: datetime
    now: datetime
    owes: str | None = None
    known: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A refusal that is answered, not raised, since what was written of it must be committed.

    A copy of an old token came back, and the family was revoked; or a token of now was shown
    without the key of its phone, which was written down.
    """

    code: str = "token_reused"


@dataclass(frozen=True, slots=True)
class Proof:
    """A phone's signature over its refresh token and the time."""

    signature: str
    at_ms: int


def normal_login(login: str) -> str:
    """Return the form in which a login is kept and compared."""
    return rules.prepared_password(login).strip().lower()


def open_session(
    session: Session,
    house: Gatehouse,
    user: User,
    first: RefreshToken,
    *,
    enrolment_id: str | None,
    now: datetime,
    has_factor: bool = True,
) -> Tokens:
    """Write a new session with its first refresh token; the person's outlived ones go.

    Args:
        has_factor: its person has given a second factor; else he may only set one up.
    """
    outlived = (AuthSession.user_id == user.id, AuthSession.absolute_until <= now)
    session.execute(sa.delete(AuthSession).where(*outlived))
    idle = rules.PHONE_IDLE if enrolment_id else rules.OFFICE_IDLE
    absolute = rules.PHONE_ABSOLUTE if enrolment_id else rules.OFFICE_ABSOLUTE
    row = AuthSession(
        id=first.session_id, user_id=user.id, enrolment_id=enrolment_id, generation=0,
        refresh_hash=first.hash, rotated_at=now, proof_ms=0, made=now, idle_until=now + idle,
        absolute_until=now + absolute, factor_at=now if has_factor else None,
        # A phone proves with a signature when it must; its code proves nothing later.
        proven_at=now if has_factor and enrolment_id is None else None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return hand_out(house, row, user.name, first, now)


def hand_out(
    house: Gatehouse, row: AuthSession, name: str, token: RefreshToken, now: datetime
) -> Tokens:
    """Return a session's tokens with a fresh access token."""
    claims = Claims(row.user_id, row.id, row.enrolment_id)
    return Tokens(
        credentials.make_access(claims, house.keys, now), token.text(house.keys), row.id,
        row.user_id, name, row.enrolment_id, row.idle_until, now,
    )  # fmt: skip


def refresh(
    session: Session,
    house: Gatehouse,
    *,
    text: str,
    proof: Proof | None,
    address: str,
    now: datetime,
) -> Tokens | Ended:
    """Change a refresh token for its successor.

    The same successor is given again when the reply was lost, the successor has not been used
    and the phone proves that it is the same phone. Any other old token is a copy.

    Raises:
        Problem: 401 ``invalid_token``, ``revoked``, ``session_expired`` or ``stale_proof``; 403
            ``device_wipe``; 429.
    """
    token = credentials.read_refresh(text, house.keys)
    if token is None:
        house.doors.enter(address, "refresh", now.timestamp())
        raise Problem(401, "invalid_token")
    audit.concerning(f"session:{token.session_id}")
    begin_writing(session)
    row = _locked(session, token.session_id)
    audit.concerning(f"session:{row.id}", row.user_id)
    _refuse_unfit(session, house.keys, row, now)
    key = _device_key(session, row)
    if key is not None and (_is_recent(row, token) or _is_ahead(row, token)):
        if proof is None or not _is_genuine(key, text, proof):
            return _strange(session, house, row, address=address, now=now)
        _check_time(row, proof, now)
    if _is_current(row, token) or (key is not None and _is_ahead(row, token)):
        return _rotate(session, house, row, token, now)
    if key is not None and _is_repeated(row, token, now):
        session.flush()
        return hand_out(house, row, _name(session, row), token.successor(house.keys), now)
    return _end_family(session, row, token, now)


def _end_family(session: Session, row: AuthSession, token: RefreshToken, now: datetime) -> Ended:
    revoke_sessions(session, AuthSession.id == row.id, why="reuse", now=now)
    audit.record(
        session,
        "auth.token_reused",
        user_id=row.user_id,
        subject=f"session:{row.id}",
        result=audit.REFUSED,
        generation=token.generation,
        current=row.generation,
    )
    return Ended()


def sign_out(session: Session, house: Gatehouse, *, text: str, now: datetime) -> None:
    """End the session of a refresh token; for a text that is none there is nothing to end."""
    token = credentials.read_refresh(text, house.keys)
    if token is None:
        return
    begin_writing(session)
    this = AuthSession.id == token.session_id
    user_id = session.scalar(sa.select(AuthSession.user_id).where(this))
    if revoke_sessions(session, this, why="sign_out", now=now):
        audit.record(session, "auth.sign_out", user_id=user_id,
                     subject=f"session:{token.session_id}")  # fmt: skip


def revoke_sessions(
    session: Session, which: sa.ColumnElement[bool], *, why: str, now: datetime
) -> int:
    """End the open sessions that a condition names, at once and everywhere.

    Returns:
        How many there were.
    """
    statement = (
        sa.update(AuthSession)
        .where(which, AuthSession.revoked_at.is_(None))
        .values(revoked_at=now, revoked_why=why)
        .execution_options(synchronize_session=False)
    )
    result: Any = session.execute(statement)
    return int(result.rowcount)


def _locked(session: Session, session_id: str) -> AuthSession:
    query = lock_rows(sa.select(AuthSession).where(AuthSession.id == session_id))
    found: AuthSession | None = session.scalars(query).first()
    if found is None:
        raise Problem(401, "invalid_token")
    return found


def _refuse_unfit(session: Session, keys: Keys, row: AuthSession, now: datetime) -> None:
    standing = session.execute(
        sa.select(
            AuthSession.revoked_at, AuthSession.absolute_until, User.active,
            Enrolment.revoked_at.label("phone_revoked_at"), Enrolment.wipe_asked_at,
            Enrolment.drain_until, Enrolment.wiped_at, AuthSession.enrolment_id,
        )
        .join(User, User.id == AuthSession.user_id)
        .join(Enrolment, Enrolment.id == AuthSession.enrolment_id, isouter=True)
        .where(AuthSession.id == row.id)
    ).one()  # fmt: skip
    expired = row.idle_until <= now or row.absolute_until <= now
    if expired and standing.wipe_asked_at is None:
        raise Problem(401, "session_expired")
    # An order to erase reaches a phone however late it comes.
    refuse_if_withdrawn(standing, keys, now)
    if expired:
        raise Problem(401, "session_expired")


def _device_key(session: Session, row: AuthSession) -> bytes | None:
    if row.enrolment_id is None:
        return None
    query = sa.select(Enrolment.public_key).where(Enrolment.id == row.enrolment_id)
    return session.execute(query).scalar_one()


def _is_current(row: AuthSession, token: RefreshToken) -> bool:
    return token.generation == row.generation and token.hash == row.refresh_hash


def _is_ahead(row: AuthSession, token: RefreshToken) -> bool:
    """Tell that we have made a later token than we remember: the database was restored."""
    return token.generation > row.generation


def _is_previous(row: AuthSession, token: RefreshToken) -> bool:
    return token.generation == row.generation - 1 and token.hash == row.previous_hash


def _is_recent(row: AuthSession, token: RefreshToken) -> bool:
    return _is_current(row, token) or _is_previous(row, token)


def _is_repeated(row: AuthSession, token: RefreshToken, now: datetime) -> bool:
    return _is_previous(row, token) and now - row.rotated_at <= rules.REPLY_LOST_WITHIN


def _is_genuine(key: bytes, text: str, proof: Proof) -> bool:
    message = credentials.proof_message(text, proof.at_ms)
    return credentials.proves(key, proof.signature, message)


def _strange(
    session: Session, house: Gatehouse, row: AuthSession, *, address: str, now: datetime
) -> Ended:
    """Note that a good token came without the key of its phone: somebody has copied it.

    The session goes on, since the token is worth nothing to whoever has no key.
    """
    house.doors.enter(address, "proof", now.timestamp())
    audit.record(session, "auth.bad_proof", user_id=row.user_id, subject=f"session:{row.id}")
    return Ended("bad_proof")


def _check_time(row: AuthSession, proof: Proof, now: datetime) -> None:
    """Take a proof that is of these minutes, and later than the one before."""
    now_ms = rules.ms_of(now)
    drift_ms = rules.PROOF_DRIFT.total_seconds() * 1000
    if abs(now_ms - proof.at_ms) > drift_ms or proof.at_ms <= row.proof_ms:
        raise Problem(401, "stale_proof", now=now_ms, after=row.proof_ms)
    row.proof_ms = proof.at_ms


def _rotate(
    session: Session, house: Gatehouse, row: AuthSession, token: RefreshToken, now: datetime
) -> Tokens:
    successor = token.successor(house.keys)
    row.refresh_hash = token.hash
    idle = rules.PHONE_IDLE if row.enrolment_id else rules.OFFICE_IDLE
    row.generation, row.previous_hash = successor.generation, row.refresh_hash
    row.refresh_hash, row.rotated_at = successor.hash, now
    row.idle_until = min(now + idle, row.absolute_until)
    session.flush()
    return hand_out(house, row, _name(session, row), successor, now)


def _name(session: Session, row: AuthSession) -> str:
    return session.execute(sa.select(User.name).where(User.id == row.user_id)).scalar_one()
