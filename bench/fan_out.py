"""Measure how long it takes to hand out one task to every grid of the demo city, and to count them.

The city stands with its 6,093 grids and their workers, without households: a task of a grid does
not look at them. What is timed is the whole transaction, from the request's first statement to
the commit; and the roll-up of the batch, county by county.

    python -m bench.fan_out [--engine sqlite|postgresql] [--rounds 3]
"""

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.areas.models import Area
from app.core.actor import Actor, Post
from app.core.database import Database, Mode, current_database
from app.core.engine import current_engine
from app.core.records import sync_tables
from app.demo.load import load_base
from app.demo.plan import city_plan
from app.tasks import batches
from app.tasks.batches import Wish
from app.tasks.handing_out import WORKERS
from bench.exchange import cpu_ms, postgres_pids
from tests.conftest import ENGINES
from tests.prove.ground import open_app

GOAL_S = 5.0
KIND = "inspection"


@dataclass(frozen=True, slots=True)
class Office:
    """The city's manager at his desk."""

    database: Database
    actor: Actor
    city: int

    def processor_s(self) -> float:
        """Return the processor time so far of this process and of those of the database."""
        database = postgres_pids(self.database)
        ended = cpu_ms(database[:1], reaped=True) - cpu_ms(database[:1])
        return (cpu_ms([os.getpid(), *database]) + ended) / 1000

    def hand_out(self) -> tuple[float, float, Any]:
        """Hand out a task to every grid; return seconds, processor seconds, and the batch."""
        began, spent = time.perf_counter(), self.processor_s()
        with self.database.transaction(Mode.WRITE) as session:
            wish = Wish(KIND, WORKERS, area=self.city)
            batch = batches.create(session, self.actor, wish, key=None)
        return time.perf_counter() - began, self.processor_s() - spent, batch

    def roll_up(self, batch: str) -> tuple[float, Mapping[str, Any]]:
        """Count the tasks of a batch by county and state; return seconds and the counts."""
        began = time.perf_counter()
        with self.database.transaction(Mode.READ) as session:
            found = batches.rolled_up(session, self.actor, batch, None)
        return time.perf_counter() - began, found


def open_office() -> Office:
    """Load the city's areas and people, and seat its manager."""
    database = current_database()
    with database.transaction(Mode.WRITE) as session:
        cast = load_base(session, current_engine(), city_plan(), datetime.now(UTC))
        city = session.execute(sa.select(Area.id, Area.path).where(Area.level == "city")).one()
    user = min(cast.users.values())
    return Office(database, Actor(user, (Post("cm", city.id, city.path, "city", 0),)), city.id)


def measure(engine: str, rounds: int) -> dict[str, Any]:
    """Hand out to the whole city some times, and check what came of it."""
    with open_app(engine):
        office = open_office()
        took = [office.hand_out() for _ in range(rounds)]
        seconds, counts = office.roll_up(took[-1][2].id)
        tasks = took[-1][2].tasks
        assert counts["states"] == {"assigned": tasks}, counts["states"]
        assert feed_rows(office.database) == rounds * tasks
        best = min(took, key=lambda one: one[0])
        spent = round(min(one[1] for one in took), 2)
        return {
            "engine": engine, "tasks": tasks, "unserved": best[2].unserved,
            "best_s": round(best[0], 2), "worst_s": round(max(one[0] for one in took), 2),
            "processor_s": spent, "roll_up_ms": round(seconds * 1000, 1),
            "goal_s": GOAL_S, "ratio": round(best[0] / GOAL_S, 2),
        }  # fmt: skip


def feed_rows(database: Database) -> int:
    """Count the rows that phones are sent: one for each task, in the scope of its grid."""
    with database.transaction(Mode.READ) as session:
        t = sync_tables.feed
        return session.execute(sa.select(sa.func.count()).where(t.c.kind == "task")).scalar_one()


def main() -> None:
    """Measure on one engine or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    for engine in (told.engine,) if told.engine else ENGINES:
        print(json.dumps(measure(engine, told.rounds)), flush=True)


if __name__ == "__main__":
    main()
