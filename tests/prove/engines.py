"""The stores of the simulation on any engine, PostgreSQL too, with backups that can be restored."""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from sync.stores.sql import SqlStore
from sync.stores.tables import EPOCH
from tests.conftest import POSTGRES_MISSING
from tests.simulation.stands import SqlSim, nothing_to_end
from tests.sync.house import ALL_KINDS, Envelope, SqlStand


class PlainEpochs(SqlStore):
    """A store whose epoch is the one that is written down, so that all engines say the same.

    What PostgreSQL adds to it differs from database to database; ``timetravel`` looks after that.
    """

    def epoch(self) -> str:
        """Return the present epoch."""
        meta = self.tables.meta
        asked = sa.select(meta.c.value).where(meta.c.name == EPOCH)
        return str(self.session.execute(asked).scalar_one())


class EngineSim(SqlSim):
    """The store on one engine, in tables of its own."""

    def __init__(self, engine: sa.Engine) -> None:
        self.seal = Envelope()
        self.keeps_torn_writes = False
        SqlStand.__init__(self, engine, ALL_KINDS)

    def _store(self, session: Session) -> PlainEpochs:
        return PlainEpochs(session, self.tables, self.kinds, self.seal, nothing_to_end)


class PostgresSim(EngineSim):
    """The store on PostgreSQL; a backup is a second set of tables."""

    def __init__(self) -> None:
        self._back = ExitStack()
        self._copies = itertools.count()
        super().__init__(self._back.enter_context(open_schema("sim")))

    def backup(self) -> Any:
        """Return the name of a copy of all tables."""
        name = f"copy_{next(self._copies)}"
        with self.engine.begin() as connection:
            for table in self.metadata.tables:
                connection.execute(sa.text(f"CREATE TABLE {name}_{table} AS TABLE {table}"))
        return name

    def restore(self, copy: Any, epoch: str) -> None:
        """Go back to a copy."""
        meta = self.tables.meta
        with self.engine.begin() as connection:
            for table in self.metadata.tables:
                connection.execute(sa.text(f"DELETE FROM {table}"))
                connection.execute(sa.text(f"INSERT INTO {table} TABLE {copy}_{table}"))
            connection.execute(sa.update(meta).where(meta.c.name == EPOCH).values(value=epoch))

    def close(self) -> None:
        """Remove everything."""
        self._back.close()


@contextmanager
def open_schema(word: str) -> Iterator[sa.Engine]:
    """Open a schema of its own; nobody waits for the disk, since nothing here is to last."""
    assert os.environ.get("TEST_POSTGRES_URL"), POSTGRES_MISSING
    url = sa.make_url(os.environ["TEST_POSTGRES_URL"]).set(drivername="postgresql+psycopg")
    schema = f"{word}_{os.getpid()}"
    admin = sa.create_engine(url)
    with admin.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    options = f"-csearch_path={schema} -csynchronous_commit=off"
    engine = sa.create_engine(url, connect_args={"options": options})
    try:
        yield engine
    finally:
        engine.dispose()
        with admin.begin() as connection:
            connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
        admin.dispose()
