"""A small township of the demo, loaded on each engine in turn."""

from dataclasses import dataclass
from datetime import date

import pytest
from click.testing import Result
from flask import Flask

from app.core.database import Database
from app.core.engine import Engine, current_engine
from app.demo.plan import CityPlan, city_plan

SMALL_TOWNSHIP = "620423205"
"""五佛乡: 29 grids, 1,593 households."""
DAY = "2026-03-02"


@dataclass(frozen=True)
class Loaded:
    """A database with a township in it."""

    app: Flask
    database: Database
    engine: Engine
    plan: CityPlan
    day: date


def run(app: Flask, *words: str) -> Result:
    """Run a command of the demo."""
    return app.test_cli_runner().invoke(args=["demo", *words])


@pytest.fixture
def loaded(app: Flask, database: Database) -> Loaded:
    """Return a database into which the township was loaded."""
    result = run(app, "township", "--code", SMALL_TOWNSHIP, "--day", DAY)
    assert result.exit_code == 0, result.output
    plan = city_plan().only(SMALL_TOWNSHIP)
    return Loaded(app, database, current_engine(), plan, date.fromisoformat(DAY))
