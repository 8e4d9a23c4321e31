"""Let go of audit rows that are old enough; the chain goes on over them, and the verifier knows.

A row's link stays, with the hash of what the row said, until everything before it is gone too.
Signed anchors say up to where rows may be missing, so a row that goes before its time is found.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.audit.models import AuditLink
from app.audit.sealing import Sealer
from app.core import audit
from app.core.audit import ACCESS, ACT, READ, SYSTEM, AuditEvent
from app.core.audit_verifier import RETIRED, START
from app.core.database import Mode, table_of
from app.core.settings import Settings

SHORT, LONG = (READ, ACCESS), (ACT, SYSTEM)
AT_ONCE = 5_000
_events, _links = table_of(AuditEvent), table_of(AuditLink)


def retire(sealer: Sealer, settings: Settings, now: datetime) -> int:
    """Delete the rows that are old enough; return how many."""
    sealer.seal(firm=True, sweep=True)
    days = dict.fromkeys(SHORT, settings.audit_days)
    days |= dict.fromkeys(LONG, settings.processing_days)
    gone = sum(
        _retire_sort(sealer, sort, now - timedelta(days=count), now) for sort, count in days.items()
    )
    _forget_links(sealer, now)
    with sealer.database.transaction(Mode.WRITE) as session:
        audit.record(session, "audit.retired", user_id=None, rows=gone)
    sealer.seal(firm=True)
    return gone


def _retire_sort(sealer: Sealer, sort: str, before: datetime, now: datetime) -> int:
    """Say up to which link rows of a sort may be missing, and then delete them."""
    with sealer.database.transaction(Mode.READ) as session:
        last = session.execute(
            sa.select(_links.c.n, _links.c.hash)
            .join(_events, _events.c.id == _links.c.event_id)
            .where(_links.c.sort == sort, _events.c.at < before)
            .order_by(_links.c.n.desc())
            .limit(1)
        ).first()
    if last is None:
        return 0
    sealer.outside.keep(sealer.outside.sign(RETIRED, last.n, last.hash, now, sort=sort))
    gone, some = 0, AT_ONCE
    while some == AT_ONCE:
        with sealer.database.owning() as session:
            some = _delete_some(session, sort, before)
        gone += some
    return gone


def _delete_some(session: Session, sort: str, before: datetime) -> int:
    old = (
        sa.select(_events.c.id)
        .join(_links, _links.c.event_id == _events.c.id)
        .where(_links.c.sort == sort, _events.c.at < before)
        .order_by(_links.c.n)
        .limit(AT_ONCE)
    )
    done: Any = session.execute(sa.delete(_events).where(_events.c.id.in_(old)))
    return int(done.rowcount)


def _forget_links(sealer: Sealer, now: datetime) -> None:
    """Let the chain begin with the first row that is still there."""
    with sealer.database.transaction(Mode.READ) as session:
        there = sa.select(_events.c.id).where(_events.c.id == _links.c.event_id).exists()
        first = session.scalar(sa.select(sa.func.min(_links.c.n)).where(there))
        before = session.execute(
            sa.select(_links.c.n, _links.c.hash).where(_links.c.n == (first or 1) - 1)
        ).first()
    if before is None:
        return
    sealer.outside.keep(sealer.outside.sign(START, before.n, before.hash, now))
    with sealer.database.owning() as session:
        session.execute(sa.delete(_links).where(_links.c.n <= before.n))
