"""Databases for the tests: each test runs on both engines, on tables that the migrations made.

PostgreSQL comes from ``TEST_POSTGRES_URL`` (``make test`` starts one). Without it the tests
fail with the way to run them: skipping in silence would prove nothing.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from app.core.database import Base, Database, Mode
from app.core.identifiers import new_id
from app.core.roles import grant
from app.core.settings import Settings
from app.core.span import as_house
from app.factory import create_app
from tests import outside

ENGINES = ("sqlite", "postgresql")
POSTGRES_MISSING = "TEST_POSTGRES_URL is not set: run the tests with `make test`"
SECRETS = {
    "SECRET_KEY": "q7Rk2 secret of the tests 9xLw4Vb8",
    "FIELD_KEY": "hJ5m0 field key of the tests 3zTc6",
}
# One client is all the phones of a test, and asks as fast as it can.
UNHURRIED = {"DEVICE_REQUESTS_PER_S": "0"}

# A busy machine makes slow examples; how long one takes proves nothing here.
hypothesis_settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("suite")


COMPILED: dict[object, Callable[..., tuple[str, str]]] = {}
"""What werkzeug has compiled for a route: every test builds the same application."""


def _compile_once(
    compile_builder: Callable[[Rule, bool], Callable[..., tuple[str, str]]],
) -> Callable[[Rule, bool], Callable[..., tuple[str, str]]]:
    def compiled(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (*rule._trace, repr(rule.defaults), append_unknown)
        if key not in COMPILED:
            COMPILED[key] = compile_builder(rule, append_unknown)
        return COMPILED[key]

    return compiled


# Compiling the routes again for each test would take a quarter of the suite's time.
Rule._compile_builder = _compile_once(Rule._compile_builder)  # type: ignore[method-assign]

OWNERS: dict[str, str] = {}
"""For each database on which a test serves in the server's own role, the owner's address."""


def settings_for(url: str, data_dir: Path, **more: str) -> Settings:
    """Return settings for a database of the tests."""
    more = {"MIGRATE_URL": OWNERS[url], **more} if url in OWNERS else more
    environment = {"DATABASE_URL": url, "DATA_DIR": str(data_dir), "POOL_SIZE": "24", **UNHURRIED}
    return Settings.from_environment({**SECRETS, **environment, **more})


def in_own_role(url: str) -> str:
    """Return the address by which the server's own role uses a migrated database.

    Tests that ran as a superuser would prove nothing of row-level security.
    """
    owner = sa.create_engine(url)
    role = "wangge_server_of_tests"
    with owner.begin() as connection:
        # Several test runs may meet here; the first one makes the role.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(0)"))
        known = connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"),
                                   {"role": role}).first()  # fmt: skip
        if known is None:
            connection.execute(sa.text(f"CREATE ROLE {role} LOGIN"))
        grant(connection, role)
    owner.dispose()
    own = sa.make_url(url).set(username=role).render_as_string(hide_password=False)
    OWNERS[own] = url
    return own


@contextmanager
def as_owner(database: Database) -> Iterator[sa.Connection]:
    """Open a transaction of the owner of the tables, who may do what the server's role may not."""
    with database.migrating() as connection:
        with connection.begin():
            yield connection


def _migrated(url: str, data_dir: Path) -> None:
    app = create_app(settings_for(url, data_dir))
    with app.app_context():
        upgrade()
    app.extensions["wangge_database"].dispose()


@pytest.fixture(scope="session", autouse=True)
def nothing_outside() -> Iterator[list[str]]:
    """Refuse every connection beyond this machine: the server asks nobody outside for anything."""
    with outside.refused() as tried:
        yield tried
    assert not tried, f"asked outside: {tried}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty SQLite file to copy."""
    folder = tmp_path_factory.mktemp("template")
    path = folder / "wangge.db"
    _migrated(f"sqlite:///{path}", folder)
    return path


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a migrated database of this worker's own."""
    base = os.environ.get("TEST_POSTGRES_URL")
    assert base, POSTGRES_MISSING
    admin_url = sa.make_url(base).set(drivername="postgresql+psycopg")
    name = f"wangge_test_{os.getpid()}"
    admin = sa.create_engine(admin_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))
    url = admin_url.set(database=name)
    inside = sa.create_engine(url)
    with inside.begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION postgis"))
    inside.dispose()
    shown = url.render_as_string(hide_password=False)
    _migrated(shown, tmp_path_factory.mktemp("postgres"))
    yield in_own_role(shown)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def empty(url: str) -> None:
    """Empty every table of a PostgreSQL database, and begin a new epoch.

    The tables are small: deleting takes a tenth of the time that TRUNCATE needs for new files.
    """
    engine = sa.create_engine(OWNERS.get(url, url))
    names = [table.name for table in reversed(Base.metadata.sorted_tables)]
    sequences = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S'"
    with engine.begin() as connection:
        # The audit log refuses to be emptied; only a superuser of a test may.
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("; ".join(f'DELETE FROM "{name}"' for name in names)))
        for sequence in connection.execute(sa.text(sequences)).scalars().all():
            connection.execute(sa.text(f"ALTER SEQUENCE {sequence} RESTART"))
        meta = Base.metadata.tables["sync_meta"]
        connection.execute(sa.insert(meta).values(name="epoch", value=new_id()))
    engine.dispose()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty, migrated database on each engine in turn."""
    if request.param == "sqlite":
        path = tmp_path / "wangge.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgres_url")
    empty(url)
    return url


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """Return the application on each engine in turn, with its context open."""
    app = create_app(settings_for(database_url, tmp_path))
    with app.app_context():
        yield app
    app.extensions["wangge_database"].dispose()


@pytest.fixture(autouse=True)
def hand_of_the_house() -> Iterator[None]:
    """Let the tests themselves see everything; requests see what their callers may."""
    with as_house():
        yield


@pytest.fixture
def database(app: Flask) -> Database:
    """Return the application's database."""
    database: Database = app.extensions["wangge_database"]
    return database


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """Return a session in a writing transaction, committed at the end of the test."""
    with database.transaction(Mode.WRITE) as session:
        yield session


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of the application."""
    return app.test_client()
