"""Write down security events and reads of personal data, in the transaction they belong to."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.database import Base, BigInt, UTCDateTime


class AuditEvent(Base):
    """One event: who did what to what, and why; never personal values."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    event: Mapped[str] = mapped_column(sa.String(60), index=True)
    user_id: Mapped[int | None] = mapped_column(BigInt, index=True)
    subject: Mapped[str | None] = mapped_column(sa.String(80))
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)


def record(
    session: Session, event: str, *, user_id: int | None, subject: str | None = None, **details: Any
) -> None:
    """Write an event down; it stands or falls with the caller's transaction."""
    session.execute(
        sa.insert(AuditEvent).values(
            at=datetime.now(UTC), event=event, user_id=user_id, subject=subject, details=details
        )
    )
