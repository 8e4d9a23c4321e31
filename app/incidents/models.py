"""The record of an incident, and the categories (data/incident_categories.csv)."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base
from app.core.evidence import asked_from
from app.core.places import near
from app.core.records import P0, P1, P2, Record, synced
from app.incidents.rules import ORDINARY_RANK, STATES, URGENT_PRIORITY, URGENT_RANK, WORKFLOW
from sync.kinds import Rule
from sync.values import Choice, Identity, Moment, Position, Text, Whole

HANDLE = "have it dealt with / 办理事件"
PLACE = "find the place / 到达现场"
PROOF = "know which photos to await / 掌握应到照片"
SETTLED_WITHIN_M = 50.0


class IncidentCategory(Base):
    """What workers report: two levels, with priority and time limits."""

    __tablename__ = "incident_category"

    code: Mapped[str] = mapped_column(sa.String(4), primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(sa.String(4))
    level: Mapped[int]
    name_zh: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(80))
    priority: Mapped[int | None]
    accept_minutes: Mapped[int | None]
    handle_hours: Mapped[int | None]
    start_level: Mapped[str | None] = mapped_column(sa.String(10))
    escalate_after_hours: Mapped[int | None]
    sensitivity: Mapped[int | None]
    photo: Mapped[str | None] = mapped_column(sa.String(10))
    emergency_call: Mapped[str | None] = mapped_column(sa.String(10))
    gbt30428_class: Mapped[str | None] = mapped_column(sa.String(4))


class Incident(Record):
    """Something that somebody should deal with, at a place."""

    __tablename__ = "incident"
    kind = "incident"
    upcasters = (asked_from("reported"),)
    workflow = WORKFLOW
    moved_by = frozenset({"grid", "point"})

    category: Mapped[str | None] = synced(
        Text(4, 4), required=True, privacy=P0, purpose=HANDLE, index=True
    )
    text: Mapped[str | None] = synced(
        Text(2000), rule=Rule.TEXT, required=True, privacy=P2, purpose=HANDLE
    )
    point: Mapped[str | None] = synced(
        Position(), rule=Rule.OPEN, group="place", privacy=P1, purpose=PLACE
    )
    accuracy_m: Mapped[int | None] = synced(
        Whole(0, 5000), rule=Rule.OPEN, group="place", privacy=P1, purpose=PLACE
    )
    point_source: Mapped[str | None] = synced(
        Choice(("gps", "map", "office")), rule=Rule.OPEN, group="place", privacy=P1, purpose=PLACE
    )
    address_text: Mapped[str | None] = synced(Text(120), privacy=P1, purpose=PLACE)
    grid: Mapped[int | None] = synced(Whole(1, 2**53), rule=Rule.OFFICE, privacy=P0, purpose=HANDLE)
    grid_distance_m: Mapped[int | None] = synced(
        Whole(0, 5000), rule=Rule.SERVER, privacy=P0, purpose=HANDLE
    )
    state: Mapped[str | None] = synced(
        Choice(STATES),
        rule=Rule.WORKFLOW,
        group="progress",
        required=True,
        privacy=P0,
        purpose=HANDLE,
    )
    round: Mapped[int | None] = synced(
        Whole(0, 1000), rule=Rule.WORKFLOW, group="progress", privacy=P0, purpose=HANDLE
    )
    state_reason: Mapped[str | None] = synced(Text(500), privacy=P1, purpose=HANDLE)
    result_text: Mapped[str | None] = synced(Text(2000), rule=Rule.TEXT, privacy=P2, purpose=HANDLE)
    priority: Mapped[int | None] = synced(Whole(1, 4), rule=Rule.SERVER, privacy=P0, purpose=HANDLE)
    reporter: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=HANDLE, index=True
    )
    household: Mapped[str | None] = synced(
        Identity(), refers="household", follows=("grid",), index=True, privacy=P1,
        purpose="know whose matter it is / 关联住户",
    )  # fmt: skip
    photo_count: Mapped[int | None] = synced(Whole(0, 20), privacy=P0, purpose=PROOF)
    no_photo_reason: Mapped[str | None] = synced(Text(200), privacy=P1, purpose=PROOF)
    seen_at: Mapped[str | None] = synced(Moment(), privacy=P0, purpose=HANDLE)
    reported_at: Mapped[str | None] = synced(Moment(), rule=Rule.SERVER, privacy=P0, purpose=HANDLE)

    __table_args__ = (
        sa.Index("ix_incident_grid_state", "grid", "state"),
        # Numbers are counted in the index alone, grid by grid.
        sa.Index("ix_incident_grid_reported", "grid", "deleted", "reported_at"),
    )

    @staticmethod
    def rank_of(values: Mapping[str, Any]) -> int:
        """Urgent incidents come first of all."""
        return URGENT_RANK if values.get("priority") == URGENT_PRIORITY else ORDINARY_RANK

    @staticmethod
    def settled(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Two positions within 50 m are the same place."""
        return near(one.get("point"), other.get("point"), SETTLED_WITHIN_M)
