"""Try parked edits again that an earlier release of this server could not understand."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import Session

from app import identity
from app.core.actor import Actor
from app.core.database import Database, Mode
from app.core.engine import ATTEMPTS_MAX, current_engine, write_all_as_office
from app.core.records import sync_tables
from sync.edits import Edit, Parked
from sync.errors import Stale
from sync.parking import PARKED, PARKING
from sync.release import replayable
from sync.upgrade import NEWER
from sync.wire import EDITS_MAX

AT_ONCE = 1_000
_t = sync_tables.parked


def replay(database: Database) -> Mapping[str, int]:
    """Replay what this release understands, as its authors'; return how many went through.

    Each author's edits go in their order, in transactions of their own, judged as if he had
    sent them to this release at first. What is refused again stays parked.
    """
    done = {"tried": 0, "applied": 0}
    with database.transaction(Mode.READ) as session:
        waiting = [one for page in _pages(session) for one in page]
    waiting.sort(key=lambda one: (one.user, one.ms, one.device, one.edit.n))
    for user, theirs in groupby(waiting, key=lambda one: one.user):
        edits = list(theirs)
        for first in range(0, len(edits), EDITS_MAX):
            part = edits[first : first + EDITS_MAX]
            done["applied"] += _surely(database, user, part)
            done["tried"] += len(part)
    return done


def _surely(database: Database, user: int, parked: Sequence[Parked]) -> int:
    """Replay some edits of one author; what the database itself refuses stays, alone."""
    try:
        for _ in range(ATTEMPTS_MAX):
            try:
                with database.transaction(Mode.WRITE) as session:
                    return _replay(session, user, parked)
            except Stale:
                continue
    except (exc.IntegrityError, exc.DataError):
        if len(parked) > 1:
            return sum(_surely(database, user, [one]) for one in parked)
    return 0


def _pages(session: Session) -> Iterator[list[Parked]]:
    """Yield what may be tried again, by id."""
    engine = current_engine()
    store, beyond = engine.store(session), None
    while True:
        rows = session.execute(
            sa.select(_t)
            .where(_t.c.state == PARKED, _t.c.code.in_(NEWER))
            .where(_t.c.edit > beyond if beyond else sa.true())
            .order_by(_t.c.edit)
            .limit(AT_ONCE)
        ).all()
        found = [store.parked_of(row) for row in rows]
        yield [one for one in found if replayable(engine.kinds, one.edit)]
        if len(rows) < AT_ONCE:
            return
        beyond = rows[-1].edit


def _replay(session: Session, user: int, parked: Sequence[Parked]) -> int:
    actor: Actor = identity.actors_of(session, [user])[user]
    edits = [Edit(0, "", "repair", PARKING.name, one.edit.id) for one in parked]
    receipts = write_all_as_office(session, actor, edits)
    return sum(receipt["status"] == "applied" for receipt in receipts)
