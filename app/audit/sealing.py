"""Link audit rows into the chain in the order of their commit, a moment after it.

Who writes a row does not wait for the chain: that would make all transactions wait for each
other's disk. One sealer at a time links what has been committed, several times a second, and
signs the newest hash outside the database. A row that was rolled back leaves a gap in the ids,
which is nothing; of a row that was linked, nothing can go without being found.
"""

import hmac
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session

from app.audit.anchors import Outside
from app.audit.models import AuditLink, AuditProgress
from app.core import audit
from app.core.audit import AuditEvent, Pen, shape_of
from app.core.audit_verifier import GENESIS, SET_BACK, content_of, hash_of
from app.core.database import Database, Mode, table_of

log = logging.getLogger("wangge.audit")
EXTENSION = "wangge_sealer"
BEAT_S, REST_S = 0.5, 5.0
AT_ONCE = 2_000
GAP_MS, GAPS_MAX = 3_600_000, 1_000
_events, _links, _progress = table_of(AuditEvent), table_of(AuditLink), table_of(AuditProgress)


class Head(NamedTuple):
    """The last link of the chain.

    Attributes:
        early: no row that bears a code has been linked yet: rows from before codes may come.
    """

    n: int = 0
    hash: str = GENESIS
    early: bool = True


@dataclass
class Sealer:
    """Links rows and anchors the chain."""

    database: Database
    pen: Pen
    outside: Outside
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def seal(self, *, firm: bool = False, sweep: bool = False) -> int:
        """Link all that is committed; return how many rows that were.

        Args:
            firm: keep the anchor in any case.
            sweep: look at all rows, also where nothing is expected: it takes a while.
        """
        with self._lock:
            self._mind_set_back()
            total = self._link_all()
            while sweep and self._look_everywhere():
                total += self._link_all()
            self._anchor(firm=firm)
        return total

    def _link_all(self) -> int:
        total = some = self._link_some()
        while some == AT_ONCE:
            some = self._link_some()
            total += some
        return total

    def is_due(self) -> bool:
        """Tell whether there is something to link; one cheap look."""
        with self.database.transaction(Mode.READ) as session:
            progress = session.execute(sa.select(_progress)).first()
            high, gaps = (progress.high, progress.gaps) if progress else (0, {})
            waiting = sa.select(_events.c.id).where(_wanted(high, gaps)).limit(1)
            return session.execute(waiting).first() is not None

    def _look_everywhere(self) -> bool:
        """Look for rows that lie where nothing is expected; tell whether there are some."""
        with self.database.transaction(Mode.WRITE) as session:
            progress = _locked(session)
            if progress is None:
                return False
            linked = sa.select(_links.c.n).where(_links.c.event_id == _events.c.id)
            lost = session.scalars(
                sa.select(_events.c.id)
                .where(_events.c.id <= progress.high, ~linked.exists())
                .limit(GAPS_MAX)
            ).all()
            gaps = {**progress.gaps, **{str(one): self._now_ms() for one in lost}}
            session.execute(sa.update(_progress).values(gaps=gaps))
            return bool(lost)

    def _link_some(self) -> int:
        """Link the next rows; tell how many: none when somebody else is at it."""
        with self.database.transaction(Mode.WRITE) as session:
            progress = _locked(session)
            if progress is None:
                return 0
            rows = session.execute(
                sa.select(_events)
                .where(_wanted(progress.high, progress.gaps))
                .order_by(_events.c.id)
                .limit(AT_ONCE)
            ).all()
            if rows:
                session.execute(sa.insert(_links), list(self._links_of(_head(session), rows)))
                high, gaps = moved(progress.high, progress.gaps, [row.id for row in rows],
                                   self._now_ms())  # fmt: skip
                session.execute(sa.update(_progress).values(high=high, gaps=gaps))
            return len(rows)

    def _links_of(self, head: Head, rows: Sequence[Any]) -> Iterable[dict[str, Any]]:
        before, early = head.hash, head.early
        for n, row in enumerate(rows, start=head.n + 1):
            shape = shape_of(row._mapping)
            early = early and row.mac is None and row.uid is None
            sound = early or _is_sound(self.pen, shape)
            if not sound:
                log.error("audit row %d was not written by this server", row.id)
            content, sort = content_of(shape), shape["sort"]
            before = hash_of(before, n, content, sound=sound, sort=sort)
            yield {"n": n, "event_id": row.id, "content": content, "hash": before,
                   "sound": sound, "sort": sort}  # fmt: skip

    def _mind_set_back(self) -> None:
        """Notice that the database is behind, or other than, what was signed of it.

        It is said in both places, and the chain goes on from what both know.
        """
        newest = self.outside.newest()
        with self.database.transaction(Mode.READ) as session:
            if newest is None or _hash_at(session, newest["n"]) == newest["hash"]:
                return
            common = next((one for one in reversed(self.outside.kept())
                           if _hash_at(session, one["n"]) == one["hash"]), None)  # fmt: skip
            found = _head(session).n
        n, hash_ = (common["n"], common["hash"]) if common else (0, GENESIS)
        lost, now = max(newest["n"], int(newest.get("lost", 0))), self.clock()
        log.error("audit log: the database was set back from row %d to %d", lost, n)
        self.outside.keep(self.outside.sign(SET_BACK, n, hash_, now, lost=lost))
        with self.database.transaction(Mode.WRITE) as session:
            audit.record(
                session, "audit.set_back", user_id=None, signed=lost, found=found, common=n
            )

    def _anchor(self, *, firm: bool) -> None:
        with self.database.transaction(Mode.READ) as session:
            head = _head(session)
        newest = self.outside.newest()
        is_new = newest is None or head.n > newest["n"] or newest["kind"] == SET_BACK
        if head.n and (firm or is_new):
            self.outside.put(head.n, head.hash, self.clock(), firm=firm)

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)

    def run(self, stopping: threading.Event) -> None:
        """Seal until told to stop; a database or a disk that is away is waited for."""
        while not stopping.is_set():
            try:
                if self.is_due():
                    self.seal()
                stopping.wait(BEAT_S)
            except (sa.exc.SQLAlchemyError, OSError) as error:
                log.warning("audit log: sealing waits: %s", type(error).__name__)
                stopping.wait(REST_S)


def moved(
    high: int, gaps: Mapping[str, int], ids: Sequence[int], now_ms: int
) -> tuple[int, dict[str, int]]:
    """Return how far the sealer has come after rows with these ids, and which ids it misses."""
    top, there = max(high, *ids), set(ids)
    missing = range(max(high + 1, top - GAPS_MAX), top)
    young = {one: since for one, since in gaps.items()
             if int(one) not in there and now_ms - since < GAP_MS}  # fmt: skip
    young |= {str(one): now_ms for one in missing if one not in there}
    kept = sorted(young, key=int)[-GAPS_MAX:]
    return top, {one: young[one] for one in kept}


def _wanted(high: int, gaps: Mapping[str, int]) -> sa.ColumnElement[bool]:
    above = _events.c.id > high
    return sa.or_(above, _events.c.id.in_([int(one) for one in gaps])) if gaps else above


def _locked(session: Session) -> Any:
    """Return how far the sealer has come, held by us; None while another one holds it."""
    query = sa.select(_progress).where(_progress.c.id == 1)
    row = session.execute(query.with_for_update(skip_locked=True)).first()
    if row is None and session.execute(query).first() is None:
        session.execute(sa.insert(_progress).values(id=1, high=_linked_up_to(session), gaps={}))
        row = session.execute(query).one()
    return row


def _linked_up_to(session: Session) -> int:
    return session.scalar(sa.select(sa.func.max(_links.c.event_id))) or 0


def _head(session: Session) -> Head:
    row = session.execute(
        sa.select(_links.c.n, _links.c.hash, _events.c.id, _events.c.uid)
        .outerjoin_from(_links, _events, _events.c.id == _links.c.event_id)
        .order_by(_links.c.n.desc())
        .limit(1)
    ).first()
    return Head(row.n, row.hash, row.id is not None and row.uid is None) if row else Head()


def _hash_at(session: Session, n: int) -> str | None:
    if n == 0:
        return GENESIS
    return session.scalar(sa.select(_links.c.hash).where(_links.c.n == n))


def _is_sound(pen: Pen, shape: Mapping[str, Any]) -> bool:
    return hmac.compare_digest(pen.code(shape), shape["mac"] or "")


def current_sealer() -> Sealer:
    """Return the sealer of the running application."""
    sealer: Sealer = current_app.extensions[EXTENSION]
    return sealer


def beat(stopping: threading.Event) -> None:
    """Seal beside the jobs."""
    current_sealer().run(stopping)
