"""Sign in to the office: a password, then a one-time code of the second factor.

Nobody works in the office with a password alone. Whoever has no second factor yet gets a session
in which he can only set one up; whose password is known to somebody else, one in which he can
only choose another. Nothing is held in the database while a password is checked.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from app.core import audit
from app.core.database import Database, Mode
from app.core.identifiers import new_id
from app.identity import attempts, credentials, factors, rules, sessions
from app.identity.attempts import Knock
from app.identity.credentials import RefreshToken
from app.identity.gatehouse import Gatehouse
from app.identity.models import SecondFactor, User
from app.identity.sessions import Tokens, normal_login
from sync.errors import Problem


@dataclass(frozen=True, slots=True)
class SignIn:
    """What somebody shows at the door of the office.

    Attributes:
        code: of the second factor, or for recovery.
        known: what the computer kept from a sign-in before.
    """

    login: str
    password: str
    code: str | None = None
    known: str | None = None


@dataclass(frozen=True, slots=True)
class _Account:
    """What is needed to judge a sign-in; of nobody there is no hash."""

    user_id: int
    password_hash: str | None
    password_until: datetime | None
    has_factor: bool


def sign_in(
    database: Database, house: Gatehouse, shown: SignIn, *, address: str, now: datetime
) -> Tokens:
    """Open an office session.

    Raises:
        Problem: 401 ``wrong_credentials``, ``temporary_password_expired``,
            ``second_factor_needed``, ``second_factor_wrong`` or ``second_factor_used``; 429 after
            many failures.
    """
    login = normal_login(shown.login)
    knock = attempts.at_login(house.keys, login, address, shown.known)
    attempts.enter(database, knock, now)
    account = _account(database, login)
    audit.concerning(_subject(house, account, login), account.user_id or None)
    if not _is_right(database, house, account, shown.password, knock):
        raise Problem(401, "wrong_credentials")
    with database.transaction(Mode.WRITE) as session:
        attempts.passed(session, knock)
    if account.password_until is not None and account.password_until <= now:
        raise Problem(401, "temporary_password_expired")
    code_knock = None
    if account.has_factor:
        if shown.code is None:
            raise Problem(401, "second_factor_needed", fields=["code"])
        code_knock = attempts.at_code(house.keys, account.user_id, login, shown.known)
        attempts.enter(database, code_knock, now)
    return _opened(database, house, account, shown, code_knock, now)


def _subject(house: Gatehouse, account: _Account, login: str) -> str:
    """Return whom a refusal is about; a login that nobody has may be anybody's name."""
    if account.user_id:
        return f"user:{account.user_id}"
    return f"login:{house.cipher.blind(login, 'user.login')}"


def _account(database: Database, login: str) -> _Account:
    query = (
        sa.select(User.id, User.password_hash, User.password_until, SecondFactor.confirmed_at)
        .outerjoin(SecondFactor, SecondFactor.user_id == User.id)
        .where(User.login == login, User.active)
    )
    with database.transaction(Mode.LOOK) as session:
        row = session.execute(query).first()
    if row is None:
        return _Account(0, None, None, has_factor=False)
    return _Account(row.id, row.password_hash, row.password_until, row.confirmed_at is not None)


def _is_right(
    database: Database, house: Gatehouse, account: _Account, password: str, knock: Knock
) -> bool:
    try:
        return house.passwords.check(account.password_hash, password)
    except Problem:
        attempts.undecided(database, knock)
        raise


def _opened(
    database: Database,
    house: Gatehouse,
    account: _Account,
    shown: SignIn,
    knock: Knock | None,
    now: datetime,
) -> Tokens:
    """Take the code and open the session, in one transaction."""
    assert account.password_hash is not None, "without a password nobody comes so far"
    outdated = house.passwords.is_outdated(account.password_hash)
    renewed = house.passwords.hash(shown.password) if outdated else None
    with database.transaction(Mode.WRITE) as session:
        user = session.scalars(
            sa.select(User).where(User.id == account.user_id).with_for_update()
        ).one()
        # He may have left, or had his password changed, while it was checked.
        if not user.active or user.password_hash != account.password_hash:
            raise Problem(401, "wrong_credentials")
        if knock is not None:
            factors.take(session, house, user_id=user.id, code=shown.code or "", now=now)
            attempts.passed(session, knock)
        if renewed:
            session.execute(sa.update(User).where(User.id == user.id).values(password_hash=renewed))
        first = RefreshToken(new_id(), 0, secrets.token_bytes(credentials.SECRET_BYTES))
        tokens = sessions.open_session(
            session, house, user, first, enrolment_id=None, now=now, has_factor=knock is not None
        )
        audit.record(session, "auth.sign_in", user_id=user.id,
                     subject=f"session:{first.session_id}")  # fmt: skip
        owes = rules.what_is_owed(user.password_until, now if knock is not None else None)
    return replace(tokens, owes=owes, known=_known(house, shown))


def _known(house: Gatehouse, shown: SignIn) -> str:
    """Return what this computer may show the next time; the same again if it has it already."""
    account = normal_login(shown.login)
    if shown.known and credentials.read_known(shown.known, account, house.keys):
        return shown.known
    nonce = secrets.token_bytes(credentials.NONCE_BYTES)
    return credentials.known_computer(nonce, account, house.keys)
