"""What phones say of themselves after a sync: one row a phone, written over each time."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt
from sync.stores.tables import uuid


class PhoneHealth(Base):
    """The last word of a phone about itself; nothing of before is kept."""

    __tablename__ = "phone_health"

    device: Mapped[str] = mapped_column(uuid(), primary_key=True)
    synced_ms: Mapped[int] = mapped_column(BigInt)
    unsent: Mapped[int]
    photos_waiting: Mapped[int]
    app: Mapped[str | None] = mapped_column(sa.String(60))
    schema: Mapped[int]
