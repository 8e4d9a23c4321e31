"""The record of an incident, and the categories (data/incident_categories.csv)."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base
from app.core.evidence import asked_from
from app.core.places import near
from app.core.records import P0, P1, P2, Record, synced
from app.incidents.moves import act_names
from app.incidents.rules import (
    CHOSEN_CLOSE_KINDS,
    CLOSE_KINDS,
    EXTENSIONS,
    LEVELS,
    ORDINARY_RANK,
    PARTIES,
    STATES,
    URGENT_PRIORITY,
    URGENT_RANK,
    WORKFLOW,
)
from sync.kinds import Rule
from sync.values import Choice, Identity, Listing, Moment, Position, Text, Truth, Whole

HANDLE = "have it dealt with / 办理事件"
PLACE = "find the place / 到达现场"
PROOF = "know which photos to await / 掌握应到照片"
CLOCK = "keep to the time limits / 掌握办理时限"
TRAIL = "know who took it on, when / 掌握办理过程"
RESULT = "know how it ended / 了解办理结果"
ID = Whole(1, 2**53)
SETTLED_WITHIN_M = 50.0
REPORTER_SHOWN_TO = "incident.close"
"""Who may close a case may know who reported it; handlers need not."""


def stamp(type_: Any, purpose: str = TRAIL, *, group: str | None = "progress", **more: Any) -> Any:
    """Declare a field that the server writes with a step."""
    return synced(type_, rule=Rule.SERVER, group=group, privacy=more.pop("privacy", P0),
                  purpose=purpose, **more)  # fmt: skip


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
    self_handling: Mapped[bool | None]


class IncidentLimit(Base):
    """The time limits of an area and all below it, where they are not those of the categories."""

    __tablename__ = "incident_limit"

    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    # A category, a group of them (two digits), or empty for all.
    category: Mapped[str] = mapped_column(sa.String(4), primary_key=True)
    verify_minutes: Mapped[int | None]
    sign_minutes: Mapped[int | None]
    handle_hours: Mapped[int | None]
    lift_after_hours: Mapped[int | None]


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
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=HANDLE, index=True,
        shown_to=REPORTER_SHOWN_TO,
    )  # fmt: skip
    household: Mapped[str | None] = synced(
        Identity(), refers="household", follows=("grid",), index=True, privacy=P1,
        purpose="know whose matter it is / 关联住户",
    )  # fmt: skip
    photo_count: Mapped[int | None] = synced(Whole(0, 20), privacy=P0, purpose=PROOF)
    no_photo_reason: Mapped[str | None] = synced(Text(200), privacy=P1, purpose=PROOF)
    seen_at: Mapped[str | None] = synced(Moment(), privacy=P0, purpose=HANDLE)
    reported_at: Mapped[str | None] = synced(Moment(), rule=Rule.SERVER, privacy=P0, purpose=HANDLE)

    # -- what comes with a step ---------------------------------------------------------------
    step_level: Mapped[str | None] = synced(Choice(LEVELS), privacy=P0, purpose=TRAIL)
    step_unit: Mapped[int | None] = synced(ID, privacy=P0, purpose=TRAIL)
    step_until: Mapped[str | None] = synced(Moment(), privacy=P0, purpose=CLOCK)
    step_close: Mapped[str | None] = synced(Choice(CHOSEN_CLOSE_KINDS), privacy=P0, purpose=RESULT)
    merged_into: Mapped[str | None] = synced(
        Identity(), rule=Rule.OFFICE, refers="incident", index=True, privacy=P0, purpose=RESULT
    )
    score_service: Mapped[int | None] = synced(
        Whole(1, 5), rule=Rule.OFFICE, privacy=P0, purpose="hear how the case went / 听取评价"
    )
    score_result: Mapped[int | None] = synced(
        Whole(1, 5), rule=Rule.OFFICE, privacy=P0, purpose="hear how the case went / 听取评价"
    )
    parties: Mapped[Any | None] = synced(
        Listing(Choice(PARTIES), 10), privacy=P1, purpose="mediate a dispute / 调解纠纷"
    )
    refused_by: Mapped[str | None] = synced(
        Choice(PARTIES), privacy=P1, purpose="stop when a party refuses / 当事人拒绝即终止"
    )

    # -- what is done to it without a step ----------------------------------------------------
    act: Mapped[str | None] = synced(Choice(act_names()), group="act", privacy=P0, purpose=TRAIL)
    act_text: Mapped[str | None] = synced(Text(500), group="act", privacy=P1, purpose=TRAIL)
    act_until: Mapped[str | None] = synced(Moment(), group="act", privacy=P0, purpose=CLOCK)

    # -- what the server writes with a step ---------------------------------------------------
    state_by: Mapped[int | None] = stamp(ID, privacy=P1)
    state_by_name: Mapped[str | None] = stamp(Text(100), privacy=P1)
    state_at: Mapped[str | None] = stamp(Moment())
    unit: Mapped[int | None] = stamp(ID, index=True)
    handler: Mapped[int | None] = stamp(ID, privacy=P1)
    handlers: Mapped[Any | None] = stamp(Listing(ID, 50), privacy=P1)
    return_count: Mapped[int | None] = stamp(Whole(0, 1000))
    rework_count: Mapped[int | None] = stamp(Whole(0, 1000))
    filed_at: Mapped[str | None] = stamp(Moment())
    dispatched_at: Mapped[str | None] = stamp(Moment())
    claimed_at: Mapped[str | None] = stamp(Moment())
    answered_at: Mapped[str | None] = stamp(Moment())
    closed_at: Mapped[str | None] = stamp(Moment())
    close_kind: Mapped[str | None] = stamp(Choice(CLOSE_KINDS), RESULT)
    sampled: Mapped[bool | None] = stamp(Truth(), RESULT)

    # -- the clocks ---------------------------------------------------------------------------
    level: Mapped[str | None] = stamp(Choice(LEVELS), CLOCK, group="clock")
    verify_due_at: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")
    sign_due_at: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")
    due_at: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")
    hung_at: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")
    overdue: Mapped[bool | None] = stamp(Truth(), CLOCK, group="clock")
    urged_for: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")
    lifted_for: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")
    watch_at: Mapped[str | None] = stamp(Moment(), CLOCK, group="clock")

    # -- what follows from an act -------------------------------------------------------------
    extension: Mapped[str | None] = stamp(Choice(EXTENSIONS), CLOCK, group="extension")
    extension_until: Mapped[str | None] = stamp(Moment(), CLOCK, group="extension")
    extension_reason: Mapped[str | None] = stamp(Text(500), CLOCK, group="extension", privacy=P1)
    hand_asked: Mapped[str | None] = stamp(Choice(("up", "down")), group="hand")
    hand_reason: Mapped[str | None] = stamp(Text(500), group="hand", privacy=P1)
    urge_count: Mapped[int | None] = stamp(Whole(0, 1000), group="urge")
    urged_at: Mapped[str | None] = stamp(Moment(), group="urge")
    supervised_level: Mapped[str | None] = stamp(Choice(LEVELS), group="supervision")
    supervised_at: Mapped[str | None] = stamp(Moment(), group="supervision")
    told_state: Mapped[str | None] = stamp(
        Choice(STATES), "tell who reported the same / 告知重复上报人", group=None
    )

    __table_args__ = (
        sa.Index("ix_incident_grid_state", "grid", "state"),
        sa.Index("ix_incident_watch_at", "watch_at"),
        sa.Index("ix_incident_due_at", "due_at"),
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
