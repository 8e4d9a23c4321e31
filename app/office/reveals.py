"""Break the glass: open one record for a stated reason, to one session, for fifteen minutes.

Cells of the authorisation table with an ``r`` answer that a reason is needed. Whoever states one
opens that record, and no other, on the session with which he asks. Opening and every use are
written down with the reason; the one who asked can end it before, and the auditor sees all.

What is sensitive is also open while a case lies on somebody's desk: a task at that household
which another has assigned to him. Features that hand out cases register how to find them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import audit
from app.core.actor import Actor
from app.core.database import Base, BigInt, UTCDateTime, begin_writing, table_of
from app.core.identifiers import new_id
from app.core.pagination import after
from sync.errors import Problem

OPEN_FOR = timedelta(minutes=15)
CASES = "wangge_cases"


class Reveal(Base):
    """One record that is open to one session for a reason."""

    __tablename__ = "reveal"
    __table_args__ = (
        sa.Index("ix_reveal_session_id_record", "session_id", "record"),
        sa.Index("ix_reveal_user_id", "user_id"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    session_id: Mapped[str] = mapped_column(sa.String(36))
    user_id: Mapped[int] = mapped_column(BigInt)
    kind: Mapped[str] = mapped_column(sa.String(40))
    record: Mapped[str] = mapped_column(sa.String(36))
    # What may be done with it; of a photo, to read its facts, see it, and get its bytes.
    action: Mapped[str] = mapped_column(sa.String(40))
    reason: Mapped[str] = mapped_column(sa.String(200))
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime)
    until: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Of a minor: who agreed.
    approved_by: Mapped[int | None] = mapped_column(BigInt)
    uses: Mapped[int] = mapped_column(default=0, server_default="0")


_reveals = table_of(Reveal)


@dataclass(frozen=True, slots=True)
class Glass:
    """What is to be seen behind the glass.

    Attributes:
        action: of the authorisation table, for which a reason is needed.
    """

    kind: str
    record: str
    action: str


@dataclass(frozen=True, slots=True)
class Case:
    """A task at a household that somebody has on his desk, and who gave it to him."""

    name: str
    given_by: int


FindCase = Callable[[Session, int, str], Case | None]
"""Find a case of a user at a household."""


def register_cases(app: Flask, find: FindCase) -> None:
    """Let a feature say which cases lie on somebody's desk."""
    app.extensions.setdefault(CASES, []).append(find)


def case_of(session: Session, user_id: int, household: str | None) -> Case | None:
    """Return a case of a user at a household, None when he has none there."""
    finders: Sequence[FindCase] = current_app.extensions.get(CASES, ())
    found = (find(session, user_id, household) for find in finders if household)
    return next((case for case in found if case is not None), None)


def break_glass(
    session: Session,
    actor: Actor,
    glass: Glass,
    reason: str,
    now: datetime,
    *,
    approved_by: int | None = None,
) -> Reveal:
    """Open a record to this session; asked again with the same words, the same one stays open."""
    assert actor.session_id is not None, "whoever asks over HTTP has a session"
    known = _open_one(session, actor, glass, now)
    if known is not None and known.reason == reason and known.approved_by == approved_by:
        return known
    reveal = Reveal(
        id=new_id(), session_id=actor.session_id, user_id=actor.user_id, kind=glass.kind,
        record=glass.record, action=glass.action, reason=reason, opened_at=now,
        until=now + OPEN_FOR, approved_by=approved_by, uses=0,
    )  # fmt: skip
    session.add(reveal)
    session.flush()
    audit.record(
        session, "reveal.opened", user_id=actor.user_id, subject=f"{glass.kind}:{glass.record}",
        action=glass.action, reason=reason, reveal=reveal.id, approved_by=approved_by,
    )  # fmt: skip
    return reveal


def use(session: Session, actor: Actor, glass: Glass, *, approved: bool = False) -> bool:
    """Tell whether a record is open to this session; if it is, the use is written down.

    Args:
        approved: only what a second person has agreed to counts.
    """
    found = _open_one(session, actor, glass, datetime.now(UTC))
    if found is None or (approved and found.approved_by is None):
        return False
    begin_writing(session)
    counted = sa.update(_reveals).where(_reveals.c.id == found.id)
    session.execute(counted.values(uses=_reveals.c.uses + 1))
    audit.record(
        session, "reveal.used", user_id=actor.user_id, subject=f"{glass.kind}:{glass.record}",
        action=glass.action, reason=found.reason, reveal=found.id, approved_by=found.approved_by,
    )  # fmt: skip
    return True


def note_case(session: Session, actor: Actor, glass: Glass, case: Case) -> None:
    """Write down that a record was read for a case, and who had given it."""
    audit.record(
        session, "reveal.case", user_id=actor.user_id, subject=f"{glass.kind}:{glass.record}",
        action=glass.action, case=case.name, approved_by=case.given_by,
    )  # fmt: skip


def _open_one(session: Session, actor: Actor, glass: Glass, now: datetime) -> Any:
    """Return the latest reveal that is open; one of a record serves all it was opened for."""
    resource = glass.action.partition(".")[0]
    return session.execute(
        sa.select(_reveals)
        .where(
            _reveals.c.session_id == actor.session_id, _reveals.c.record == glass.record,
            _reveals.c.kind == glass.kind, _reveals.c.user_id == actor.user_id,
            _reveals.c.action.startswith(f"{resource}.", autoescape=True),
            _reveals.c.ended_at.is_(None), _reveals.c.until > now,
        )
        .order_by(_reveals.c.id.desc())
        .limit(1)
    ).first()  # fmt: skip


def listed(session: Session, *, of: int | None, limit: int, cursor: str | None) -> Sequence[Reveal]:
    """Return reveals, the oldest first, one more than a page holds.

    Args:
        of: whose; None for everybody's.
    """
    whose = sa.true() if of is None else Reveal.user_id == of
    return session.scalars(
        sa.select(Reveal)
        .where(whose, after([Reveal.id], cursor))
        .order_by(Reveal.id)
        .limit(limit + 1)
    ).all()


def end(session: Session, actor: Actor, name: str, now: datetime) -> None:
    """Close a record again before its time; a second time changes nothing.

    Raises:
        Problem: 404 for anybody else's.
    """
    reveal = session.get(Reveal, name)
    if reveal is None or reveal.user_id != actor.user_id:
        raise Problem(404, "not_found")
    if reveal.ended_at is None and reveal.until > now:
        reveal.ended_at = now
        session.flush()
        audit.record(session, "reveal.ended", user_id=actor.user_id,
                     subject=f"{reveal.kind}:{reveal.record}", reveal=name)  # fmt: skip
