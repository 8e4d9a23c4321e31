"""Open the engine and its transactions; the one place that knows how the two engines lock.

A transaction has a mode, because SQLite and PostgreSQL need different words for the same wish:

* ``Mode.LOOK``: one statement, for which PostgreSQL needs no transaction at all.
* ``Mode.READ``: one snapshot (deferred; repeatable read); nothing is written in it but, at its
  end, that it was read.
* ``Mode.WRITE``: writes from the first statement (``BEGIN IMMEDIATE``; read committed).
* ``Mode.MERGE``: reads and computes first and calls :func:`begin_writing` before its first
  write. On SQLite the computing happens outside the write lock, and what was read is checked
  again by the writes themselves; on PostgreSQL row locks have held it since it was read.
"""

import enum
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app, g
from psycopg.types.string import TextLoader
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

from app.core import spanned
from app.core.driver import driver, load_spatialite
from app.core.standby import Standby

BUSY_TIMEOUT_MS = 20_000
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table."""

    metadata = sa.MetaData(naming_convention=NAMING)


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """An aware moment, kept in UTC on both engines; naive values are refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Turn an aware moment into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without its zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the moment its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Mode(enum.Enum):
    """What a transaction is going to do."""

    LOOK = "look"
    READ = "read"
    WRITE = "write"
    MERGE = "merge"


_ISOLATION = {Mode.LOOK: "AUTOCOMMIT", Mode.READ: "REPEATABLE READ"}


class Turnstile:
    """A lock that is given in the order in which it was asked for.

    SQLite lets waiting writers sleep and try again, so the unlucky starve; writers of one
    process queue here instead.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Lock] = deque()
        self._taken = False

    def acquire(self) -> None:
        """Wait for the turn."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._queue.append(ticket)
        ticket.acquire()

    def release(self) -> None:
        """Hand the turn to the one who has waited longest."""
        with self._guard:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._taken = False


class UnsafeEngine(RuntimeError):
    """The database would lose acknowledged work as it is set; the message holds the mend."""


class Database:
    """One engine and the ways to open a transaction on it."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 16,
        standby_url: str | None = None,
        migrate_url: str | None = None,
    ) -> None:
        self.url = sa.make_url(url)
        self.migrate_url = sa.make_url(migrate_url or url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.metadata = Base.metadata
        self._turnstile = Turnstile()
        # What the process does now and then, while no transaction is open.
        self.before: Callable[[], object] | None = None
        self.engine = self._open_sqlite(pool_size) if self.is_sqlite else self._open(pool_size)
        self.standby = Standby(standby_url, pool_size=pool_size) if standby_url else None

    def _open(self, pool_size: int) -> sa.Engine:
        engine = sa.create_engine(
            self.url, pool_size=pool_size, max_overflow=0, pool_timeout=20, hide_parameters=True
        )
        sa.event.listen(engine, "connect", _prepare_postgres_connection)
        spanned.watch(engine, is_sqlite=False)
        return engine

    def _open_sqlite(self, pool_size: int) -> sa.Engine:
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            self.url,
            module=driver,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=20,
            hide_parameters=True,
            connect_args={"check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _prepare_sqlite_connection)
        sa.event.listen(engine, "begin", _begin_sqlite)
        spanned.watch(engine, is_sqlite=True)
        return engine

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """Open a connection that may change tables: the owner's, and behind the views of SQLite."""
        engine = self.engine
        if not self.is_sqlite:
            engine = sa.create_engine(self.migrate_url)
        try:
            with engine.connect() as connection:
                if self.is_sqlite:
                    spanned.unshadow(connection.connection.cursor())
                else:
                    spanned.see_all(connection.connection.cursor())
                try:
                    yield connection
                finally:
                    connection.invalidate()
        finally:
            if engine is not self.engine:
                engine.dispose()

    @contextmanager
    def owning(self) -> Iterator[Session]:
        """Open a session of the owner of the tables, for what the server's own role may not do."""
        if self.is_sqlite or self.migrate_url == self.url:
            with self.transaction(Mode.WRITE) as session:
                yield session
            return
        engine = sa.create_engine(self.migrate_url, hide_parameters=True)
        try:
            with Session(engine) as session, session.begin():
                yield session
        finally:
            engine.dispose()

    @contextmanager
    def transaction(self, mode: Mode) -> Iterator[Session]:
        """Open a session in one transaction; commit at the end, roll back on any error."""
        if self.before:
            self.before()
        session = Session(self.engine, expire_on_commit=False, autoflush=False)
        session.info["database"] = self
        try:
            self._begin(session, mode)
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
            if session.info.pop("turn", False):
                self._turnstile.release()

    def _begin(self, session: Session, mode: Mode) -> None:
        if self.is_sqlite:
            if mode is Mode.WRITE:
                self._begin_immediate(session)
        elif mode in _ISOLATION:
            session.connection(execution_options={"isolation_level": _ISOLATION[mode]})

    def _begin_immediate(self, session: Session) -> None:
        self._turnstile.acquire()
        session.info["turn"] = True
        session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})

    def begin_writing(self, session: Session) -> None:
        """End the reading half of a ``Mode.MERGE`` transaction."""
        if self.is_sqlite and not session.info.get("turn"):
            session.commit()
            self._begin_immediate(session)

    def check(self) -> None:
        """Refuse to serve on settings that lose acknowledged work or enforce nothing.

        Raises:
            UnsafeEngine: with what to change.
        """
        with self.engine.connect() as connection:
            problems = (
                _sqlite_faults(connection) if self.is_sqlite else _postgres_faults(connection)
            )
        if problems:
            raise UnsafeEngine("; ".join(problems))

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        if self.standby:
            self.standby.dispose()


def _prepare_postgres_connection(connection: Any, _record: object) -> None:
    """Take ids as the texts that they are inside the house, not as objects."""
    connection.adapters.register_loader("uuid", TextLoader)


def _prepare_sqlite_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    load_spatialite(connection)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-65536")
    # What was erased must not lie about in free pages.
    cursor.execute("PRAGMA secure_delete=ON")
    if not cursor.execute("SELECT CheckSpatialMetaData()").fetchone()[0]:
        cursor.execute("SELECT InitSpatialMetaData(1, 'WGS84')")
    spanned.shadow(cursor)
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    word = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {word}")


def _sqlite_faults(connection: sa.Connection) -> list[str]:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
    return [
        f"SQLite runs with {name}={found[name]}: set PRAGMA {name}={value}"
        for name, value in wanted.items()
        if found[name] != value
    ]


def _postgres_faults(connection: sa.Connection) -> list[str]:
    faults = []
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if connection.exec_driver_sql(f"SHOW {name}").scalar() == "off":
            faults.append(f"PostgreSQL runs with {name}=off: ALTER SYSTEM SET {name}=on and reload")
    if connection.exec_driver_sql("SHOW server_encoding").scalar() != "UTF8":
        faults.append(
            "the database is not UTF-8: create it with ENCODING 'UTF8' TEMPLATE template0"
        )
    installed = "SELECT count(*) FROM pg_extension WHERE extname='postgis'"
    if not connection.exec_driver_sql(installed).scalar():
        faults.append("PostGIS is missing in the database: CREATE EXTENSION postgis")
    return faults


def current_database() -> Database:
    """Return the database of the running application."""
    database: Database = current_app.extensions["wangge_database"]
    return database


def current_session() -> Session:
    """Return the session that the guard opened for this request."""
    session: Session = g.session
    return session


def begin_writing(session: Session) -> None:
    """End the reading half of a ``Mode.MERGE`` transaction (nothing to do on PostgreSQL)."""
    session.info["database"].begin_writing(session)


def lost_a_race(error: sa.exc.DBAPIError) -> bool:
    """Tell whether a transaction was ended for another's sake and may simply be repeated."""
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


def lock_rows(statement: sa.Select[Any]) -> sa.Select[Any]:
    """Lock the rows that a statement reads, where the engine has row locks."""
    return statement.with_for_update()


def insert_into(session: Session, table: Any) -> Any:
    """Return an insertion that knows ``ON CONFLICT``, in the dialect of the session."""
    is_sqlite = session.info["database"].is_sqlite
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)


def table_of(model: type[Base]) -> sa.Table:
    """Return the plain table of a model, for statements that need no objects."""
    table = model.__table__
    assert isinstance(table, sa.Table), "our models are tables, not joins"
    return table
