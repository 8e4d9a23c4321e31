"""The numbers that stand for the cursors of phones whose clients cannot keep a cursor."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt
from sync.stores.tables import uuid


class FaceCursor(Base):
    """One number handed to one device for one face, and what it stands for.

    Attributes:
        cursor: the engine's cursor; None when the number stands for nothing but a new start.
        handed_ms: when the number was handed out, by the server's clock.
        seen_ms: unsent work that this number's round may bring rests on what was handed out then.
        held: rounds for which removals have been held back.
        pushed: whether a push has come with this number.
        again: records to send once more, as JSON ``[[kind, id], …]``.
    """

    __tablename__ = "face_cursor"

    device: Mapped[str] = mapped_column(uuid(), primary_key=True)
    face: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    cursor: Mapped[str | None] = mapped_column(sa.Text)
    handed_ms: Mapped[int] = mapped_column(BigInt)
    seen_ms: Mapped[int] = mapped_column(BigInt)
    held: Mapped[int] = mapped_column(sa.SmallInteger)
    pushed: Mapped[bool]
    again: Mapped[str] = mapped_column(sa.Text)
