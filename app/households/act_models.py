"""What a household went through, as one record: an act with all that it changed."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Mapped

from app.core.records import P0, P1, P2, Record, synced
from app.households.models import COPIED, MOVED_BY, SERVE, only_kept
from app.households.verbs import VERBS, touched
from sync.acts import DONE, UNDONE
from sync.kinds import Rule
from sync.values import Choice, Free, Identity, Listing, Moment, Text, Whole

ONCE = "know what a household went through, and undo a mistake / 住户变动记录与撤销"
KEPT = "24 months"
PEOPLE_MAX = 50


class HouseholdAct(Record):
    """One thing that happened to a household."""

    __tablename__ = "household_act"
    kind = "household_act"
    moved_by = MOVED_BY
    acts_on = staticmethod(touched)

    household: Mapped[str | None] = synced(
        Identity(), required=True, refers="household", follows=COPIED, index=True, privacy=P1,
        purpose=ONCE, retention=KEPT,
    )  # fmt: skip
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=SERVE, index=True
    )
    verb: Mapped[str | None] = synced(
        Choice(VERBS), required=True, privacy=P0, purpose=ONCE, retention=KEPT
    )
    other: Mapped[str | None] = synced(Identity(), privacy=P1, purpose=ONCE, retention=KEPT)
    people: Mapped[list[str] | None] = synced(
        Listing(Identity(), PEOPLE_MAX), privacy=P1, purpose=ONCE, retention=KEPT
    )
    changes: Mapped[dict[str, Any] | None] = synced(
        Free(), privacy=P2, purpose=ONCE, retention=KEPT
    )
    reason: Mapped[str | None] = synced(Text(200), privacy=P1, purpose=ONCE, retention=KEPT)
    state: Mapped[str | None] = synced(
        Choice((DONE, UNDONE)), required=True, privacy=P0, purpose=ONCE, retention=KEPT
    )
    effects: Mapped[list[Any] | None] = synced(
        Free(), rule=Rule.SERVER, privacy=P2, purpose=ONCE, retention=KEPT
    )
    done_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P0, purpose=ONCE, retention=KEPT
    )
    done_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=ONCE, retention=KEPT
    )
    restricted: Mapped[str | None] = only_kept()

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Acts come last: they only tell what the records show already."""
        return 58
