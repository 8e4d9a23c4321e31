"""What a phone has said before: its own edits of some records, as the ledger keeps them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.cipher import BodySeal
from app.core.records import sync_tables
from app.core.span import as_house
from sync.parking import DISCARDED, OPEN_STATES

IN_FLIGHT_MS = 5_000
# What the law or the years have taken out of the ledger says nothing any more, but it was said.
STRIPPED: Mapping[str, Any] = {"set": {}, "base": 0}
_ledger, _parked, _device = sync_tables.ledger, sync_tables.parked, sync_tables.device
_OWN = sa.select(_device.c.id).where(
    sa.or_(_device.c.id == sa.bindparam("device"), _device.c.enrolment == sa.bindparam("enrolment"))
)
_SAID = (
    sa.select(_ledger.c.edit, _ledger.c.op, _ledger.c.kind, _ledger.c.rec, _ledger.c.rv,
              _ledger.c.receipt, _ledger.c.body)
    .where(_ledger.c.rec.in_(sa.bindparam("records", expanding=True)), _ledger.c.device.in_(_OWN))
    .order_by(_ledger.c.received_ms, _ledger.c.n)
)  # fmt: skip
_WAITING = sa.select(_parked.c.edit, _parked.c.state, _parked.c.body).where(
    _parked.c.edit.in_(sa.bindparam("edits", expanding=True))
)
_UNSEEN = sa.case(
    (
        sa.and_(_ledger.c.device.not_in(_OWN), _ledger.c.received_ms > sa.bindparam("since_ms")),
        _ledger.c.rv,
    )
)
_SEEN = (
    sa.select(_ledger.c.rec, sa.func.min(_UNSEEN), sa.func.max(_ledger.c.rv))
    .where(_ledger.c.rec.in_(sa.bindparam("records", expanding=True)), _ledger.c.rv > 0)
    .group_by(_ledger.c.rec)
)


@dataclass(frozen=True, slots=True)
class Own:
    """All device ids of one phone: the one it uses, and those of its enrolment."""

    device: str
    enrolment: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """One edit that this phone made before, with its receipt as it stands now.

    Attributes:
        set: the values as the phone sent them, whatever a repair has made of them since.
        laid_aside: somebody has discarded it for good.
    """

    id: str
    op: str
    kind: str
    base: int
    rv: int
    set: Mapping[str, Any]
    receipt: Mapping[str, Any]
    laid_aside: bool = False

    @property
    def refused(self) -> bool:
        """Tell whether it waits for a human or has been laid aside."""
        return self.receipt["status"] in OPEN_STATES

    @property
    def known_until(self) -> int:
        """Return the version up to which saying the same again is no news."""
        return max(self.base, self.rv)


def said_before(
    session: Session, seal: BodySeal, own: Own, records: Sequence[str]
) -> dict[str, list[Said]]:
    """Return what a phone has said about records, oldest first, under any of its device ids."""
    asked = {"records": list(records), "device": own.device, "enrolment": own.enrolment}
    rows = session.connection().execute(_SAID, asked).all() if records else []
    receipts = {row.edit: json.loads(row.receipt) for row in rows}
    waiting = _waiting(session, seal, receipts)
    found: dict[str, list[Said]] = {}
    for row in rows:
        body = json.loads(seal.open(row.kind, row.edit, row.body)) if row.body else STRIPPED
        state, first = waiting.get(row.edit, (None, body["set"]))
        found.setdefault(row.rec, []).append(
            Said(row.edit, row.op, row.kind, body["base"], row.rv, first, receipts[row.edit],
                 laid_aside=state == DISCARDED)
        )  # fmt: skip
    return found


def _waiting(
    session: Session, seal: BodySeal, receipts: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return state and first values of those edits that have been parked."""
    edits = [
        name for name, receipt in receipts.items()
        if receipt["status"] in OPEN_STATES or "repaired" in receipt.get("flags", ())
    ]  # fmt: skip
    rows = session.connection().execute(_WAITING, {"edits": edits}).all() if edits else []
    return {
        row.edit: (row.state, json.loads(seal.open("parked", row.edit, row.body))["edit"]["set"])
        for row in rows
    }


@as_house()
def bases_of(session: Session, own: Own, records: Sequence[str], *, seen_ms: int) -> dict[str, int]:
    """Return the version of each record that a phone had seen, for edits that do not say it.

    It had seen all that arrived before its number was handed out, but for what was then still
    under way; what it did itself is never news to it.
    """
    asked = {
        "records": list(records), "device": own.device, "enrolment": own.enrolment,
        "since_ms": seen_ms - IN_FLIGHT_MS,
    }  # fmt: skip
    rows = session.connection().execute(_SEEN, asked).all() if records else []
    return {
        record: last if unseen is None else min(last, unseen - 1) for record, unseen, last in rows
    }
