"""The records of emergency campaigns: the order, what is entered under it, and its certificate."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.campaigns import rules
from app.core.database import Base, BigInt, UTCDateTime
from app.core.records import P0, P1, P2, Record, synced
from sync.kinds import Rule
from sync.stores.tables import uuid
from sync.values import Choice, Free, Identity, Listing, Moment, Phone, SetOf, Text, Whole

LEGAL = "legal basis / 法律依据"
CARE = "epidemic or disaster care / 应急服务"
GONE = "end of order + 30 days at most"
AREAS_MAX, PATHS_MAX = 50, 4_000


def _ordered(type_: Any, *, required: bool = False) -> Any:
    return synced(type_, rule=Rule.OFFICE, required=required, privacy=P0, purpose=LEGAL)


class EmergencyOrder(Record):
    """An order of a county: why, where, from when to when, and when all of it is destroyed."""

    __tablename__ = "emergency_order"
    kind = "emergency_order"
    moved_by = frozenset({"areas", "approved"})

    title: Mapped[str | None] = _ordered(Text(120, 1), required=True)
    basis: Mapped[str | None] = _ordered(Text(300, 1), required=True)
    purpose: Mapped[str | None] = _ordered(Text(500, 1), required=True)
    county: Mapped[int | None] = _ordered(Whole(1, 2**53), required=True)
    areas: Mapped[Any] = _ordered(Listing(Whole(1, 2**53), AREAS_MAX), required=True)
    asks: Mapped[Any] = _ordered(
        SetOf(Choice(rules.ENTRY_FIELDS), len(rules.ENTRY_FIELDS)), required=True
    )
    form: Mapped[str | None] = _ordered(Text(40, 1))
    form_version: Mapped[int | None] = synced(
        Whole(1, 2**31), rule=Rule.SERVER, privacy=P0, purpose=LEGAL
    )
    starts: Mapped[str | None] = _ordered(Moment(), required=True)
    ends: Mapped[str | None] = _ordered(Moment(), required=True)
    destroy_by: Mapped[str | None] = _ordered(Moment(), required=True)
    approved: Mapped[str | None] = _ordered(Choice(("yes",)))
    state: Mapped[str | None] = synced(
        Choice(rules.STATES), rule=Rule.SERVER, privacy=P0, purpose=LEGAL
    )
    paths: Mapped[str | None] = synced(Text(PATHS_MAX), rule=Rule.SERVER, privacy=P0, purpose=LEGAL)
    proposed_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=LEGAL
    )
    approved_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=LEGAL
    )

    __table_args__ = (sa.Index("ix_emergency_order_destroy_by", "destroy_by"),)

    @staticmethod
    def scopes_of(values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the scopes of its areas, once a second person has approved it."""
        return rules.scopes_of(values)

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Orders come with the emergency notices, before what is entered under them."""
        return rules.ORDER_RANK


class EmergencyEntry(Record):
    """What a worker enters under an order; it can exist under no other circumstances."""

    __tablename__ = "emergency_entry"
    kind = "emergency_entry"

    order_id: Mapped[str | None] = synced(
        Identity(), refers="emergency_order", required=True, index=True, privacy=P1,
        purpose=LEGAL, retention=GONE,
    )  # fmt: skip
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.OFFICE, required=True, index=True, privacy=P1, purpose=CARE,
        retention=GONE,
    )  # fmt: skip
    count_arrived: Mapped[str | None] = synced(
        Whole(0, 10_000), sealed=True, privacy=P2, purpose=CARE, retention=GONE
    )
    from_region: Mapped[str | None] = synced(
        Text(6, 6, r"\d{6}"), sealed=True, privacy=P2, purpose=CARE, retention=GONE
    )
    arrived_on: Mapped[str | None] = synced(
        Text(10, 10, r"\d{4}-\d{2}-\d{2}"), sealed=True, privacy=P2, purpose=CARE, retention=GONE
    )
    contact_phone: Mapped[str | None] = synced(
        Phone(), sealed=True, privacy=P2, purpose=CARE, retention=GONE
    )
    answers: Mapped[str | None] = synced(
        Free(), sealed=True, privacy=P2, purpose=CARE, retention=GONE
    )

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Entries come after the tasks that ask for them."""
        return rules.ENTRY_RANK


class CampaignPlan(Base):
    """The notice and the tasks that an order brings when it is approved."""

    __tablename__ = "campaign_plan"

    order_id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    notice: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    task: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


TASKS = "task_batch"
"""The kind of the part that is the batch of an order's tasks: no record, it goes with them."""


class CampaignPart(Base):
    """A record that an order has brought, to be destroyed with it."""

    __tablename__ = "campaign_part"
    __table_args__ = (sa.Index("ix_campaign_part_order_id", "order_id"),)

    kind: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    record: Mapped[str] = mapped_column(uuid(), primary_key=True)
    order_id: Mapped[str] = mapped_column(uuid())


class CampaignTally(Base):
    """What a destruction has counted so far; gone when the certificate is written."""

    __tablename__ = "campaign_tally"

    order_id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    # 0: what lies in no area.
    area_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    records: Mapped[int] = mapped_column(BigInt)
    people: Mapped[int] = mapped_column(BigInt)


class DestructionCertificate(Base):
    """What was destroyed when, under which order; the numbers that stay."""

    __tablename__ = "destruction_certificate"

    order_id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    county: Mapped[int] = mapped_column(BigInt, index=True)
    title: Mapped[str] = mapped_column(sa.String(120))
    basis: Mapped[str] = mapped_column(sa.String(300))
    purpose: Mapped[str] = mapped_column(sa.String(500))
    starts: Mapped[datetime] = mapped_column(UTCDateTime)
    ends: Mapped[datetime] = mapped_column(UTCDateTime)
    destroy_by: Mapped[datetime] = mapped_column(UTCDateTime)
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Numbers by area and by kind, those below five left out.
    counts: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    # Of all of the above, so that a changed certificate is noticed.
    sha256: Mapped[str | None] = mapped_column(sa.String(64))
