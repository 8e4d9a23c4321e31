"""What rests on people's wishes: consents, persons who asked for a service, and visits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped

from app.core.records import P0, P1, P2, P3, Record, synced
from app.households.consents import GIVEN, GUARDIAN, HEALTH, PURPOSES, SERVICES, STATES
from app.households.models import COPIED, FIND, MOVED_BY, SERVE, emptied, only_kept
from app.households.rules import band_of, hide_all, is_minor, mask_name
from sync.kinds import Rule, Tell
from sync.values import Choice, Identity, Moment, Position, SetOf, Text, Truth, Whole

PROOF = "proof / 证明已同意或拒绝"
THREE_YEARS = "3 years after end"
DELIVER = "deliver the service / 提供服务"
AFTER_SERVICE = "12 months after last service"
HALF_A_YEAR = "6 months, then ask again"
WORK_RECORD = "work record / 工作记录"
STOOD = "proof of work / 到场证明"


def _household(**more: Any) -> Any:
    return synced(
        Identity(), required=True, refers="household", follows=COPIED, index=True, privacy=P1,
        purpose=FIND, **more,
    )  # fmt: skip


def _grid() -> Any:
    return synced(Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=SERVE, index=True)


class Consent(Record):
    """One answer to one question: may this be held of that subject, for this purpose."""

    __tablename__ = "consent"
    kind = "consent"
    moved_by = MOVED_BY
    consents = True

    household: Mapped[str | None] = _household()
    grid: Mapped[int | None] = _grid()
    subject: Mapped[str | None] = synced(
        Identity(), required=True, privacy=P1, purpose=PROOF, retention=THREE_YEARS, index=True
    )
    purpose: Mapped[str | None] = synced(
        Choice(PURPOSES), required=True, privacy=P1, purpose=PROOF, retention=THREE_YEARS
    )
    state: Mapped[str | None] = synced(
        Choice(STATES), rule=Rule.CONSENT, required=True, privacy=P1, purpose=PROOF,
        retention=THREE_YEARS, index=True,
    )  # fmt: skip
    notice_version: Mapped[int | None] = synced(
        Whole(1, 100_000), required=True, privacy=P0, purpose=PROOF, retention=THREE_YEARS
    )
    given_by: Mapped[str | None] = synced(
        Choice(("self", "guardian", "next_of_kin")), required=True, privacy=P1, purpose=PROOF,
        retention=THREE_YEARS,
    )  # fmt: skip
    method: Mapped[str | None] = synced(
        Choice(("signed_paper", "on_screen", "spoken_with_witness")), required=True, privacy=P1,
        purpose=PROOF, retention=THREE_YEARS,
    )  # fmt: skip
    given_at: Mapped[str | None] = synced(
        Moment(), privacy=P1, purpose=PROOF, retention=THREE_YEARS
    )
    expires_at: Mapped[str | None] = synced(
        Moment(), privacy=P1, purpose=PROOF, retention=THREE_YEARS, index=True
    )
    withdrawn_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P1, purpose=PROOF, retention=THREE_YEARS
    )
    restricted: Mapped[str | None] = only_kept()

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Consents come before what rests on them."""
        return 50

    @staticmethod
    def given(values: Mapping[str, Any]) -> bool:
        """Tell whether the answer was yes, and stands."""
        return values.get("state") == GIVEN


class ServicePerson(Record):
    """Somebody who asked for a service; kept only while he wants it."""

    __tablename__ = "service_person"
    kind = "service_person"
    moved_by = MOVED_BY

    household: Mapped[str | None] = _household()
    grid: Mapped[int | None] = _grid()
    display_name: Mapped[str | None] = synced(
        Text(40, 1), sealed=True, privacy=P2, purpose=DELIVER, retention=AFTER_SERVICE,
        mask=mask_name, needs=SERVICES,
    )  # fmt: skip
    birth_year: Mapped[int | None] = synced(
        Whole(1900, 2200), privacy=P2, mask=band_of, retention=AFTER_SERVICE,
        purpose="age-bound services; under-14 rule / 适龄服务", needs=SERVICES,
    )  # fmt: skip
    services: Mapped[list[str] | None] = synced(
        SetOf(Choice(SERVICES), len(SERVICES)), rule=Rule.SET, privacy=P2, purpose=DELIVER,
        retention="12 months, then ask again", needs=SERVICES,
    )  # fmt: skip
    care_note: Mapped[str | None] = synced(
        Text(300), sealed=True, privacy=P3, purpose="safe service / 安全服务",
        retention=HALF_A_YEAR, needs=(HEALTH,), offline=False,
    )  # fmt: skip
    power_dependent: Mapped[bool | None] = synced(
        Truth(), sealed=True, privacy=P3, purpose="power-cut priority / 停电优先保障",
        retention=HALF_A_YEAR, needs=(HEALTH,),
    )  # fmt: skip
    guardian_contact_id: Mapped[str | None] = synced(
        Identity(), privacy=P2, purpose="guardian rights / 监护人权利", retention="with the person",
        needs=(GUARDIAN,), offline=False,
    )  # fmt: skip
    not_held: Mapped[list[str] | None] = emptied()
    restricted: Mapped[str | None] = only_kept()

    @staticmethod
    def needs_approval(values: Mapping[str, Any], now: datetime) -> bool:
        """Nobody reads the record of a minor before another has agreed."""
        return is_minor(values, now)

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Persons come with their households."""
        return 51


class Visit(Record):
    """One call at a door, and what came of it."""

    __tablename__ = "visit"
    kind = "visit"
    moved_by = MOVED_BY

    household: Mapped[str | None] = _household(
        tells=(Tell(when="outcome", value="met_at", to="last_confirmed_at"),)
    )
    grid: Mapped[int | None] = _grid()
    outcome: Mapped[str | None] = synced(
        Choice(("met", "nobody_home", "declined", "moved", "unsafe_to_enter")), required=True,
        privacy=P1, purpose=WORK_RECORD, retention="24 months",
    )  # fmt: skip
    note: Mapped[str | None] = synced(
        Text(500), privacy=P2, purpose="hand-over / 工作交接", retention="12 months", mask=hide_all
    )
    checkin_point: Mapped[str | None] = synced(
        Position(), group="checkin", privacy=P2, purpose=STOOD, retention="90 days", offline=False
    )
    checkin_accuracy_m: Mapped[int | None] = synced(
        Whole(0, 5000), group="checkin", privacy=P1, purpose=STOOD, retention="90 days",
        offline=False,
    )  # fmt: skip
    visited_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=WORK_RECORD, retention="24 months"
    )
    visited_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P1, purpose=WORK_RECORD, retention="24 months",
        index=True,
    )  # fmt: skip
    met_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P0, purpose=WORK_RECORD, retention="24 months"
    )
    restricted: Mapped[str | None] = only_kept()

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Visits come after what they are about."""
        return 55
