"""The tables of the chain: one link for each audit row, and how far the sealer has come."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt


class AuditLink(Base):
    """The place of one audit row in the chain; never changed, and there when the row is retired."""

    __tablename__ = "audit_link"

    n: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(BigInt, unique=True)
    # The hash of the row, so that the chain still holds when the row has been retired.
    content: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))
    # False: the row did not bear the server's code when it was sealed.
    sound: Mapped[bool]
    sort: Mapped[str] = mapped_column(sa.String(10))


class AuditProgress(Base):
    """How far the sealer has come: where to look, no evidence; it is found again when it is lost.

    Of the ids below ``high`` some are not there: rolled back, or of transactions that have not
    been committed yet. Those are ``gaps``, looked for again until they are old.
    """

    __tablename__ = "audit_progress"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    high: Mapped[int] = mapped_column(BigInt)
    # By id: since when it has been missed, in ms.
    gaps: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
