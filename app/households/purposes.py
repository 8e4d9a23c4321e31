"""Which purposes may be asked about now, and from which notice on an answer counts.

A row is there once the office has decided about a purpose; without one it stands as it was
shipped: open, answered under any notice. Purposes of sensitive data are shipped closed, and are
opened by two persons who name the impact assessment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import audit
from app.core.database import Base, BigInt, UTCDateTime, insert_into, table_of
from app.households.consents import HEALTH, notices
from sync.gate import Work
from sync.grounds import PURPOSE

SENSITIVE_PURPOSES = frozenset({HEALTH})
"""What is held for them is of class P3; a house test finds another one."""
_CACHED = "consent_purposes"


class PurposeRow(Base):
    """What the office has decided about one purpose."""

    __tablename__ = "consent_purpose"

    purpose: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    # Answers under older notices do not count any more: what they were told has changed.
    from_notice: Mapped[int] = mapped_column(default=1, server_default="1")
    opened_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    opened_by: Mapped[int | None] = mapped_column(BigInt)
    # The impact assessment: its number and date.
    assessment: Mapped[str | None] = mapped_column(sa.String(60))
    assessed_on: Mapped[date | None] = mapped_column(sa.Date)


class ConsentNotice(Base):
    """A notice that the office has published after the one that was shipped."""

    __tablename__ = "consent_notice"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    starts: Mapped[date] = mapped_column("from", sa.Date)
    zh: Mapped[str] = mapped_column(sa.String(2000))
    en: Mapped[str] = mapped_column(sa.String(2000))
    # The purposes whose consents must be asked for again: purpose, way or kinds have changed.
    renews: Mapped[list[str]] = mapped_column(sa.JSON)
    published_at: Mapped[datetime] = mapped_column(UTCDateTime)
    published_by: Mapped[int] = mapped_column(BigInt)


@dataclass(frozen=True, slots=True)
class Purposes:
    """How the purposes stand.

    Attributes:
        from_notice: the oldest notice whose answers count, where that is not the first.
        opened: the sensitive purposes that may be used.
        latest: the newest notice.
    """

    from_notice: Mapping[str, int] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()
    latest: int = 0

    def closed(self, purpose: str) -> bool:
        """Tell whether a purpose may not be used at all."""
        return purpose in SENSITIVE_PURPOSES and purpose not in self.opened

    def counts(self, consent: Mapping[str, Any]) -> bool:
        """Tell whether a consent was given under a notice that still says what is done."""
        purpose = str(consent.get(PURPOSE))
        told = consent.get("notice_version")
        return isinstance(told, int) and told >= self.from_notice.get(purpose, 1)


_purposes, _notices = table_of(PurposeRow), table_of(ConsentNotice)
_ALL = (
    sa.select(_purposes.c.purpose, _purposes.c.from_notice, _purposes.c.opened_at)
    .union_all(sa.select(sa.literal(""), _notices.c.version, sa.null()))
)  # fmt: skip


def purposes_of(session: Session) -> Purposes:
    """Read how the purposes stand: one statement, once in a transaction."""
    known: Purposes | None = session.info.get(_CACHED)
    if known is not None:
        return known
    rows = session.connection().execute(_ALL).all()
    versions = [row.from_notice for row in rows if not row.purpose]
    found = Purposes(
        {row.purpose: row.from_notice for row in rows if row.purpose},
        frozenset(row.purpose for row in rows if row.purpose and row.opened_at is not None),
        max([*notices(), *versions]),
    )
    session.info[_CACHED] = found
    return found


def forget(session: Session) -> None:
    """Forget what was read: something has just been decided."""
    session.info.pop(_CACHED, None)


def subject_of(purpose: str) -> str:
    """Return how an approval and the audit log name a purpose."""
    return f"purpose:{purpose}"


def purpose_of(subject: str) -> str:
    """Return the purpose that an approval is about."""
    return subject.removeprefix("purpose:")


def open_purpose(
    session: Session,
    purpose: str,
    *,
    by: int,
    now: datetime,
    assessment: str | None = None,
    assessed_on: date | None = None,
) -> None:
    """Open a purpose and write it down.

    Args:
        assessment, assessed_on: where they have not been named before.
    """
    opened: dict[str, Any] = {"opened_at": now, "opened_by": by}
    if assessment:
        opened |= {"assessment": assessment, "assessed_on": assessed_on}
    insertion = insert_into(session, _purposes).values(purpose=purpose, **opened)
    session.execute(insertion.on_conflict_do_update(index_elements=["purpose"], set_=opened))
    forget(session)
    audit.record(session, "privacy.purpose_opened", user_id=by, subject=subject_of(purpose))


def needed_by(session: Session, works: Sequence[Work]) -> Purposes:
    """Return how the purposes stand, read only when an edit of the batch rests on one."""
    return purposes_of(session) if any(map(_rests, works)) else Purposes()


def _rests(work: Work) -> bool:
    if work.kind.consents:
        return work.edit.op == "create"
    return any(work.edit.set.get(one.name) is not None for one in work.kind.by_consent)


def all_notices(session: Session) -> list[dict[str, Any]]:
    """Return the shipped notices and those published since, by version."""
    shipped = [{**row, "version": version} for version, row in sorted(notices().items())]
    rows = session.scalars(sa.select(ConsentNotice).order_by(ConsentNotice.version)).all()
    return [*shipped, *({"version": one.version, "from": one.starts.isoformat(), "zh": one.zh,
                         "en": one.en} for one in rows)]  # fmt: skip
