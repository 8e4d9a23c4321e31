"""Enrol phones by one-time code, list them, withdraw them, and ask them to erase themselves."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import begin_writing
from app.core.identifiers import new_id
from app.core.pagination import after
from app.identity import credentials, leaving, policies, rules, sessions
from app.identity.gatehouse import Gatehouse
from app.identity.models import AuthSession, Enrolment, EnrolmentCode, User
from app.identity.people import demand_there, in_reach, subject_of
from app.identity.rules import ms_of
from app.identity.sessions import Tokens
from sync.errors import FieldError, Problem


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code for one phone of one person; it is shown once."""

    code: str
    qr: str
    user_id: int
    name: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Phone:
    """What a phone says of itself when it is enrolled."""

    install_id: str
    model: str
    app: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled phone as a list shows it."""

    id: str
    user_id: int
    user_name: str
    model: str
    app: str
    made: datetime
    revoked_at: datetime | None
    wipe_asked_at: datetime | None
    drain_until: datetime | None
    wiped_at: datetime | None
    wiped_unsent: int | None


def issue_code(
    session: Session, house: Gatehouse, actor: Actor, user_id: int, now: datetime
) -> IssuedCode:
    """Make a one-time code for a person; codes he has not used are void from now on.

    Raises:
        Problem: 404, 403 or 409 as the policies say.
    """
    subject = subject_of(session, user_id, ms_of(now))
    demand_there(session, user_id)
    policies.demand_phone_user(actor, subject, ms_of(now))
    return make_code(session, house, user_id=user_id, made_by=actor.user_id, now=now)


def make_code(
    session: Session, house: Gatehouse, *, user_id: int, made_by: int | None, now: datetime
) -> IssuedCode:
    """Write a new code, and return it in plain text for the only time.

    Raises:
        Problem: 404 for somebody who is not there or not active.
    """
    user = session.get(User, user_id)
    if user is None or not user.active:
        raise Problem(404, "not_found")
    unused = sa.delete(EnrolmentCode).where(
        EnrolmentCode.user_id == user_id, EnrolmentCode.used_at.is_(None)
    )
    session.execute(unused)
    code = credentials.show_code(secrets.token_bytes(credentials.CODE_BYTES))
    expires = now + rules.CODE_LIFE
    session.add(
        EnrolmentCode(
            hash=credentials.code_hash(code, house.keys), user_id=user_id, made_by=made_by,
            made=now, expires=expires,
        )
    )  # fmt: skip
    session.flush()
    audit.record(session, "device.code_issued", user_id=made_by, subject=f"user:{user_id}")
    qr = credentials.qr_text(house.public_url, code)
    return IssuedCode(code, qr, user_id, user.name, expires)


def enrol(
    session: Session, house: Gatehouse, *, code: str, phone: Phone, address: str, now: datetime
) -> Tokens:
    """Make a phone somebody's phone; of two phones with one code exactly one gets it.

    A phone whose reply was lost asks again with the same code and key, and gets the same answer.

    Raises:
        Problem: 401 ``code_unknown``, 410 ``code_expired``, 409 ``code_used``, 422.
    """
    key = credentials.read_public_key(phone.public_key)
    if key is None:
        fault = FieldError("public_key", "not_a_p256_key")
        raise Problem(422, "invalid_fields", errors=[fault.as_json()])
    hashed = credentials.code_hash(code, house.keys)
    begin_writing(session)
    if not _claim(session, hashed, now):
        return _again(session, house, hashed, code, phone, key, address=address, now=now)
    owner = sa.select(User).join(EnrolmentCode, EnrolmentCode.user_id == User.id)
    user = session.scalars(owner.where(EnrolmentCode.hash == hashed)).one()
    return _enrolled(session, house, hashed, code, user, phone, key, now)


def _claim(session: Session, hashed: bytes, now: datetime) -> bool:
    """Use a code up; the database lets one of two succeed."""
    statement = (
        sa.update(EnrolmentCode)
        .where(
            EnrolmentCode.hash == hashed,
            EnrolmentCode.used_at.is_(None),
            EnrolmentCode.expires > now,
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    result: Any = session.execute(statement)
    return bool(result.rowcount == 1)


def _enrolled(
    session: Session,
    house: Gatehouse,
    hashed: bytes,
    code: str,
    user: User,
    phone: Phone,
    key: bytes,
    now: datetime,
) -> Tokens:
    if not user.active:
        raise Problem(401, "code_unknown")
    _replace_former(session, user.id, phone.install_id, now)
    enrolment = Enrolment(
        id=new_id(), user_id=user.id, install_id=phone.install_id, model=phone.model,
        app=phone.app, public_key=key, made=now,
    )  # fmt: skip
    session.add(enrolment)
    session.flush()
    used_by = sa.update(EnrolmentCode).where(EnrolmentCode.hash == hashed)
    session.execute(used_by.values(enrolment_id=enrolment.id))
    first = credentials.first_token(code, new_id(), house.keys)
    tokens = sessions.open_session(session, house, user, first, enrolment_id=enrolment.id, now=now)
    audit.record(session, "device.enrolled", user_id=user.id, subject=f"device:{enrolment.id}")
    return tokens


def _replace_former(session: Session, user_id: int, install_id: str, now: datetime) -> None:
    """Withdraw what the same installation of the same person held before."""
    former = sa.select(Enrolment.id).where(
        Enrolment.user_id == user_id, Enrolment.install_id == install_id,
        Enrolment.revoked_at.is_(None),
    )  # fmt: skip
    ids = list(session.scalars(former))
    if ids:
        _withdraw(session, ids, by=user_id, why="enrolled_again", now=now)
        audit.record(session, "device.revoked", user_id=user_id, subject=f"device:{ids[0]}",
                     reason="enrolled_again")  # fmt: skip


def _again(
    session: Session,
    house: Gatehouse,
    hashed: bytes,
    code: str,
    phone: Phone,
    key: bytes,
    *,
    address: str,
    now: datetime,
) -> Tokens:
    """Answer a code that cannot be used: to the phone that used it, with its own tokens."""
    row = session.get(EnrolmentCode, hashed)
    if row is None:
        house.doors.enter(address, "enrol", now.timestamp())
        raise Problem(401, "code_unknown")
    audit.concerning(f"user:{row.user_id}", row.user_id)
    if row.expires <= now:
        raise Problem(410, "code_expired")
    own = sa.select(AuthSession, User.name).join(User, User.id == AuthSession.user_id).join(
        Enrolment, Enrolment.id == AuthSession.enrolment_id
    ).where(
        Enrolment.id == row.enrolment_id, Enrolment.install_id == phone.install_id,
        Enrolment.public_key == key, Enrolment.revoked_at.is_(None), User.active,
        AuthSession.revoked_at.is_(None), AuthSession.generation == 0,
    )  # fmt: skip
    found = session.execute(own).first()
    if found is None:
        raise Problem(409, "code_used")
    first = credentials.first_token(code, found.AuthSession.id, house.keys)
    return sessions.hand_out(house, found.AuthSession, found.name, first, now)


def list_devices(
    session: Session, actor: Actor, *, limit: int, cursor: str | None, now: datetime
) -> Sequence[Device]:
    """Return the phones that the actor may see, oldest first, one more than a page holds."""
    reach = policy.reach(actor, "device.list", ms_of(now))
    visible = in_reach(Enrolment.user_id, reach, actor.user_id, now)
    rows = session.execute(
        sa.select(Enrolment, User.name)
        .join(User, User.id == Enrolment.user_id)
        .where(visible, after([Enrolment.id], cursor))
        .order_by(Enrolment.id)
        .limit(limit + 1)
    )
    hide = rules.masked_name if reach.masked else str
    return [_device(row.Enrolment, hide(row.name)) for row in rows]


def _device(row: Enrolment, name: str) -> Device:
    return Device(
        row.id, row.user_id, name, row.model, row.app, row.made, row.revoked_at,
        row.wipe_asked_at, row.drain_until, row.wiped_at, row.wiped_unsent,
    )  # fmt: skip


def revoke_device(session: Session, actor: Actor, device_id: str, now: datetime) -> None:
    """Withdraw a phone at once; a second time changes nothing.

    Whoever is in charge of one of the person's areas may: to be safe must not need two offices.

    Raises:
        Problem: 404 or 403.
    """
    row = _enrolment(session, device_id)
    subject = subject_of(session, row.user_id, ms_of(now))
    policies.demand_sight(actor, subject, ms_of(now), "device.revoke")
    if row.revoked_at is None:
        _withdraw(session, [row.id], by=actor.user_id, why="device_revoked", now=now)
        audit.record(
            session, "device.revoked", user_id=actor.user_id, subject=f"device:{device_id}"
        )


def ask_to_wipe(
    session: Session, actor: Actor, device_id: str, now: datetime, *, drain: bool = False
) -> Device:
    """Tell a phone to erase what it holds, at its next call; from now on it gets nothing else.

    Args:
        drain: it may send for 72 hours what it holds, before; a stolen phone may not.

    Raises:
        Problem: 404 or 403.
    """
    row = _enrolment(session, device_id)
    subject = subject_of(session, row.user_id, ms_of(now))
    policies.demand_whole(actor, subject, ms_of(now), "device.wipe")
    hardened = not drain and row.drain_until is not None
    if row.wipe_asked_at is None or hardened:
        row.wipe_asked_at, row.drain_until = row.wipe_asked_at or now, None
        session.flush()
        if drain:
            leaving.drain(session, [row.id], now)
            session.refresh(row)
        audit.record(
            session, "device.wipe_asked", user_id=actor.user_id, subject=f"device:{device_id}"
        )
    name = session.execute(sa.select(User.name).where(User.id == row.user_id)).scalar_one()
    return _device(row, name)


def sign_out_everywhere(session: Session, actor: Actor, user_id: int, now: datetime) -> None:
    """End all sessions of a person, on phones and in the office.

    Raises:
        Problem: 404 or 403.
    """
    subject = subject_of(session, user_id, ms_of(now))
    demand_there(session, user_id)
    policies.demand_sight(actor, subject, ms_of(now), "session.revoke")
    ended = sessions.revoke_sessions(
        session, AuthSession.user_id == user_id, why="revoked", now=now
    )
    if ended:
        audit.record(
            session, "session.revoked", user_id=actor.user_id, subject=f"user:{user_id}",
            sessions=ended,
        )  # fmt: skip


def _enrolment(session: Session, device_id: str) -> Enrolment:
    found = session.get(Enrolment, device_id)
    if found is None:
        raise Problem(404, "not_found")
    return found


def _withdraw(session: Session, ids: Sequence[str], *, by: int, why: str, now: datetime) -> None:
    session.execute(
        sa.update(Enrolment).where(Enrolment.id.in_(ids)).values(revoked_at=now, revoked_by=by)
    )
    which = AuthSession.enrolment_id.in_(ids)
    sessions.revoke_sessions(session, which, why=why, now=now)
