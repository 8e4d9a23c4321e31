"""Which incidents citizens have reported, under the numbers that were given to them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, UTCDateTime
from sync.stores.tables import uuid


class CitizenRequest(Base):
    """One request of a citizen; its number tells nothing, and nothing tells who has it."""

    __tablename__ = "citizen_request"
    __table_args__ = (
        sa.Index("ix_citizen_request_requested_at", "requested_at"),
        sa.Index("ix_citizen_request_incident", "incident", unique=True),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    incident: Mapped[str] = mapped_column(uuid())
    service_code: Mapped[str] = mapped_column(sa.String(4))
    requested_at: Mapped[datetime] = mapped_column(UTCDateTime)
