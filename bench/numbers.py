"""Measure how long all numbers of a township, a county and the city take to read.

Load the demo city first (`flask demo city`), then run in the same environment:

    python -m bench.numbers [--times 5]
"""

import argparse
import statistics
import time
from datetime import UTC, datetime

import sqlalchemy as sa

from app.areas.models import Area
from app.core.actor import Actor, Post
from app.core.database import Database, Mode
from app.factory import create_app
from app.numbers import services
from app.numbers.periods import KINDS
from app.numbers.services import Wish

GOALS_MS = {"township": 100, "county": 500, "city": 500}


def largest(database: Database, level: str) -> int:
    """Return the area of a level with the most grids."""
    grid, area = sa.orm.aliased(Area), Area
    inside = sa.and_(grid.path > area.path, grid.path < area.path + "~", grid.level == "grid")
    query = (
        sa.select(area.id)
        .join(grid, inside)
        .where(area.level == level)
        .group_by(area.id)
        .order_by(sa.func.count().desc())
        .limit(1)
    )
    with database.transaction(Mode.READ) as session:
        return session.execute(query).scalar_one()


def read_ms(database: Database, area: int, kind: str) -> float:
    """Return how long one reading takes, from the question to the last cell."""
    root = Post("cm", 1, "1.", "city", 0)
    start = time.perf_counter()
    with database.transaction(Mode.READ) as session:
        now = datetime.now(UTC)
        services.table(session, Actor(1, (root,)), Wish(area, kind, None), now)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Measure and print; fail when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    app = create_app()
    database: Database = app.extensions["wangge_database"]
    missed = False
    for level, goal_ms in GOALS_MS.items():
        area = largest(database, level)
        for kind in KINDS:
            with app.app_context():
                took = statistics.median(read_ms(database, area, kind) for _ in range(times))
            missed = missed or took > goal_ms
            print(f"{database.engine.dialect.name} {level:9} {kind:8} {took:7.1f} ms "
                  f"(goal {goal_ms})")  # fmt: skip
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
