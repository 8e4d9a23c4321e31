"""What a phone is shown: records put, records gone, each as this phone may see it now."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import reads
from app.core.conflicts import ConflictRow
from app.core.database import Mode
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.core.span import as_house
from app.faces.cursors import Key
from app.sync_api.scopes import scopes_of
from app.sync_api.services import Phone, Wish
from sync.conflicts import CONFLICT
from sync.pull import PAGE_BYTES_MAX
from sync.store import OUT, PURGE, PUT

PAGES_MAX = 400
CREATED_WITHIN_MS = 60_000
_feed, _ledger = sync_tables.feed, sync_tables.ledger


@dataclass
class Shown:
    """What one or several pages of the engine show.

    Attributes:
        put: version and values of each record, as this phone may see them.
        erased: those of the records gone that the law wants off every phone at once.
        left: records that left one scope; they may stand in another.
        dropped: scopes that the phone has lost.
        anew: the engine began some scope anew: what it does not name may be stale.
        wiped: what the phone says, by the cursor it brings, that it has erased by law.
    """

    cursor: str | None
    put: dict[Key, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    gone: set[Key] = field(default_factory=set)
    erased: set[Key] = field(default_factory=set)
    left: set[Key] = field(default_factory=set)
    dropped: list[str] = field(default_factory=list)
    anew: bool = False
    complete: bool = False
    wiped: Mapping[str, int] = field(default_factory=dict)

    def add(self, item: Mapping[str, Any]) -> None:
        """Add one item of a page; the later one on a record counts."""
        key = (item["t"], item["id"])
        if item["op"] == PUT:
            self.put[key] = (item["rv"], item["f"])
        elif item["op"] == OUT:
            self.left.add(key)
        else:
            self.put.pop(key, None)
            self.gone.add(key)
            if item["op"] == PURGE:
                self.erased.add(key)


def write_down(phone: Phone, event: str, put: Mapping[Key, tuple[int, Mapping[str, Any]]]) -> None:
    """Write down what records a phone is handed, before it is: in one row, if any tell of persons.

    A face reads several pages and hands out a part of them; so the row names what is in the
    answer, not the pages.
    """
    tables, sight = phone.engine.tables, phone.engine.sight(phone.actor, now_ms())
    with phone.database.transaction(Mode.READ) as session:
        for (kind, record), (_, values) in put.items():
            shown = [{**values, "id": record}]
            reads.note(session, tables.get(kind), shown, masked=kind in sight.masked)
        reads.write_down(session, event, phone.actor.user_id, device=phone.device)


@dataclass(frozen=True)
class Window:
    """One look at the server through the eyes of one phone, in one snapshot."""

    session: Session
    phone: Phone

    def read(self, cursor: str | None, *, kinds: Collection[str], enough: int) -> Shown:
        """Read pages after a cursor until enough records of these kinds are there, or all.

        Args:
            enough: how many records end the reading; 0 for the first page.
        """
        shown = Shown(cursor)
        for _ in range(PAGES_MAX):
            page = self.phone.page(self.session, shown.cursor, Wish(PAGE_BYTES_MAX))
            if shown.cursor == cursor:
                shown.wiped = page.wiped
            for item in map(json.loads, page.items):
                if item["t"] in kinds:
                    shown.add(item)
            shown.cursor, shown.complete = page.cursor, page.complete
            shown.dropped += page.drop
            shown.anew = shown.anew or bool(page.reset)
            if page.complete or len(shown.put) + len(shown.gone) + len(shown.left) >= enough:
                break
        return shown

    def removals(self, shown: Shown, *, kinds: Collection[str], since_ms: int) -> set[Key]:
        """Return the records that must leave the phone.

        Args:
            since_ms: when the phone got its last number: what was made in a lost scope well
                after that has never been on it, and is none of its business.
        """
        leaving = shown.left - shown.put.keys()
        leaving |= self._members(shown.dropped, kinds, since_ms) - shown.put.keys()
        return (shown.gone | (leaving - self.standing(leaving))) - shown.put.keys()

    @as_house()  # what a scope showed that the phone has lost
    def _members(self, scopes: Sequence[str], kinds: Collection[str], since_ms: int) -> set[Key]:
        if not scopes:
            return set()
        made_later = sa.exists().where(
            _ledger.c.rec == _feed.c.record, _ledger.c.rv == 1,
            _ledger.c.received_ms > since_ms + CREATED_WITHIN_MS,
        )  # fmt: skip
        rows = self.session.execute(
            sa.select(_feed.c.kind, _feed.c.record).where(
                _feed.c.scope.in_(scopes), _feed.c.kind.in_(list(kinds)), ~made_later
            )
        )
        return {(row.kind, row.record) for row in rows}

    def standing(self, keys: Iterable[Key]) -> set[Key]:
        """Return those of the records that this phone may see now, through any scope."""
        wanted = set(keys)
        if not wanted:
            return set()
        scopes = scopes_of(self.session, self.phone.actor, now_ms())
        rows = self.session.execute(
            sa.select(_feed.c.kind, _feed.c.record).where(
                _feed.c.record.in_({record for _, record in wanted}),
                _feed.c.scope.in_(scopes), _feed.c.op == PUT,
            )
        )  # fmt: skip
        return {(row.kind, row.record) for row in rows} & wanted

    def records(self, keys: Iterable[Key]) -> dict[Key, tuple[int, Mapping[str, Any]]]:
        """Return version and values of those of the records that this phone may see now."""
        engine = self.phone.engine
        sight = engine.sight(self.phone.actor, now_ms())
        by_kind: dict[str, list[str]] = {}
        for kind, record in self.standing(keys):
            by_kind.setdefault(kind, []).append(record)
        found: dict[Key, tuple[int, Mapping[str, Any]]] = {}
        for kind, records in by_kind.items():
            is_conflict = kind == CONFLICT.name
            table = ConflictRow.__table__ if is_conflict else engine.tables[kind].table
            rows = self.session.execute(
                sa.select(table.c.id, table.c.rv, table.c.body).where(table.c.id.in_(records))
            )
            for row in rows:
                body = sight.body(kind, engine.seal.shown(kind, row.id, row.body))
                found[(kind, row.id)] = (row.rv, json.loads(body))
        return found
