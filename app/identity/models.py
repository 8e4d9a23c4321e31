"""The tables of identity: people, their posts, enrolled phones, one-time codes and sessions."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.actor import ROLES
from app.core.database import Base, BigInt, UTCDateTime

PERMANENT, COVER = "permanent", "cover"
MODES = (PERMANENT, COVER)


def _one_of(column: str, words: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"{column} IN ({listed})"


class User(Base):
    """A person who signs in with a password, or serves with an enrolled phone, or both."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    # None: this person has no office access.
    login: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    # None: a password of his own. Else somebody else knows it: until then it opens a session in
    # which he may only choose another one.
    password_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The telephone number is sealed; the blind index finds it without opening it.
    phone: Mapped[str | None] = mapped_column(sa.Text)
    phone_blind: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    active: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    created: Mapped[datetime] = mapped_column(UTCDateTime)
    # Since then he reads nothing; his phones may only hand in what he had done before.
    dismissed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Author and Idempotency-Key of the request that made it: a repeated request makes no second.
    made_key: Mapped[str | None] = mapped_column(sa.String(100), unique=True)


class Post(Base):
    """Who serves where, as what, from when to when."""

    __tablename__ = "post"
    __table_args__ = (
        sa.CheckConstraint(_one_of("role", ROLES), name="role"),
        sa.CheckConstraint(_one_of("mode", MODES), name="mode"),
        sa.CheckConstraint("ends IS NULL OR ends >= starts", name="ends"),
        sa.Index("ix_post_user_id", "user_id"),
        sa.Index("ix_post_area_id_role", "area_id", "role"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    role: Mapped[str] = mapped_column(sa.String(2))
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"))
    starts: Mapped[datetime] = mapped_column(UTCDateTime)
    # The first moment at which it is no longer held.
    ends: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(sa.String(200), default="", server_default="")
    mode: Mapped[str] = mapped_column(
        sa.String(10), default="permanent", server_default="permanent"
    )
    # Of a cover: whose work it is; None when it is everybody's of the area.
    covers: Mapped[int | None] = mapped_column(BigInt)
    # None: made by the command line or the demo.
    made_by: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    made_key: Mapped[str | None] = mapped_column(sa.String(100), unique=True)


class Enrolment(Base):
    """A phone that has been given to a person, with the key that only this phone holds."""

    __tablename__ = "enrolment"
    __table_args__ = (sa.Index("ix_enrolment_user_id", "user_id"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    # Made by the app when it is installed; it says nothing about the phone itself.
    install_id: Mapped[str] = mapped_column(sa.String(64))
    model: Mapped[str] = mapped_column(sa.String(100))
    app: Mapped[str] = mapped_column(sa.String(40))
    # SubjectPublicKeyInfo in DER, curve P-256.
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary)
    made: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    # The phone is told to erase what it holds at its next call.
    wipe_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Until then it may still send what it holds, and nothing else; then it is to erase itself.
    drain_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The phone's own word that it has, and how many edits it could not send before.
    wiped_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    wiped_unsent: Mapped[int | None]


class EnrolmentCode(Base):
    """A one-time code that turns a phone into somebody's phone; only its keyed hash is kept."""

    __tablename__ = "enrolment_code"

    hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"), index=True)
    made_by: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    made: Mapped[datetime] = mapped_column(UTCDateTime)
    expires: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The phone that used it, so that a repeated request gets its own answer again.
    enrolment_id: Mapped[str | None] = mapped_column(sa.ForeignKey("enrolment.id"))


class AuthSession(Base):
    """One signed-in person on one device: a family of refresh tokens, of which one is valid."""

    __tablename__ = "auth_session"
    __table_args__ = (
        sa.Index("ix_auth_session_user_id", "user_id"),
        sa.Index("ix_auth_session_enrolment_id", "enrolment_id"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    # None: an office session, opened with a password.
    enrolment_id: Mapped[str | None] = mapped_column(sa.ForeignKey("enrolment.id"))
    # How often the refresh token has been changed; a token of an earlier one is a copy.
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    refresh_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    previous_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    rotated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # The phone's time in its last proof, in milliseconds; each proof must be younger.
    proof_ms: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    made: Mapped[datetime] = mapped_column(UTCDateTime)
    idle_until: Mapped[datetime] = mapped_column(UTCDateTime)
    absolute_until: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_why: Mapped[str | None] = mapped_column(sa.String(20))
    # When the second factor was given: the device key of a phone, a one-time code in the office.
    # None: its person has none yet, and may only set one up.
    factor_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When it was last proved, with all factors, who holds it.
    proven_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SecondFactor(Base):
    """The secret of somebody's one-time codes; of two, one is in use and one waits."""

    __tablename__ = "second_factor"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"), primary_key=True)
    # Both are sealed. None: he has confirmed none yet.
    secret: Mapped[str | None] = mapped_column(sa.Text)
    pending: Mapped[str | None] = mapped_column(sa.Text)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The half minute of the last code that was taken; none of it or before is taken again.
    last_step: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")


class RecoveryCode(Base):
    """A code for the day on which the second factor is lost; only its keyed hash is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (sa.Index("ix_recovery_code_user_id", "user_id"),)

    hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Attempt(Base):
    """How often somebody failed lately at a credential door, counted for all processes."""

    __tablename__ = "attempt"

    # The keyed hash of door, account and network: no login and no address lies here.
    key: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    failures: Mapped[int]
    since: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    # Shut until then.
    until: Mapped[datetime | None] = mapped_column(UTCDateTime)
