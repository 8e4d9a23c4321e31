"""Stores for the engine's tests: in memory, SQLite, and PostgreSQL."""

import os
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from app.core.driver import driver
from tests.sync.house import ALL_KINDS, MemoryStand, Phone, SqlStand, Stand
from tests.sync.server import Server
from tests.sync.worker import Worker

GRID = "grid:7"
POSTGRES_URL = "TEST_POSTGRES_URL"
POSTGRES_MISSING = "TEST_POSTGRES_URL is not set: run the tests with `make test`"


def sqlite_engine() -> sa.Engine:
    """Return an engine on a fresh database in memory."""
    return sa.create_engine(
        "sqlite://", module=driver, poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )  # fmt: skip


def postgres_engine() -> sa.Engine:
    """Return an engine on a fresh schema that no other worker uses."""
    assert os.environ.get(POSTGRES_URL), POSTGRES_MISSING
    url = sa.make_url(os.environ[POSTGRES_URL]).set(drivername="postgresql+psycopg")
    schema = f"engine_tests_{os.getpid()}"
    admin = sa.create_engine(url)
    with admin.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    admin.dispose()
    return sa.create_engine(url, connect_args={"options": f"-csearch_path={schema}"})


@pytest.fixture(scope="session", params=["memory", "sqlite", "postgresql"])
def lasting(request: pytest.FixtureRequest) -> Iterator[MemoryStand | SqlStand]:
    """Return each store once for all tests."""
    if request.param == "memory":
        yield MemoryStand()
        return
    engine = sqlite_engine() if request.param == "sqlite" else postgres_engine()
    opened = SqlStand(engine, ALL_KINDS)
    yield opened
    if request.param == "postgresql":
        with engine.begin() as connection:
            connection.execute(sa.text(f"DROP SCHEMA engine_tests_{os.getpid()} CASCADE"))
    engine.dispose()


@pytest.fixture
def stand(lasting: MemoryStand | SqlStand) -> Stand:
    """Return each store in turn, empty."""
    lasting.empty()
    return lasting


@pytest.fixture
def server(stand: Stand) -> Server:
    """Return a server on each store in turn."""
    return Server(stand)


@pytest.fixture
def worker(server: Server) -> Iterator[Callable[[str], Worker]]:
    """Return a maker of workers in one grid."""
    workers: list[Worker] = []

    def make(word: str) -> Worker:
        workers.append(Worker(server, word, len(workers) + 1, (GRID,)))
        return workers[-1]

    yield make
    for one in workers:
        one.connection.close()


@pytest.fixture
def ann(stand: Stand) -> Phone:
    """Return a first phone."""
    return Phone(stand, "ann", user=1)


@pytest.fixture
def bob(stand: Stand) -> Phone:
    """Return a second phone of another worker."""
    return Phone(stand, "bob", user=2)
