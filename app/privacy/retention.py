"""End what has been held for long enough, by the registry of fields, and say how much it was.

Each rule is a group of columns of one table with one period and one anchor. Fields are emptied,
and records erased, through the engine, so that phones follow; rows of plain tables are deleted.
A run that is cut off goes on the next night. It writes down numbers, never values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Base, Mode, current_database
from app.core.engine import Engine, current_engine
from app.core.moments import now_ms
from app.core.settings import current_settings
from app.privacy import house, leftovers
from app.privacy.anchors import CONDITIONS, anchor_of
from app.privacy.erasing import erase_people, written
from app.privacy.fields import BY_RETENTION, DELETE, EMPTY, ERASE, registry
from app.privacy.leftovers import Gone
from app.privacy.subjects import PEOPLE
from app.sync_api import erasures
from app.sync_api.copying import current_copies
from app.sync_api.epochs import place_of
from app.sync_api.erasures import upkeep_of
from sync.store import ERASED
from sync.unsaying import unsay
from sync.upkeep import Erasure, Key

PORTION = 200
EVERY_S = 86_400
REASON = "retention"


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """What ends together.

    Attributes:
        fields: the columns that are emptied; of a record or row that goes whole, all of them.
        keeps: how long they stay after the anchor.
    """

    table: str
    fields: tuple[str, ...]
    keeps: str
    after: str
    ends: str

    @property
    def name(self) -> str:
        """Return the name under which a run is written down."""
        which = f".{self.fields[0]}" if self.ends == EMPTY else ""
        return f"{self.table}{which} {self.keeps}"

    def before(self, now: datetime) -> datetime:
        """Return the moment up to which the anchor must lie for the rule to bite now."""
        return now - period_of(self.keeps)


def period_of(text: str) -> timedelta:
    """Return a period such as ``P90D`` or ``P24M``; a month has 30.4375 days."""
    found = re.fullmatch(r"P(\d+)([DM])", text)
    assert found, "the registry has been read with its periods"
    return timedelta(days=int(found[1]) * (1 if found[2] == "D" else 30.4375))


@cache
def rules() -> tuple[RetentionRule, ...]:
    """Return the rules that follow from the registry."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for one in registry():
        if one.ends in BY_RETENTION:
            groups.setdefault((one.table, one.keeps, one.after, one.ends), []).append(one.field)
    return tuple(RetentionRule(table, tuple(fields), keeps, after, ends)
                 for (table, keeps, after, ends), fields in groups.items())  # fmt: skip


def run(now: datetime | None = None) -> dict[str, int]:
    """Do all that is due, rule by rule; return how much each has ended."""
    moment = now or datetime.now(UTC)
    done = {rule.name: _DOING[rule.ends](rule, moment) for rule in rules()}
    ended = {name: number for name, number in done.items() if number}
    with current_database().transaction(Mode.WRITE) as session:
        audit.record(session, "privacy.retention", user_id=None, rules=len(done), ended=ended)
    return done


def due(now: datetime) -> dict[str, int]:
    """Count what each rule would end, and end nothing."""
    engine = current_engine()
    with current_database().transaction(Mode.READ) as session:
        return {
            rule.name: session.execute(
                sa.select(sa.func.count()).select_from(_due(rule, engine, now).subquery())
            ).scalar_one()
            for rule in rules()
        }  # fmt: skip


def _due(rule: RetentionRule, engine: Engine, now: datetime) -> sa.Select[Any]:
    """Ask for the rows that a rule bites now, by their first key."""
    table = Base.metadata.tables[rule.table]
    anchor = anchor_of(rule.table, rule.after)
    bites = [anchor <= _as(anchor, rule.before(now)), *CONDITIONS.get(rule.table, ())]
    columns: list[Any] = list(table.primary_key.columns)
    if rule.table in engine.tables:
        columns = [table.c.id, table.c.rv]
        bites.append(table.c.deleted.is_distinct_from(ERASED))
    if rule.ends == EMPTY:
        bites.append(sa.or_(*(table.c[name].is_not(None) for name in rule.fields)))
        if rule.table in engine.tables:
            bites.append(table.c.deleted.is_(None))
    return sa.select(*columns).where(*bites).order_by(*table.primary_key.columns)


def _as(anchor: Any, moment: datetime) -> Any:
    """Return a moment the way a column holds it: some count milliseconds."""
    counts = isinstance(anchor.type, sa.Integer | sa.BigInteger)
    return int(moment.timestamp() * 1000) if counts else moment


def _portions(work: Callable[[Session], int]) -> int:
    """Repeat a portion until nothing is left; return how much that was."""
    total = 0
    while True:
        done = written(current_database(), work)
        total += done
        if done < PORTION:
            return total


# -- the three ways -------------------------------------------------------------------------------


def _empty(rule: RetentionRule, now: datetime) -> int:
    """Empty the fields of records, in their histories too; those of plain rows at once."""
    engine, table = current_engine(), Base.metadata.tables[rule.table]
    if rule.table not in engine.tables:
        return _empty_plain(rule, table, now)
    scopes: set[str] = set()

    def portion(session: Session) -> int:
        rows = session.execute(_due(rule, engine, now).limit(PORTION)).all()
        changes = {(rule.table, row.id): (row.rv, dict.fromkeys(rule.fields)) for row in rows}
        if changes:
            house.write(session, changes)
            done = unsay(upkeep_of(session, engine), dict.fromkeys(changes, rule.fields))
            scopes.update(done.scopes)
        return len(rows)

    total = _portions(portion)
    current_copies().forget(scopes)
    return total


def _empty_plain(rule: RetentionRule, table: sa.Table, now: datetime) -> int:
    key = list(table.primary_key.columns)

    def portion(session: Session) -> int:
        rows = [tuple(row) for row in session.execute(_due(rule, current_engine(), now)
                                                      .limit(PORTION))]  # fmt: skip
        if rows:
            emptied = sa.update(table).where(sa.tuple_(*key).in_(rows))
            session.execute(emptied.values(dict.fromkeys(rule.fields)))
        return len(rows)

    return _portions(portion)


def _erase(rule: RetentionRule, now: datetime) -> int:
    """Erase records whole; people go with all that hangs on them."""
    engine, place = current_engine(), place_of(current_settings())
    scopes: set[str] = set()
    gone = Gone()

    def portion(session: Session) -> int:
        # A portion that is repeated strikes the same again, which does no harm.
        ids = [row.id for row in session.execute(_due(rule, engine, now).limit(PORTION))]
        if ids and rule.table not in PEOPLE:
            leftovers.strike_answers(session, ids, gone)
            orders = [Erasure(rule.table, one, now_ms(), REASON) for one in ids]
            done = erasures.erase_together(session, engine, place, orders)
            scopes.update(done.scopes)
        return len(ids)

    if rule.table in PEOPLE:
        return _erase_people(rule, engine, now)
    total = _portions(portion)
    leftovers.discard(gone)
    current_copies().forget(scopes)
    return total


def _erase_people(rule: RetentionRule, engine: Engine, now: datetime) -> int:
    with current_database().transaction(Mode.READ) as session:
        found: Sequence[Key] = [
            (rule.table, row.id) for row in session.execute(_due(rule, engine, now))
        ]
    if found:
        erase_people(found, reason=REASON, by=None)
    return len(found)


def _delete(rule: RetentionRule, now: datetime) -> int:
    """Delete rows of a plain table."""
    table = Base.metadata.tables[rule.table]
    key = list(table.primary_key.columns)

    def portion(session: Session) -> int:
        due_rows = _due(rule, current_engine(), now).limit(PORTION)
        rows = [tuple(row) for row in session.execute(due_rows)]
        if rows:
            session.execute(sa.delete(table).where(sa.tuple_(*key).in_(rows)))
        return len(rows)

    return _portions(portion)


_DOING: Mapping[str, Callable[[RetentionRule, datetime], int]] = {
    EMPTY: _empty, ERASE: _erase, DELETE: _delete,
}  # fmt: skip
