"""Take what a consent no longer covers out of history, conflicts, parking and ready-made copies.

The records were emptied in the transaction that ended the consent. What they had held before is
taken out a moment later, by a job that finds its work by itself: nothing has to be remembered
meanwhile, and being cut off costs nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from app.core.database import Base, BigInt, Mode, current_database, insert_into, table_of
from app.core.engine import Engine, current_engine
from app.core.moments import now_ms
from app.households.consents import DECLINED, EXPIRED, GIVEN, WITHDRAWN
from app.households.lapsing import CHECKIN_KEPT, ENDED
from app.households.service_models import Consent, Visit
from app.sync_api.copying import current_copies
from app.sync_api.erasures import upkeep_of
from sync.grounds import holding
from sync.stores.tables import uuid
from sync.unsaying import Unsaid, unsay
from sync.upkeep import Key

PORTION = 100
EVERY_S = 5


class UnsaidRow(Base):
    """One ended consent, or one visit whose place is gone, that nothing remembers any more."""

    __tablename__ = "unsaid"

    kind: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    record: Mapped[str] = mapped_column(uuid(), primary_key=True)
    done_ms: Mapped[int] = mapped_column(BigInt)


_unsaid = table_of(UnsaidRow)


def unsay_ended() -> int:
    """Do all that is due, in portions; return how many ledger rows were thinned."""
    edits = 0
    while True:
        with current_database().transaction(Mode.WRITE) as session:
            due = _due(session)
            done = _unsay(session, current_engine(), due) if due else None
        if done is None:
            return edits
        edits += done.edits
        current_copies().forget(done.scopes)


class Due(NamedTuple):
    """What is to be dealt with: an ended consent or an old visit, and whom it is about.

    Attributes:
        declined: it never began; what another purpose may cover just as well is left alone.
    """

    kind: str
    record: str
    subject: str
    purpose: str | None
    covered: bool
    declined: bool


def _due(session: Session) -> list[Due]:
    """Return ended consents and old visits that were not dealt with yet."""
    rows = [*session.execute(_ended().limit(PORTION)), *session.execute(_old().limit(PORTION))]
    return [Due(*row) for row in rows]


def _ended() -> sa.Select[*tuple[Any, ...]]:
    """Ask for ended consents; one is covered when another for the same stood at its end.

    One that was declined never began, so it has no end: any other that stands covers it.
    """
    other = aliased(Consent)
    end = sa.func.coalesce(Consent.withdrawn_at, Consent.expires_at)
    covering = sa.select(other.id).where(
        other.subject == Consent.subject, other.purpose == Consent.purpose,
        other.state == GIVEN, sa.or_(end.is_(None), other.given_at <= end), other.deleted.is_(None),
    )  # fmt: skip
    return sa.select(
        sa.literal(Consent.kind),
        Consent.id,
        Consent.subject,
        Consent.purpose,
        covering.exists(),
        Consent.state == DECLINED,
    ).where(Consent.state.in_((DECLINED, WITHDRAWN, EXPIRED)), _not_done(Consent.kind, Consent.id))


def _old() -> sa.Select[*tuple[Any, ...]]:
    before = datetime.now(UTC) - CHECKIN_KEPT
    return sa.select(
        sa.literal(Visit.kind), Visit.id, Visit.id, sa.null(), sa.false(), sa.false()
    ).where(
        Visit.visited_at <= before, Visit.checkin_accuracy_m.is_(None),
        _not_done(Visit.kind, Visit.id),
    )  # fmt: skip


def _not_done(kind: str, record: Any) -> sa.ColumnElement[bool]:
    done = sa.select(_unsaid.c.record).where(_unsaid.c.kind == kind, _unsaid.c.record == record)
    return ~done.exists()


def _unsay(session: Session, engine: Engine, due: Sequence[Due]) -> Unsaid:
    keys: dict[Key, set[str]] = {}
    for one in due:
        for kind, names in _fields(engine, one).items():
            keys.setdefault((kind, one.subject), set()).update(names)
    done = unsay(upkeep_of(session, engine), keys)
    rows = [{"kind": one.kind, "record": one.record, "done_ms": now_ms()} for one in due]
    session.execute(insert_into(session, _unsaid).on_conflict_do_nothing(), rows)
    return done


def _fields(engine: Engine, one: Due) -> Mapping[str, set[str]]:
    """Return the fields that may not be remembered any more, of each kind the subject may be."""
    if one.kind == Visit.kind:
        return {Visit.kind: set(ENDED[Visit.kind])}
    if one.covered:
        return {}
    return {
        kind.name: {
            field.name for field in kind.by_consent
            if one.purpose in field.needs and not (one.declined and len(field.needs) > 1)
        }
        for kind in holding(engine.kinds)
    }  # fmt: skip
