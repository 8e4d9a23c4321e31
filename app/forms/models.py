"""The table of forms: every version of every form, as it was written."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt, UTCDateTime

DRAFT, PUBLISHED, RETIRED = STATES = ("draft", "published", "retired")


class FormVersion(Base):
    """One version of a form; once published its definition never changes."""

    __tablename__ = "form_version"

    key: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(sa.String(10))
    definition: Mapped[str] = mapped_column(sa.Text)
    # SHA-256 of the definition; also its ETag.
    digest: Mapped[str] = mapped_column(sa.String(64))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_by: Mapped[int | None] = mapped_column(BigInt)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    published_by: Mapped[int | None] = mapped_column(BigInt)
    retired_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    retired_by: Mapped[int | None] = mapped_column(BigInt)
