"""Stores for the engine's tests: in memory, SQLite, and PostgreSQL where there is one."""

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from app.core.driver import driver
from tests.sync.house import ALL_KINDS, MemoryStand, Phone, SqlStand, Stand

POSTGRES_URL = "TEST_POSTGRES_URL"


def sqlite_engine() -> sa.Engine:
    """Return an engine on a fresh database in memory."""
    return sa.create_engine(
        "sqlite://", module=driver, poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )  # fmt: skip


def postgres_engine() -> sa.Engine:
    """Return an engine on a schema of its own."""
    url = sa.make_url(os.environ[POSTGRES_URL]).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url)
    with admin.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS engine_tests CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA engine_tests"))
    admin.dispose()
    return sa.create_engine(url, connect_args={"options": "-csearch_path=engine_tests"})


def _stands() -> list[str]:
    return ["memory", "sqlite", "postgresql"]


@pytest.fixture(params=_stands())
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Return each store in turn, empty."""
    if request.param == "memory":
        yield MemoryStand()
        return
    engine = sqlite_engine() if request.param == "sqlite" else postgres_engine()
    opened = SqlStand(engine, ALL_KINDS)
    yield opened
    opened.close()


@pytest.fixture
def ann(stand: Stand) -> Phone:
    """Return a first phone."""
    return Phone(stand, "ann", user=1)


@pytest.fixture
def bob(stand: Stand) -> Phone:
    """Return a second phone of another worker."""
    return Phone(stand, "bob", user=2)
