"""The two stores as the simulator drives them: with backups, compaction and torn writes."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from app.core.driver import driver
from sync.edits import Parked, Record
from sync.parking import OPEN_STATES
from sync.store import PUT, Batch, ScopeState
from sync.stores.memory import MemoryStore
from sync.stores.sql import SqlStore
from sync.stores.tables import EPOCH
from tests.sync.house import ALL_KINDS, Envelope, SqlStand

Key = tuple[str, str]


class Crash(RuntimeError):
    """The server dies in the middle of a write."""


class Line(NamedTuple):
    """One line of the ledger."""

    edit: str
    device: str
    n: int
    ms: int
    op: str
    kind: str
    rec: str
    values: Mapping[str, Any]
    receipt: Mapping[str, Any]


@dataclass
class Watched:
    """A store that remembers what was written through it, and can die while writing."""

    store: Any
    dies: bool = False
    batch: Batch | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def write(self, batch: Batch) -> None:
        """Write a batch, or die after its effect and before the feed."""
        self.store.write(replace(batch, feed=[], digests={}) if self.dies else batch)
        if self.dies:
            raise Crash
        self.batch = batch


class Stand(Protocol):
    """What the simulator needs of a store besides the store itself."""

    keeps_torn_writes: bool

    def open(self, *, dies: bool = False) -> Any:
        """Return a context with a watched store in one transaction."""

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""

    def backup(self) -> Any:
        """Return a copy of everything."""

    def restore(self, copy: Any, epoch: str) -> None:
        """Go back to a copy, under a new epoch."""

    def records(self) -> Mapping[Key, Record]:
        """Return all records."""

    def ledger(self) -> list[Line]:
        """Return the ledger."""

    def shown(self) -> Mapping[str, list[tuple[str, str, int]]]:
        """Return what the feed puts into each scope, as (kind, id, version)."""

    def states(self) -> Mapping[str, ScopeState]:
        """Return the state of every scope."""

    def waiting(self) -> list[str]:
        """Return the parked edits that wait for a human."""

    def parked(self) -> Mapping[str, Parked]:
        """Return all edits that are or were parked."""

    def close(self) -> None:
        """Let everything go."""


def _copied(store: MemoryStore) -> MemoryStore:
    """Copy the containers; what lies in them never changes."""
    return MemoryStore(
        store.name, dict(store.devices), dict(store.ledger), dict(store.rows),
        dict(store.parked), dict(store.states), {s: dict(f) for s, f in store.feeds.items()},
        list(store.ages), dict(store.erased), dict(store.wipes),
    )  # fmt: skip


@dataclass
class MemorySim:
    """The store in memory."""

    store: MemoryStore = field(default_factory=MemoryStore)
    keeps_torn_writes: bool = False

    @contextmanager
    def open(self, *, dies: bool = False) -> Iterator[Watched]:
        """Open the store; what a dying server wrote is undone, as a database would."""
        before = _copied(self.store) if dies else None
        try:
            yield Watched(self.store, dies)
        except Crash:
            if before and not self.keeps_torn_writes:
                self.store = before
            raise

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""
        self.store.enrol(device, user)

    def backup(self) -> MemoryStore:
        """Return a copy."""
        return _copied(self.store)

    def restore(self, copy: MemoryStore, epoch: str) -> None:
        """Go back to a copy."""
        self.store = _copied(copy)
        self.store.name = epoch

    def records(self) -> Mapping[Key, Record]:
        """Return all records."""
        return self.store.rows

    def ledger(self) -> list[Line]:
        """Return the ledger."""
        return [
            Line(one.edit.id, one.device, one.edit.n, one.ms, one.edit.op, one.edit.kind,
                 one.edit.rec, one.edit.set, one.receipt.as_json())
            for one in self.store.ledger.values()
        ]  # fmt: skip

    def shown(self) -> Mapping[str, list[tuple[str, str, int]]]:
        """Return what the feed shows."""
        return {
            scope: [(row.kind, row.record, row.rv) for row in feed.values() if row.op == PUT]
            for scope, feed in self.store.feeds.items()
        }

    def states(self) -> Mapping[str, ScopeState]:
        """Return all scopes."""
        return self.store.states

    def parked(self) -> Mapping[str, Parked]:
        """Return all edits that are or were parked."""
        return self.store.parked

    def waiting(self) -> list[str]:
        """Return what is parked or held."""
        return sorted(n for n, one in self.store.parked.items() if one.state in OPEN_STATES)

    def close(self) -> None:
        """Nothing is held open."""


class SqlSim(SqlStand):
    """The store on SQLite in memory."""

    def __init__(self) -> None:
        engine = sa.create_engine(
            "sqlite://", module=driver, poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )  # fmt: skip
        super().__init__(engine, ALL_KINDS)
        self.keeps_torn_writes = False

    @contextmanager
    def open(self, *, dies: bool = False) -> Iterator[Watched]:  # type: ignore[override]
        """Open a transaction; it is rolled back when the server dies."""
        with Session(self.engine) as session:
            store = self._store(session)
            try:
                yield Watched(store, dies)
            except Crash:
                if self.keeps_torn_writes:
                    session.commit()
                raise
            session.commit()

    def _store(self, session: Session) -> SqlStore:
        return SqlStore(session, self.tables, self.kinds, Envelope(), nothing_to_end)

    def backup(self) -> Any:
        """Return a copy."""
        copy = driver.connect(":memory:")
        self._raw().backup(copy)
        return copy

    def restore(self, copy: Any, epoch: str) -> None:
        """Go back to a copy."""
        copy.backup(self._raw())
        meta = self.tables.meta
        with self.engine.begin() as connection:
            connection.execute(sa.update(meta).where(meta.c.name == EPOCH).values(value=epoch))

    def _raw(self) -> Any:
        return self.engine.raw_connection().driver_connection

    def records(self) -> Mapping[Key, Record]:
        """Return all records."""
        with self.open() as store:
            keys = [
                (kind, row[0])
                for kind, one in self.kinds.items()
                for row in store.session.execute(sa.select(one.table.c.id))
            ]
            found: Mapping[Key, Record] = store.records(keys)
            return found

    def ledger(self) -> list[Line]:
        """Return the ledger."""
        t = self.tables.ledger
        seal = Envelope()
        with self.engine.connect() as connection:
            return [
                Line(row.edit, row.device, row.n, row.ms, row.op, row.kind, row.rec,
                     json.loads(seal.open(row.kind, row.edit, row.body))["set"] if row.body else {},
                     json.loads(row.receipt))
                for row in connection.execute(sa.select(t))
            ]  # fmt: skip

    def shown(self) -> Mapping[str, list[tuple[str, str, int]]]:
        """Return what the feed shows."""
        t = self.tables.feed
        found: dict[str, list[tuple[str, str, int]]] = {}
        with self.engine.connect() as connection:
            for row in connection.execute(sa.select(t).where(t.c.op == PUT)):
                found.setdefault(row.scope, []).append((row.kind, row.record, row.rv))
        return found

    def states(self) -> Mapping[str, ScopeState]:
        """Return all scopes."""
        t = self.tables.scope
        with self.engine.connect() as connection:
            return {
                row.scope: ScopeState(row.ver, row.digest, row.live, row.floor)
                for row in connection.execute(sa.select(t))
            }

    def parked(self) -> Mapping[str, Parked]:
        """Return all edits that are or were parked."""
        with self.open() as store:
            every = list(store.session.scalars(sa.select(self.tables.parked.c.edit)))
            found: Mapping[str, Parked] = store.parked_for([], every)
            return found

    def waiting(self) -> list[str]:
        """Return what is parked or held."""
        t = self.tables.parked
        query = sa.select(t.c.edit).where(t.c.state.in_(OPEN_STATES)).order_by(t.c.edit)
        with self.engine.connect() as connection:
            return list(connection.scalars(query))

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()


def nothing_to_end(_session: Session) -> None:
    """Reading and writing are one transaction here."""


STANDS = {"memory": MemorySim, "sqlite": SqlSim}
