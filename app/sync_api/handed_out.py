"""Write down what personal data phones are handed: pages, ready-made copies, healed records.

One row for each answer, in the transaction in which it was read, and committed before the first
byte leaves. It names for each scope the versions handed out: with the feed and the ledger that
tells which records they were, for as long as it matters (``app/audit/breach``).
"""

from collections.abc import Mapping
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import Actor
from app.core.database import Database, Mode, begin_writing
from app.core.engine import Engine
from app.core.moments import now_ms
from app.core.reads import classes_of_kinds, single
from app.core.records import sync_tables
from sync.store import PUT

Shown = Mapping[tuple[str, str], tuple[int, int, int]]
"""By scope and kind: how many records, and the first and the last of their versions."""


class Reader(Protocol):
    """A phone that is handed something."""

    @property
    def database(self) -> Database:
        """Return the database."""

    @property
    def engine(self) -> Engine:
        """Return the engine."""

    @property
    def actor(self) -> Actor:
        """Return whose phone it is."""

    @property
    def device(self) -> str:
        """Return its device id."""


def write_down(session: Session, reader: Reader, event: str, shown: Shown) -> None:
    """Write down what is handed out, if any of it tells of persons: one statement, or none."""
    if not shown:
        return
    details = _details(reader.engine, reader.actor, shown)
    if details is None:
        return
    begin_writing(session)
    audit.record(
        session, event, user_id=reader.actor.user_id, sort=audit.READ, why=audit.OWN_WORK,
        device=reader.device or None, scope=single(list(details["scopes"])), **details,
    )  # fmt: skip


def write_down_apart(reader: Reader, event: str, shown: Shown) -> None:
    """Write it down in a transaction of its own, before what was read elsewhere is handed out."""
    if shown and _details(reader.engine, reader.actor, shown) is not None:
        with reader.database.transaction(Mode.WRITE) as session:
            write_down(session, reader, event, shown)


def _details(engine: Engine, actor: Actor, shown: Shown) -> dict[str, Any] | None:
    """Return what the row says: records by kind and class, versions by scope."""
    kinds: dict[str, int] = {}
    scopes: dict[str, list[int]] = {}
    sight = engine.sight(actor, now_ms())
    for (scope, kind), (count, first, last) in shown.items():
        if kind not in engine.tables or not engine.tables[kind].on_phones:
            continue
        if kind not in sight.whole and kind not in sight.masked:
            continue
        kinds[kind] = kinds.get(kind, 0) + count
        before = scopes.get(scope, [first, last, 0])
        scopes[scope] = [min(before[0], first), max(before[1], last), before[2] + count]
    if not kinds:
        return None
    counts = classes_of_kinds(engine.tables, kinds, whole=sight.whole, masked=sight.masked)
    return {"reads": counts, "scopes": scopes}


def of_scope(session: Session, scope: str, until: int) -> Shown:
    """Return what a scope shows, up to a version."""
    t = sync_tables.feed.c
    counted = (
        sa.select(t.kind, sa.func.count())
        .where(t.scope == scope, t.op == PUT, t.ver <= until)
        .group_by(t.kind)
    )
    return {(scope, kind): (count, 0, until) for kind, count in session.execute(counted)}
