"""The records of people's rights: what somebody asks for, and what the office answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt, UTCDateTime
from app.core.records import P0, P1, P2, Record, synced
from app.privacy.rules import RIGHTS, STATES, WAYS
from sync.kinds import Rule
from sync.values import Choice, Identity, Moment, Text, Whole

ANSWER = "answer what somebody asks of his data / 答复个人信息权利请求"
WHO_SERVES = "know who serves there / 确定服务网格"
THREE_YEARS = "3 years after the answer"


def _asked(type_: Any, *, privacy: str = P1, **more: Any) -> Any:
    return synced(type_, privacy=privacy, purpose=ANSWER, retention=THREE_YEARS, **more)


def _noted(type_: Any, *, privacy: str = P1, **more: Any) -> Any:
    return _asked(type_, privacy=privacy, rule=Rule.SERVER, **more)


class SubjectRequest(Record):
    """What somebody asks of the data on him: taken down at the door, on the phone, or on paper."""

    __tablename__ = "subject_request"
    kind = "subject_request"

    household: Mapped[str | None] = _asked(
        Identity(), refers="household", follows=("grid",), index=True
    )
    # The household, or somebody in it; without it, the household.
    subject: Mapped[str | None] = _asked(Identity(), index=True)
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.OFFICE, privacy=P1, purpose=WHO_SERVES, index=True
    )
    right: Mapped[str | None] = _asked(Choice(RIGHTS), required=True)
    details: Mapped[str | None] = _asked(Text(500), privacy=P2, sealed=True)
    # Of a dead person's relative: what proof was seen.
    proof_note: Mapped[str | None] = _asked(Text(300), privacy=P2, sealed=True)
    came_by: Mapped[str | None] = _asked(Choice(WAYS), required=True, privacy=P0)
    received_at: Mapped[str | None] = _asked(Moment(), privacy=P0)
    target_at: Mapped[str | None] = _noted(Moment(), privacy=P0)
    due_at: Mapped[str | None] = _noted(Moment(), privacy=P0, index=True)
    state: Mapped[str | None] = _noted(Choice(STATES), privacy=P0, index=True)
    answer: Mapped[str | None] = _noted(Text(500), privacy=P2, sealed=True)
    answered_at: Mapped[str | None] = _noted(Moment(), privacy=P0, index=True)
    answered_by: Mapped[int | None] = _noted(Whole(1, 2**53))
    approved_by: Mapped[int | None] = _noted(Whole(1, 2**53))

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Requests come after the households they are about."""
        return 54


class SubjectAnswer(Base):
    """What one person proposes to answer; another decides. The file of a copy goes after a day."""

    __tablename__ = "subject_answer"
    __table_args__ = (sa.Index("ix_subject_answer_request", "request"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    request: Mapped[str] = mapped_column(sa.String(36))
    verdict: Mapped[str] = mapped_column(sa.String(10))
    # Sealed; a refusal says why.
    reason: Mapped[str | None] = mapped_column(sa.Text)
    approval: Mapped[str] = mapped_column(sa.String(36))
    asked_by: Mapped[int] = mapped_column(BigInt)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decided_by: Mapped[int | None] = mapped_column(BigInt)
    state: Mapped[str] = mapped_column(sa.String(10))
    size_bytes: Mapped[int | None] = mapped_column(BigInt)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)


class HandOver(Base):
    """Data that were given to somebody else: to whom, what for, which kinds, by what agreement."""

    __tablename__ = "hand_over"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"))
    recipient: Mapped[str] = mapped_column(sa.String(120))
    purpose: Mapped[str] = mapped_column(sa.String(200))
    kinds: Mapped[list[str]] = mapped_column(sa.JSON)
    agreement: Mapped[str] = mapped_column(sa.String(60))
    # On each person's separate consent, or by a duty of law that is named.
    basis: Mapped[str] = mapped_column(sa.String(120))
    people: Mapped[int] = mapped_column(BigInt)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    made_by: Mapped[int] = mapped_column(BigInt)
