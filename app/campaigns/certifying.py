"""Write the certificate of a destruction: under which order, what, when, and the numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.rules import path_ids
from app.areas.services import names_of, paths_of
from app.campaigns import rules
from app.campaigns.models import (
    CampaignPart,
    CampaignPlan,
    CampaignTally,
    DestructionCertificate,
    EmergencyEntry,
)
from app.core import audit
from sync.edits import Record

TOWNSHIP_DEPTH = 3
FACTS = ("order_id", "county", "title", "basis", "purpose")
DATES = ("starts", "ends", "destroy_by", "begun_at", "done_at")
LEFTOVERS = (CampaignTally, CampaignPlan, CampaignPart)


def begin(session: Session, order: Record, now_ms: int) -> None:
    """Write down under which order a destruction has begun."""
    values = order.values
    dates = {name: datetime.fromisoformat(values[name])
             for name in ("starts", "ends", "destroy_by")}  # fmt: skip
    facts = {name: values[name] for name in FACTS if name != "order_id"}
    session.add(
        DestructionCertificate(order_id=order.id, begun_at=_moment(now_ms), **facts, **dates)
    )
    session.flush()


def certify(session: Session, order: str, now_ms: int) -> None:
    """Complete the certificate, and drop what was only needed until then."""
    certificate = session.get(DestructionCertificate, order)
    assert certificate is not None, "a destruction begins with its certificate"
    if certificate.done_at is not None:
        return
    tally = session.scalars(sa.select(CampaignTally).where(CampaignTally.order_id == order)).all()
    certificate.counts = _counts(session, tally)
    certificate.done_at = _moment(now_ms)
    certificate.sha256 = digest_of(certificate)
    session.flush()
    for table in LEFTOVERS:
        session.execute(sa.delete(table).where(table.order_id == order))
    audit.record(session, "order.destroyed", user_id=None, subject=order,
                 sha256=certificate.sha256)  # fmt: skip


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def digest_of(certificate: DestructionCertificate) -> str:
    """Return the digest of all that a certificate says."""
    told = {name: getattr(certificate, name) for name in FACTS}
    dates = {name: getattr(certificate, name).isoformat() for name in DATES}
    return rules.sealed_by({**told, **dates, "counts": certificate.counts})


def _counts(session: Session, tally: Sequence[CampaignTally]) -> dict[str, Any]:
    """Return the numbers that stay: by kind, and of entries and people by township."""
    kinds: Counter[str] = Counter()
    for one in tally:
        kinds[one.kind] += one.records
    entries = [one for one in tally if one.kind == EmergencyEntry.kind]
    townships = _townships(session, entries)
    numbers, totals = {}, {}
    for name, field in (("entries", "records"), ("people", "people")):
        total = sum(getattr(one, field) for one in entries)
        numbers[name], totals[name] = rules.counted(_summed(entries, townships, field), total)
    destroyed = {kind: rules.suppressed(number) for kind, number in sorted(kinds.items())}
    if entries:
        destroyed[EmergencyEntry.kind] = totals["entries"]
    names = names_of(session, set(townships.values()))
    return {
        "destroyed": destroyed,
        "people": totals["people"],
        "areas": [
            {"area": area, "name": names.get(area, ""),
             **{name: cells[area] for name, cells in numbers.items()}}
            for area in sorted(set(townships.values()))
        ],
    }  # fmt: skip


def _townships(session: Session, tally: Iterable[CampaignTally]) -> dict[int, int]:
    """Return for each area counted the township it lies in, or itself."""
    paths = paths_of(session, {one.area_id for one in tally})
    return {area: path_ids(path)[:TOWNSHIP_DEPTH][-1] for area, path in paths.items()}


def _summed(
    tally: Iterable[CampaignTally], townships: Mapping[int, int], name: str
) -> dict[int, int]:
    sums: Counter[int] = Counter(dict.fromkeys(townships.values(), 0))
    for one in tally:
        if one.area_id in townships:
            sums[townships[one.area_id]] += getattr(one, name)
    return dict(sums)
