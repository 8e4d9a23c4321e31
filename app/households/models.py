"""The records of a household and its contacts; fields and purposes as data/household_fields.csv."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.places import near
from app.core.records import P0, P1, P2, Record, synced
from app.households.consents import CONTACT, SAFETY
from app.households.rules import (
    hide_all,
    mask_name,
    mask_phone,
    plain_address,
    round_position,
)
from sync.kinds import Rule
from sync.upgrade import Step
from sync.values import Choice, Identity, Moment, Phone, Position, SetOf, Text, Truth, Whole

SERVE = "know who serves it / 确定服务网格"
FIND = "find the door / 上门"
RESCUE = "find the door, rescue / 上门与救援"
PLAN = "plan services / 安排服务"
ROLL_CALL = "roll call, relief amounts / 应急清点"
EMERGENCY = "know where to go in an emergency / 应急"
DATED = "24 months after last check"
GAS = "carbon-monoxide warning / 一氧化碳中毒预警"
ASK_EVERY_YEAR = "12 months, then ask again"
REACH = "reach the household / 联系住户"
UNTIL_WITHDRAWN = "until withdrawn, or 24 months without contact"
WHAT_WENT = "clear phones of what is not held any more / 通知手机清除已撤回内容"
ONLY_KEPT = "keep it without using it / 限制处理，仅作保存"
COPIED = ("grid", "restricted")
"""What goes with a household, wherever it lies and whether it may be used."""
MOVED_BY = frozenset(COPIED)
SETTLED_WITHIN_M = 50.0


def emptied() -> Any:
    """Declare the list of the fields that were emptied when their consent ended."""
    return synced(SetOf(Text(40), 20), rule=Rule.SERVER, privacy=P1, purpose=WHAT_WENT)


def only_kept() -> Any:
    """Declare the request by which a record is only kept: it shows in no list and on no phone."""
    return synced(Identity(), rule=Rule.SERVER, privacy=P1, purpose=ONLY_KEPT)


def _count() -> Any:
    return synced(Whole(0, 50), group="people", privacy=P1, purpose=PLAN, retention=DATED)


class Household(Record):
    """One household behind one door."""

    __tablename__ = "household"
    kind = "household"
    moved_by = MOVED_BY

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
    heating: Mapped[str | None] = synced(
        Choice(("central", "gas", "electric", "coal_stove", "other")),
        privacy=P1, purpose=GAS, retention="24 months", needs=(SAFETY,),
    )  # fmt: skip
    co_alarm: Mapped[bool | None] = synced(
        Truth(), privacy=P1, purpose=GAS, retention="24 months", needs=(SAFETY,)
    )
    gas_kind: Mapped[str | None] = synced(
        Choice(("none", "pipe", "bottle")),
        privacy=P1, purpose="gas safety check / 燃气安全", retention="24 months", needs=(SAFETY,),
    )  # fmt: skip
    evacuation_help: Mapped[bool | None] = synced(
        Truth(), privacy=P2, purpose="rescue order / 转移救援", retention=ASK_EVERY_YEAR,
        needs=(SAFETY,),
    )  # fmt: skip
    contact_pref: Mapped[str | None] = synced(
        Choice(("phone", "visit", "none")), group="reaching", privacy=P1,
        purpose="do not disturb / 免打扰", retention="with the contact", needs=(CONTACT,),
    )  # fmt: skip
    contact_hours: Mapped[str | None] = synced(
        Text(40), group="reaching", privacy=P1, purpose="do not disturb / 免打扰",
        retention="with the contact", needs=(CONTACT,),
    )  # fmt: skip
    not_held: Mapped[list[str] | None] = emptied()
    restricted: Mapped[str | None] = only_kept()
    address_blind: Mapped[str | None] = mapped_column(sa.String(32), index=True)

    @staticmethod
    def blinds_of(values: Mapping[str, Any]) -> Mapping[str, str | None]:
        """The same door is found again, however its address was typed."""
        return {"address_blind": plain_address(values)}

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
    moved_by = MOVED_BY
    # The first schema is older than consents: its apps could not take one down.
    upcasters = (Step(lambda values: values),)

    household: Mapped[str | None] = synced(
        Identity(),
        required=True,
        refers="household",
        follows=COPIED,
        index=True,
        privacy=P1,
        purpose=REACH,
    )
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=SERVE, index=True
    )
    name: Mapped[str | None] = synced(
        Text(40, 1),
        sealed=True,
        privacy=P2,
        purpose=REACH,
        retention=UNTIL_WITHDRAWN,
        mask=mask_name,
        needs=(CONTACT,),
    )
    phone: Mapped[str | None] = synced(
        Phone(),
        sealed=True,
        privacy=P2,
        purpose=REACH,
        retention=UNTIL_WITHDRAWN,
        mask=mask_phone,
        needs=(CONTACT,),
    )
    relation: Mapped[str | None] = synced(
        Choice(("self", "spouse", "child", "parent", "other")),
        privacy=P2,
        purpose="who speaks for whom / 代为联系",
        needs=(CONTACT,),
    )
    is_emergency: Mapped[bool | None] = synced(
        Truth(), privacy=P1, purpose="emergencies / 应急联系", needs=(CONTACT,)
    )
    not_held: Mapped[list[str] | None] = emptied()
    restricted: Mapped[str | None] = only_kept()
    phone_blind: Mapped[str | None] = mapped_column(sa.String(32), index=True)

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Contacts come with their households."""
        return 51
