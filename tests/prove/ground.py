"""Where provers run: a migrated database of their own, with a county, its people and phones."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from app.core.database import Database, Mode
from app.core.span import as_house
from app.factory import create_app
from tests.app.core.county import County, draw_borders, open_county
from tests.app.identity.town import settle
from tests.conftest import (
    ENGINES,
    OWNERS,
    POSTGRES_MISSING,
    SECRETS,
    UNHURRIED,
    in_own_role,
    settings_for,
)


@dataclass(frozen=True)
class Ground:
    """A county on a database of its own.

    Attributes:
        environment: the settings with which a server serves the same database.
    """

    county: County
    environment: Mapping[str, str]

    @property
    def database(self) -> Database:
        """Return the database."""
        return self.county.database


@contextmanager
def open_ground(engine: str, server: str | None = None) -> Iterator[Ground]:
    """Make a database on an engine, settle the county in it, and remove it at the end.

    Args:
        server: the PostgreSQL to make it on; None takes that of ``TEST_POSTGRES_URL``.
    """
    with open_app(engine, server) as (app, environment):
        county = open_county(app, app.test_client())
        settle(county)
        with county.database.transaction(Mode.WRITE) as session:
            draw_borders(session)
        yield Ground(county, environment)


@contextmanager
def open_app(engine: str, server: str | None = None) -> Iterator[tuple[Flask, Mapping[str, str]]]:
    """Make an empty database on an engine, migrated, and remove it at the end.

    Yields:
        The application in its context, and the settings of a server of the same database.
    """
    with tempfile.TemporaryDirectory(prefix="wangge-prove-") as folder:
        with _database(engine, Path(folder), server) as url:
            app = create_app(settings_for(url, Path(folder), POOL_SIZE="32"))
            with app.app_context():
                upgrade()
            if engine != "sqlite":
                app.extensions["wangge_database"].dispose()
                url = in_own_role(url)
                app = create_app(settings_for(url, Path(folder), POOL_SIZE="32"))
            with app.app_context(), as_house():
                owner = OWNERS.get(url, url)
                yield app, {**SECRETS, **UNHURRIED, "DATABASE_URL": url, "MIGRATE_URL": owner,
                            "DATA_DIR": folder}  # fmt: skip
            app.extensions["wangge_database"].dispose()


@contextmanager
def _database(engine: str, folder: Path, server: str | None) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder}/wangge.db"
        return
    base = server or os.environ.get("TEST_POSTGRES_URL")
    assert base, POSTGRES_MISSING
    url = sa.make_url(base).set(drivername="postgresql+psycopg")
    name = f"wangge_prove_{os.getpid()}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))
    try:
        yield _with_postgis(url.set(database=name))
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def _with_postgis(url: sa.URL) -> str:
    inside = sa.create_engine(url)
    with inside.begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION postgis"))
    inside.dispose()
    return url.render_as_string(hide_password=False)


def run_as_command(
    prove: Callable[..., dict[str, Any]], sabotages: Sequence[str], *, more: Mapping[str, int]
) -> None:
    """Run a prover from the command line: print one line of JSON, exit 1 on a violation.

    Args:
        more: further whole numbers that the prover takes, with their defaults.
    """
    parser = argparse.ArgumentParser(description=prove.__doc__)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", choices=sorted(sabotages), help="plant a known bug")
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    told = vars(parser.parse_args())
    found = prove(**told)
    print(json.dumps({**told, **found}, ensure_ascii=False))
    sys.exit(bool(found["violations"]))
