"""Destroy all that stands under an order, everywhere, and certify it.

Each step is a transaction that erases some records by law and counts them in the same breath; a
run that was killed goes on where it was. The order goes last: from then on whatever a phone still
brings for it is answered ``erased`` and not kept, because an entry cannot be without its order.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.campaigns import certifying
from app.campaigns.models import (
    TASKS,
    CampaignPart,
    CampaignTally,
    DestructionCertificate,
    EmergencyEntry,
    EmergencyOrder,
)
from app.campaigns.rules import reason_of
from app.core.database import Database, Mode, current_database, insert_into, lost_a_race, table_of
from app.core.engine import ATTEMPTS_MAX, Engine, current_engine
from app.core.jobs import ask_for
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.core.settings import current_settings
from app.sync_api import erasures
from app.sync_api.copying import current_copies
from app.sync_api.epochs import place_of
from app.tasks.models import TaskBatch
from sync.edits import Record
from sync.errors import Problem, Stale
from sync.kinds import Kinds
from sync.store import ERASED
from sync.upkeep import Erasure, Key

DESTROY, LOOK = "campaigns.destroy", "campaigns.look"
BATCH = 200
NOWHERE = 0
ROOTS = ("task", "notice", EmergencyOrder.kind)
HELD_PERSONAL = ("emergency_entry", "emergency_order", "task", "photo", "notice", "notice_ack",
                 "sync_ledger", "sync_parked", "conflict", "sync_feed")  # fmt: skip
"""The tables whose dead rows PostgreSQL is told to overwrite."""
Result = TypeVar("Result")
_entries, _parts = table_of(EmergencyEntry), table_of(CampaignPart)
_tally, _orders = table_of(CampaignTally), table_of(EmergencyOrder)


def look(_subject: str) -> None:
    """Ask for the destruction of every order whose day has come."""
    now = datetime.fromtimestamp(now_ms() / 1000, UTC)
    due = sa.select(_orders.c.id).where(_orders.c.destroy_by <= now, _orders.c.deleted.is_(None))
    with current_database().transaction(Mode.WRITE) as session:
        for order in session.scalars(due.order_by(_orders.c.id)).all():
            ask_for(session, DESTROY, order, at_ms=now_ms())


def destroy(order: str) -> None:
    """Destroy what stands under one order, and certify it."""
    place = place_of(current_settings())
    Destroying(current_database(), current_engine(), place, order).run()


def dependants(kinds: Kinds) -> set[str]:
    """Return the kinds whose records go with what they refer to."""
    return {kind.name for kind in kinds.kinds if set(kind.references.values()) & set(ROOTS)}


@dataclass(frozen=True)
class Destroying:
    """The destruction of one order."""

    database: Database
    engine: Engine
    place: Path
    order: str

    def run(self) -> None:
        """Do what has not been done yet."""
        if not self._written(self._begin):
            return
        for step in (self._erase_entries, self._erase_parts):
            while self._written(step):
                pass
        # Once more for what was on its way meanwhile.
        for _ in range(2):
            self._written(self._erase_order)
        self._sweep()
        self._written(lambda session: certifying.certify(session, self.order, now_ms()))

    def _written(self, work: Callable[[Session], Result]) -> Result:
        """Do something in a transaction of its own; repeat it when a push was quicker.

        Raises:
            Problem: 503 when pushes are quicker again and again; the job is tried again later.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                with self.database.transaction(Mode.WRITE) as session:
                    return work(session)
            except Stale:
                continue
            except OperationalError as error:
                if not lost_a_race(error):
                    raise
        raise Problem(503, "retry")

    # -- steps --------------------------------------------------------------------------------

    def _begin(self, session: Session) -> bool:
        """Write the certificate's beginning; tell whether anything is left to do."""
        certificate = session.get(DestructionCertificate, self.order)
        if certificate is not None:
            return certificate.done_at is None
        key = (EmergencyOrder.kind, self.order)
        found = self.engine.store(session).records([key]).get(key)
        if found is None or found.deleted == ERASED:
            return False
        certifying.begin(session, found, now_ms())
        return True

    def _erase_entries(self, session: Session) -> bool:
        """Erase the next entries; an erased one names its order no longer."""
        mine = _entries.c.order_id == self.order
        ids = session.scalars(sa.select(_entries.c.id).where(mine).limit(BATCH))
        return self._erase(session, [(EmergencyEntry.kind, one) for one in ids])

    def _erase_parts(self, session: Session) -> bool:
        """Erase the next of what the order has brought, and strike it off the list."""
        mine = _parts.c.order_id == self.order
        rows = session.execute(sa.select(_parts.c.kind, _parts.c.record).where(mine).limit(BATCH))
        keys = [(row.kind, row.record) for row in rows]
        batches = [record for kind, record in keys if kind == TASKS]
        self._erase(session, [key for key in keys if key[0] != TASKS])
        struck = _parts.c.record.in_([record for _, record in keys])
        session.execute(sa.delete(_parts).where(mine, struck))
        session.execute(sa.delete(TaskBatch).where(TaskBatch.id.in_(batches)))
        return bool(keys)

    def _erase(self, session: Session, keys: Sequence[Key]) -> bool:
        """Erase some records and what refers to them, and count them; tell if there were any."""
        if not keys:
            return False
        records = self.engine.store(session).records(keys)
        done = self._by_law(session, keys)
        self._count(session, records.values(), [one.key for one in done])
        return True

    def _erase_order(self, session: Session) -> None:
        """Erase the order itself, with whatever is parked about it."""
        self._by_law(session, [(EmergencyOrder.kind, self.order)])

    def _by_law(self, session: Session, keys: Sequence[Key]) -> Sequence[Erasure]:
        now, reason = now_ms(), reason_of(self.order)
        orders = [Erasure(kind, record, now, reason) for kind, record in keys]
        also = dependants(self.engine.kinds)
        return erasures.erase(session, self.engine, self.place, orders, also=also).erasures

    def _count(self, session: Session, records: Collection[Record], gone: Sequence[Key]) -> None:
        """Add what has just gone to what was counted before."""
        known = {(one.kind, one.id): one for one in records}
        rows: Counter[tuple[str, int]] = Counter()
        people: Counter[tuple[str, int]] = Counter()
        for key in gone:
            values: Any = known[key].values if key in known and not known[key].deleted else {}
            cell = (key[0], values.get("grid") or NOWHERE)
            rows[cell] += 1
            people[cell] += values.get("count_arrived") or 0
        for (kind, area), number in sorted(rows.items()):
            self._add(session, kind, area, records=number, people=people[kind, area])

    def _add(self, session: Session, kind: str, area: int, *, records: int, people: int) -> None:
        wish = insert_into(session, _tally).values(
            order_id=self.order, kind=kind, area_id=area, records=records, people=people
        )
        session.execute(wish.on_conflict_do_update(
            index_elements=["order_id", "kind", "area_id"],
            set_={"records": _tally.c.records + records, "people": _tally.c.people + people},
        ))  # fmt: skip

    # -- afterwards ---------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Throw away what lies ready of the scopes, and have free space overwritten."""
        feed, gone = sync_tables.feed.c, sync_tables.erasure.c
        mine = sa.select(gone.record).where(gone.reason == reason_of(self.order))
        with self.database.transaction(Mode.READ) as session:
            scopes = session.scalars(
                sa.select(feed.scope).where(feed.record.in_(mine)).distinct()
            ).all()
        current_copies().forget(scopes)
        engine = self.database.engine.execution_options(isolation_level="AUTOCOMMIT")
        words = f"VACUUM {', '.join(HELD_PERSONAL)}"
        with engine.connect() as connection:
            if self.database.is_sqlite:
                words = "PRAGMA wal_checkpoint(TRUNCATE)"
            connection.exec_driver_sql(words)
