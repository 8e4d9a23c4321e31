"""The records of notices: what is told, how often it was explained, and who has read an alarm."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from app.core.records import P0, P1, Record, synced
from app.notices import rules
from sync.kinds import Rule
from sync.values import Choice, Identity, Listing, Moment, Position, SetOf, Text, Whole

TELL = "tell residents and workers / 政策宣传与通知"
COUNT = "know how far it has been explained / 掌握宣讲进度"
REACHED = "know that an alarm has arrived / 确认应急通知已送达"
AREAS_MAX, GRIDS_MAX, POINTS_MAX = 100, 200, 20
PATHS_MAX = 8_000
RADIUS_M_MAX = 50_000
EXPLAINED_MAX = 100_000


def _told(type_: Any, **more: Any) -> Any:
    return synced(type_, rule=Rule.OFFICE, privacy=P0, purpose=TELL, **more)


class Notice(Record):
    """Something the office tells all who serve some areas, or those of one role there."""

    __tablename__ = "notice"
    kind = "notice"
    moved_by = frozenset({"areas", "point", "roles", "valid_from", "valid_until",
                          "withdraw_reason"})  # fmt: skip

    areas: Mapped[Any] = _told(Listing(Whole(1, 2**53), AREAS_MAX))
    roles: Mapped[Any] = _told(SetOf(Choice(rules.ROLES), len(rules.ROLES)))
    point: Mapped[str | None] = _told(Position(), group="place")
    radius_m: Mapped[int | None] = _told(Whole(1, RADIUS_M_MAX), group="place")
    urgency: Mapped[str | None] = _told(Choice((rules.NORMAL, rules.EMERGENCY)), required=True)
    title: Mapped[str | None] = _told(Text(120, 1), required=True)
    text: Mapped[str | None] = _told(Text(4000, 1))
    talking_points: Mapped[Any] = _told(Listing(Text(300, 1), POINTS_MAX))
    title_en: Mapped[str | None] = _told(Text(200, 1))
    text_en: Mapped[str | None] = _told(Text(8000, 1))
    talking_points_en: Mapped[Any] = _told(Listing(Text(600, 1), POINTS_MAX))
    valid_from: Mapped[str | None] = _told(Moment())
    valid_until: Mapped[str | None] = _told(Moment(), required=True)
    withdraw_reason: Mapped[str | None] = _told(Text(500, 1))
    state: Mapped[str | None] = synced(
        Choice(rules.STATES), rule=Rule.SERVER, privacy=P0, purpose=TELL
    )
    version: Mapped[int | None] = synced(
        Whole(1, 2**31), rule=Rule.SERVER, privacy=P0, purpose=TELL
    )
    paths: Mapped[str | None] = synced(
        Text(PATHS_MAX), rule=Rule.SERVER, privacy=P0, purpose="whom it reaches / 送达范围"
    )
    published_by: Mapped[int | None] = synced(
        Whole(0, 2**53), rule=Rule.SERVER, privacy=P1, purpose=TELL
    )

    __table_args__ = (sa.Index("ix_notice_state_valid_until", "state", "valid_until"),)

    @staticmethod
    def scopes_of(values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return one scope for each area, or for each role in each area."""
        return rules.scopes_of(values)

    @staticmethod
    def rank_of(values: Mapping[str, Any]) -> int:
        """Emergencies come before everything else."""
        alarm = values.get("urgency") == rules.EMERGENCY
        return rules.EMERGENCY_RANK if alarm else rules.ORDINARY_RANK


def _notice_id() -> Any:
    return synced(Identity(), refers="notice", required=True, index=True, privacy=P0, purpose=COUNT)


class NoticeExplained(Record):
    """How often one phone's user has explained a notice in a grid: a number, and nobody's name."""

    __tablename__ = "notice_explained"
    kind = "notice_explained"

    notice: Mapped[str | None] = _notice_id()
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.OFFICE, required=True, privacy=P0, purpose=COUNT, index=True
    )
    times: Mapped[int | None] = synced(
        Whole(0, EXPLAINED_MAX), rule=Rule.COUNTER, privacy=P0, purpose=COUNT
    )


class NoticeAck(Record):
    """A worker says that an emergency notice has reached him; only his own phone holds it."""

    __tablename__ = "notice_ack"
    kind = "notice_ack"

    notice: Mapped[str | None] = _notice_id()
    version: Mapped[int | None] = synced(
        Whole(1, 2**31), required=True, privacy=P0, purpose=REACHED
    )
    worker: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=REACHED, retention="12 months",
        index=True,
    )  # fmt: skip
    acknowledged_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P1, purpose=REACHED, retention="12 months"
    )

    @staticmethod
    def scopes_of(values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the worker's own scope."""
        worker = values.get("worker")
        return (f"me:{worker}",) if type(worker) is int else ()
