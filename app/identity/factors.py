"""The second factor of the office: one-time codes (TOTP, RFC 6238) and codes for recovery.

A secret is shown once, when it is made, and counts from the moment at which its owner has shown a
code of it; until then the former one stays in use. The database keeps it sealed. Each code is
good for one time: the half minute of the last one is kept, and none of it or before is taken.
"""

import hmac
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyotp
import segno
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.cipher import Cipher
from app.core.database import insert_into, table_of
from app.identity import credentials
from app.identity.credentials import Keys
from app.identity.gatehouse import Gatehouse
from app.identity.models import AuthSession, RecoveryCode, SecondFactor, User
from app.identity.rules import CODE_DIGITS, RECOVERY_BYTES, RECOVERY_CODES, STEP_S, step_of
from sync.errors import Problem

ISSUER = "Wangge"
# A clock may be half a minute wrong, and a code may be typed while the next one comes.
STEPS_AROUND = (-1, 0, 1)
_factors, _codes = table_of(SecondFactor), table_of(RecoveryCode)


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A secret in the forms in which an app takes it; it is shown this once."""

    secret: str
    uri: str
    qr_svg: str


def propose(session: Session, cipher: Cipher, user_id: int, *, is_fresh: bool) -> NewFactor:
    """Make a secret that waits for its first code; one that waited before is void.

    Args:
        is_fresh: the caller has proved lately, with the factor he has, who he is.

    Raises:
        Problem: 403 ``step_up_needed`` to change a factor that is in use.
    """
    # Two requests of one person wait for each other here.
    account = session.execute(
        sa.select(User.login, User.name).where(User.id == user_id).with_for_update()
    ).one()
    if has_factor(session, user_id) and not is_fresh:
        raise Problem(403, "step_up_needed", call="/api/v1/auth/step-up",
                      fields=["password", "code"])  # fmt: skip
    secret = pyotp.random_base32()
    sealed = cipher.seal(secret, place_of(user_id, "pending"))
    row = insert_into(session, _factors).values(user_id=user_id, pending=sealed, last_step=0)
    session.execute(
        row.on_conflict_do_update(index_elements=[_factors.c.user_id], set_={"pending": sealed})
    )
    audit.record(session, "factor.proposed", user_id=user_id, subject=f"user:{user_id}")
    return _shown(secret, account.login or str(user_id))


def _shown(secret: str, name: str) -> NewFactor:
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)
    picture = io.BytesIO()
    segno.make(uri, micro=False).save(picture, kind="svg", scale=4, xmldecl=False)
    return NewFactor(secret, uri, picture.getvalue().decode())


def place_of(user_id: int, column: str) -> str:
    """Return the place to which a sealed secret is tied."""
    return f"second_factor/{column}/{user_id}"


def has_factor(session: Session, user_id: int) -> bool:
    """Tell whether somebody has a second factor in use."""
    query = sa.select(_factors.c.user_id).where(
        _factors.c.user_id == user_id, _factors.c.confirmed_at.is_not(None)
    )
    return session.execute(query).first() is not None


def confirm(
    session: Session, house: Gatehouse, *, user_id: int, session_id: str, code: str, now: datetime
) -> Sequence[str]:
    """Take the secret that waits into use, by its first code; return new codes for recovery.

    This session is whole from now on; others that never gave a second factor end.

    Raises:
        Problem: 409 ``no_factor_waits``, 401 ``second_factor_wrong``.
    """
    row = session.execute(
        sa.select(_factors.c.pending).where(_factors.c.user_id == user_id).with_for_update()
    ).first()
    if row is None or row.pending is None:
        raise Problem(409, "no_factor_waits")
    secret = house.cipher.open(row.pending, place_of(user_id, "pending"))
    step = matching_step(secret, code, now)
    if step is None:
        raise Problem(401, "second_factor_wrong")
    set_secret(session, house.cipher, user_id, secret, step=step, now=now)
    _make_whole(session, user_id, session_id, now)
    audit.record(session, "factor.confirmed", user_id=user_id, subject=f"user:{user_id}")
    return new_recovery_codes(session, house.keys, user_id)


def set_secret(
    session: Session, cipher: Cipher, user_id: int, secret: str, *, step: int, now: datetime
) -> None:
    """Write a secret that is in use from now on.

    Args:
        step: the half minute of the code with which it was confirmed.
    """
    values = {
        "secret": cipher.seal(secret, place_of(user_id, "secret")), "pending": None,
        "confirmed_at": now, "last_step": step,
    }  # fmt: skip
    row = insert_into(session, _factors).values(user_id=user_id, **values)
    session.execute(row.on_conflict_do_update(index_elements=[_factors.c.user_id], set_=values))


def _make_whole(session: Session, user_id: int, session_id: str, now: datetime) -> None:
    office = (AuthSession.user_id == user_id, AuthSession.enrolment_id.is_(None))
    for statement in (
        sa.update(AuthSession)
        .where(*office, AuthSession.id != session_id, AuthSession.factor_at.is_(None),
               AuthSession.revoked_at.is_(None))
        .values(revoked_at=now, revoked_why="factor"),
        sa.update(AuthSession)
        .where(*office, AuthSession.id == session_id)
        .values(factor_at=now, proven_at=now),
    ):  # fmt: skip
        session.execute(statement.execution_options(synchronize_session=False))


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the half minute to which a code belongs, None when to none that counts now."""
    otp, present = pyotp.TOTP(secret), step_of(now)
    typed = code.encode()
    found = [
        present + off
        for off in STEPS_AROUND
        if hmac.compare_digest(otp.at((present + off) * STEP_S).encode(), typed)
    ]
    return max(found, default=None)


def take(session: Session, house: Gatehouse, *, user_id: int, code: str, now: datetime) -> None:
    """Use up a code of somebody's second factor, or one for recovery; of two at once one wins.

    Raises:
        Problem: 401 ``second_factor_wrong`` or ``second_factor_used``.
    """
    if len(code) == CODE_DIGITS and code.isdecimal():
        _take_code(session, house.cipher, user_id, code, now)
    else:
        _take_recovery(session, house.keys, user_id, code, now)


def _take_code(session: Session, cipher: Cipher, user_id: int, code: str, now: datetime) -> None:
    mine = (_factors.c.user_id == user_id, _factors.c.confirmed_at.is_not(None))
    sealed = session.execute(sa.select(_factors.c.secret).where(*mine)).scalar()
    if sealed is None:
        raise Problem(401, "second_factor_wrong")
    step = matching_step(cipher.open(sealed, place_of(user_id, "secret")), code, now)
    if step is None:
        raise Problem(401, "second_factor_wrong")
    newer = sa.update(_factors).where(*mine, _factors.c.last_step < step)
    result: Any = session.execute(newer.values(last_step=step))
    if result.rowcount != 1:
        raise Problem(401, "second_factor_used")


def _take_recovery(session: Session, keys: Keys, user_id: int, code: str, now: datetime) -> None:
    unused = (
        _codes.c.hash == credentials.recovery_hash(user_id, code, keys),
        _codes.c.user_id == user_id, _codes.c.used_at.is_(None),
    )  # fmt: skip
    result: Any = session.execute(sa.update(_codes).where(*unused).values(used_at=now))
    if result.rowcount != 1:
        raise Problem(401, "second_factor_wrong")
    audit.record(session, "factor.recovery_used", user_id=user_id, subject=f"user:{user_id}")


def new_recovery_codes(session: Session, keys: Keys, user_id: int) -> Sequence[str]:
    """Make codes for recovery; those of before are void."""
    session.execute(sa.delete(_codes).where(_codes.c.user_id == user_id))
    codes = [credentials.show_code(secrets.token_bytes(RECOVERY_BYTES))
             for _ in range(RECOVERY_CODES)]  # fmt: skip
    session.execute(
        sa.insert(_codes),
        [{"hash": credentials.recovery_hash(user_id, code, keys), "user_id": user_id}
         for code in codes],
    )  # fmt: skip
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def forget(session: Session, user_id: int) -> None:
    """Take somebody's second factor and all his codes for recovery away."""
    session.execute(sa.delete(_factors).where(_factors.c.user_id == user_id))
    session.execute(sa.delete(_codes).where(_codes.c.user_id == user_id))
