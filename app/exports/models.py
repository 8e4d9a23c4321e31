"""The table of exports: who asked for what, how far it is, and until when it lies here."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt, UTCDateTime

WAITING, QUEUED, MAKING, READY = "waiting", "queued", "making", "ready"
REFUSED, FAILED, EXPIRED = "refused", "failed", "expired"
STATES = (WAITING, QUEUED, MAKING, READY, REFUSED, FAILED, EXPIRED)


class Export(Base):
    """One export; its bytes are sealed and go after a day, this row stays as the account of it."""

    __tablename__ = "export"
    __table_args__ = (
        sa.Index("ix_export_user_id", "user_id"),
        sa.Index("ix_export_state_expires_at", "state", "expires_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInt)
    layer: Mapped[str] = mapped_column(sa.String(20))
    format: Mapped[str] = mapped_column(sa.String(10))
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"))
    personal: Mapped[bool]
    reason: Mapped[str] = mapped_column(sa.String(200))
    # The second person's word; personal exports only.
    approval: Mapped[str | None] = mapped_column(sa.String(36))
    state: Mapped[str] = mapped_column(sa.String(10))
    fault: Mapped[str | None] = mapped_column(sa.String(40))
    rows_done: Mapped[int] = mapped_column(default=0, server_default="0")
    rows_total: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInt)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # When the bytes go.
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


def key_of(export: Export) -> str:
    """Return the key under which the bytes lie."""
    return f"exports/{export.id}.{export.format}"
