"""Erase people: from tables, feed, history, conflicts, parking, photos, exports, files and phones.

Some hundred at a time go in one transaction, with a constant number of statements. What lies
outside the database goes right after the commit; if the server dies in between, the sweepers of
the shelf find it. The list beside the database makes a restored copy forget them again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Database, Mode, current_database, lost_a_race
from app.core.engine import ATTEMPTS_MAX, Engine, current_engine
from app.core.jobs import ask_for
from app.core.moments import now_ms
from app.core.settings import current_settings
from app.privacy import house, leftovers
from app.privacy.leftovers import Gone
from app.privacy.subjects import (
    BELONGING,
    TELLING,
    Whole,
    links_to_erased,
    requests_about,
    requests_about_erased,
    told_of,
    whole_of,
)
from app.sync_api import erasures
from app.sync_api.copying import current_copies
from app.sync_api.epochs import place_of
from app.sync_api.erasures import upkeep_of
from sync.errors import Problem, Stale
from sync.unsaying import unsay
from sync.upkeep import Erasure, Key

SWEEP = "privacy.sweep"
SWEEP_AFTER_MS = 30 * 60_000
"""By then an export that was being made when somebody was erased is ready, and goes too."""
AT_ONCE = 200
SWEPT = ("sync_ledger", "sync_parked", "conflict", "sync_feed", "photo", "task", *BELONGING[:5])
Result = TypeVar("Result")
Change = tuple[int, Mapping[str, Any]]


@dataclass
class Report:
    """What an erasure has done: numbers only."""

    kinds: Counter[str] = field(default_factory=Counter)
    edits: int = 0
    files: int = 0
    scopes: set[str] = field(default_factory=set)


def erase_people(subjects: Sequence[Key], *, reason: str, by: int | None) -> Report:
    """Erase people and all that hangs on them; return what has gone.

    Args:
        subjects: households, contacts and persons.
        reason: kept for ever; no personal data in it.
        by: who ordered it, None when it was the operator of the server.
    """
    report = Report()
    for start in range(0, len(subjects), AT_ONCE):
        some = subjects[start : start + AT_ONCE]
        # Once more for what was on its way meanwhile.
        for _ in range(2):
            _erase_some(some, reason, by, report)
    current_copies().forget(report.scopes)
    free_space(current_database())
    return report


def _erase_some(some: Sequence[Key], reason: str, by: int | None, report: Report) -> None:
    engine = current_engine()
    gone = Gone()

    def work(session: Session) -> None:
        gone.clear()
        erase_in(session, engine, some, reason=reason, by=by, report=report, gone=gone)

    written(current_database(), work)
    leftovers.discard(gone)
    report.files += len(gone.keys)


def erase_in(
    session: Session,
    engine: Engine,
    subjects: Sequence[Key],
    *,
    reason: str,
    by: int | None,
    report: Report,
    gone: Gone,
) -> None:
    """Erase people within a transaction; the caller discards what has gone from the books."""
    whole, now = whole_of(session, engine, subjects), now_ms()
    requests = requests_about(session, engine, whole.ids())
    forget_links(session, engine, whole, requests)
    leftovers.strike(session, whole, requests, gone)
    orders = [Erasure(kind, record, now, reason, by=by) for kind, record in sorted(whole.keys)]
    place = place_of(current_settings())
    done = erasures.erase_together(session, engine, place, orders, also=BELONGING)
    kinds = Counter(one.kind for one in done.erasures)
    report.kinds += kinds
    report.edits += done.edits
    report.scopes |= done.scopes
    if kinds:
        audit.record(session, "privacy.erased", user_id=by, subject=reason[:80],
                     people=len(subjects), records=dict(kinds), edits=done.edits,
                     parked=done.parked, files=len(gone.keys))  # fmt: skip
        ask_for(session, SWEEP, str(now), at_ms=now + SWEEP_AFTER_MS)


def forget_links(session: Session, engine: Engine, whole: Whole, requests: Sequence[str]) -> None:
    """Empty what names the people in records that stay, and what their requests told of them."""
    fields: dict[Key, set[str]] = {}
    for kind, record, name in whole.links:
        fields.setdefault((kind, record), set()).add(name)
    versions = engine.store(session).records(sorted(fields))
    changes: dict[Key, Change] = {
        key: (versions[key].rv, dict.fromkeys(names)) for key, names in fields.items()
    }
    for record, rv in told_of(session, engine, requests):
        changes["subject_request", record] = (rv, dict.fromkeys(TELLING))
        fields["subject_request", record] = set(TELLING)
    house.write(session, changes)
    if fields:
        unsay(upkeep_of(session, engine), fields)


def written(database: Database, work: Callable[[Session], Result]) -> Result:
    """Do something in a transaction of its own; repeat it when a push was quicker.

    Raises:
        Problem: 503 when pushes are quicker again and again.
    """
    for _ in range(ATTEMPTS_MAX):
        try:
            with database.transaction(Mode.WRITE) as session:
                return work(session)
        except Stale:
            continue
        except OperationalError as error:
            if not lost_a_race(error):
                raise
    raise Problem(503, "retry")


def free_space(database: Database) -> None:
    """Have the space of what has gone overwritten."""
    words = f"VACUUM {', '.join(SWEPT)}"
    if database.is_sqlite:
        words = "PRAGMA wal_checkpoint(TRUNCATE)"
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(words))


def tidy(_subject: str) -> None:
    """Forget what a restored copy, or an edit that came late, still says of people erased."""
    engine, gone = current_engine(), Gone()

    def work(session: Session) -> None:
        gone.clear()
        requests = requests_about_erased(session, engine)
        forget_links(session, engine, links_to_erased(session, engine), requests)
        leftovers.strike_answers(session, requests, gone)

    written(current_database(), work)
    leftovers.discard(gone)


def sweep(erased_ms: str) -> None:
    """Remove the exports that were asked for before people were erased, and ready only since."""
    gone = Gone()

    def work(session: Session) -> None:
        gone.clear()
        leftovers.strike_exports(session, int(erased_ms), gone)

    written(current_database(), work)
    leftovers.discard(gone)
