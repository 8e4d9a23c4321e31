"""The records of a household and its contacts; fields and purposes as data/household_fields.csv."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.places import near
from app.core.records import P0, P1, P2, Record, synced
from app.households.rules import hide_all, mask_name, mask_phone, round_position
from sync.kinds import Rule
from sync.values import Choice, Identity, Moment, Phone, Position, Text, Truth, Whole

SERVE = "know who serves it / 确定服务网格"
FIND = "find the door / 上门"
RESCUE = "find the door, rescue / 上门与救援"
PLAN = "plan services / 安排服务"
ROLL_CALL = "roll call, relief amounts / 应急清点"
EMERGENCY = "know where to go in an emergency / 应急"
DATED = "24 months after last check"
SETTLED_WITHIN_M = 50.0


def _count() -> Any:
    return synced(Whole(0, 50), group="people", privacy=P1, purpose=PLAN, retention=DATED)


class Household(Record):
    """One household behind one door."""

    __tablename__ = "household"
    kind = "household"

    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.OFFICE, required=True, privacy=P1, purpose=SERVE, index=True
    )
    address_text: Mapped[str | None] = synced(
        Text(120, 3), group="address", required=True, privacy=P2, purpose=FIND, mask=hide_all
    )
    building: Mapped[str | None] = synced(Text(20), group="address", privacy=P1, purpose=FIND)
    unit_room: Mapped[str | None] = synced(Text(20), group="address", privacy=P2, purpose=FIND)
    door_point: Mapped[str | None] = synced(
        Position(), rule=Rule.OPEN, group="door", privacy=P2, purpose=RESCUE, mask=round_position
    )
    door_accuracy_m: Mapped[int | None] = synced(
        Whole(0, 5000), rule=Rule.OPEN, group="door", privacy=P1, purpose=RESCUE
    )
    door_source: Mapped[str | None] = synced(
        Choice(("gps", "map", "office")), rule=Rule.OPEN, group="door", privacy=P1, purpose=RESCUE
    )
    occupancy: Mapped[str | None] = synced(
        Choice(("lived_in", "empty", "seasonal", "business", "unknown")),
        required=True,
        privacy=P1,
        purpose=EMERGENCY,
    )
    residents_count: Mapped[int | None] = synced(
        Whole(0, 50), group="people", privacy=P1, purpose=ROLL_CALL, retention=DATED
    )
    count_0_5: Mapped[int | None] = _count()
    count_6_13: Mapped[int | None] = _count()
    count_14_17: Mapped[int | None] = _count()
    count_18_59: Mapped[int | None] = _count()
    count_60_79: Mapped[int | None] = _count()
    count_80_up: Mapped[int | None] = _count()
    last_confirmed_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P0, purpose="age of data / 数据时效"
    )

    # Numbers are counted in the index alone, grid by grid.
    __table_args__ = (
        sa.Index("ix_household_grid_confirmed", "grid", "deleted", "last_confirmed_at"),
    )

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Households come after tasks and incidents."""
        return 50

    @staticmethod
    def settled(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Two doors within 50 m are the same door."""
        return near(one.get("door_point"), other.get("door_point"), SETTLED_WITHIN_M)


class Contact(Record):
    """How a household wishes to be reached; kept only while it agrees."""

    __tablename__ = "contact"
    kind = "contact"

    household: Mapped[str | None] = synced(
        Identity(),
        required=True,
        refers="household",
        follows=("grid",),
        index=True,
        privacy=P1,
        purpose="reach the household / 联系住户",
    )
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=SERVE, index=True
    )
    name: Mapped[str | None] = synced(
        Text(40, 1),
        sealed=True,
        privacy=P2,
        purpose="reach the household / 联系住户",
        retention="until withdrawn, or 24 months without contact",
        mask=mask_name,
    )
    phone: Mapped[str | None] = synced(
        Phone(),
        sealed=True,
        privacy=P2,
        purpose="reach the household / 联系住户",
        retention="until withdrawn, or 24 months without contact",
        mask=mask_phone,
    )
    relation: Mapped[str | None] = synced(
        Choice(("self", "spouse", "child", "parent", "other")),
        privacy=P2,
        purpose="who speaks for whom / 代为联系",
    )
    is_emergency: Mapped[bool | None] = synced(
        Truth(), privacy=P1, purpose="emergencies / 应急联系"
    )
    phone_blind: Mapped[str | None] = mapped_column(sa.String(32), index=True)

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Contacts come with their households."""
        return 51
