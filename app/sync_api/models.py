"""What the server counts about copies on phones."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.database import Base, BigInt
from sync.stores.tables import uuid


class DigestAlarm(Base):
    """How often the digest of a device's copy was wrong; there should be no such row."""

    __tablename__ = "digest_alarm"

    device: Mapped[str] = mapped_column(uuid(), primary_key=True)
    alarms: Mapped[int] = mapped_column(BigInt)
    buckets: Mapped[int] = mapped_column(BigInt)
    last_ms: Mapped[int] = mapped_column(BigInt)


def upsert(session: Session, row: dict[str, Any]) -> sa.Executable:
    """Return the statement that counts one more alarm of a device."""
    own = session.get_bind().dialect.name == "sqlite"
    insert = (sqlite.insert if own else postgresql.insert)(DigestAlarm).values(**row)
    new = insert.excluded
    counted = {
        "alarms": DigestAlarm.alarms + new.alarms, "buckets": DigestAlarm.buckets + new.buckets,
        "last_ms": new.last_ms,
    }  # fmt: skip
    return insert.on_conflict_do_update(index_elements=["device"], set_=counted)
