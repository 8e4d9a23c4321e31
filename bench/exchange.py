"""Measure what one phone costs the server: push 20 edits and pull 50 records, everything on.

The real server (granian) answers over HTTP; the processor time of its processes and of those of
the database is read from /proc, user and system, so that a busy machine changes little.

    python -m bench.exchange [--engine sqlite|postgresql] [--phones 200] [--profile]
"""

import argparse
import cProfile
import gzip
import http.client
import json
import os
import pstats
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.core.database import Database
from bench.grids import Crew, Worker, edits_of_a_day
from tests.conftest import ENGINES
from tests.prove.ground import Ground, open_ground
from tests.prove.server import Server

GOAL_MS = 3.0
PUSHED, PULLED = 20, 50
WARM_UP = 20
CLIENTS = 4
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
EXCHANGE = "/api/v1/sync/exchange"


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time in milliseconds since the processes began."""

    application: float
    database: float

    def since(self, before: "Cost") -> "Cost":
        """Return what came on top."""
        return Cost(self.application - before.application, self.database - before.database)


def cpu_ms(pids: Sequence[int], *, reaped: bool = False) -> float:
    """Return the processor time of processes, with that of children that have ended if told."""
    ticks = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        ticks += sum(int(word) for word in words[11 : 15 if reaped else 13])
    return ticks * 1000 / TICKS_PER_S


def postgres_pids(opened: Database) -> list[int]:
    """Return the processes of the PostgreSQL server, the first one first; none on SQLite."""
    if opened.is_sqlite:
        return []
    with opened.engine.connect() as connection:
        backend = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    words = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
    first = int(words[1])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


@dataclass
class Bench:
    """One engine with its server and its phones."""

    ground: Ground
    server: Server

    def cost(self) -> Cost:
        """Read the clocks of all processes."""
        database = postgres_pids(self.ground.database)
        ended = cpu_ms(database[:1], reaped=True) - cpu_ms(database[:1])
        return Cost(cpu_ms(self.server.pids()), cpu_ms(database) + ended)

    def exchange(self, worker: Worker, edits: list[dict[str, Any]]) -> tuple[float, int, Any]:
        """Send an exchange packed, as phones do; return seconds, bytes and the answer."""
        body = {"device": worker.device, "schema": 1, "cursor": worker.cursor, "edits": edits}
        packed = gzip.compress(json.dumps(body, ensure_ascii=False).encode(), 6)
        headers = {**worker.headers, "Content-Type": "application/json",
                   "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}  # fmt: skip
        began = time.perf_counter()
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        line.request("POST", EXCHANGE, packed, headers)
        reply = line.getresponse()
        raw = reply.read()
        line.close()
        took = time.perf_counter() - began
        plain = gzip.decompress(raw) if reply.headers.get("Content-Encoding") == "gzip" else raw
        assert reply.status == 200, plain[:500]
        return took, len(raw), json.loads(plain)


def checked(answer: Mapping[str, Any]) -> None:
    """See that the answer holds what is measured: 20 applied, 50 pulled."""
    results = answer["push"]["results"]
    assert [one["status"] for one in results] == ["applied"] * PUSHED, results
    assert len(answer["pull"]["items"]) == PULLED, len(answer["pull"]["items"])
    assert answer["pull"]["complete"]


def first_contact(bench: Bench, workers: Sequence[Worker]) -> None:
    """Let every phone take its first cursor, before its grid holds anything."""
    for worker in workers:
        worker.cursor = bench.exchange(worker, [])[2]["pull"]["to"]


def measure(engine: str, phones: int) -> dict[str, Any]:
    """Measure one engine."""
    with open_ground(engine) as ground:
        crew = Crew.gather(ground, phones + WARM_UP)
        bench = Bench(ground, Server(ground.environment))
        bench.server.start()
        try:
            first_contact(bench, crew.workers)
            crew.fill()
            return _measured(bench, crew.workers)
        finally:
            bench.server.stop()


def _measured(bench: Bench, workers: Sequence[Worker]) -> dict[str, Any]:
    work = [(worker, edits_of_a_day(worker)) for worker in workers]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda one: bench.exchange(*one), work[:WARM_UP]))
        before, began = bench.cost(), time.perf_counter()
        replies = list(pool.map(lambda one: bench.exchange(*one), work[WARM_UP:]))
        took, spent = time.perf_counter() - began, bench.cost().since(before)
    for _, _, answer in replies:
        checked(answer)
    count = len(replies)
    return {
        "application_ms": round(spent.application / count, 2),
        "database_ms": round(spent.database / count, 2),
        "total_ms": round((spent.application + spent.database) / count, 2),
        "latency_ms": round(statistics.median(one[0] for one in replies) * 1000, 1),
        "phones_per_s": round(count / took, 1),
        "answer_bytes": round(statistics.mean(one[1] for one in replies)),
    }  # fmt: skip


def profile(engine: str, phones: int) -> None:
    """Print where the application spends its time, measured within one process."""
    with open_ground(engine) as ground:
        crew = Crew.gather(ground, phones + WARM_UP)
        client = ground.county.client

        def ask(worker: Worker, edits: list[dict[str, Any]]) -> Any:
            body = {"device": worker.device, "cursor": worker.cursor, "edits": edits}
            return client.post(EXCHANGE, json=body, headers=worker.headers)

        for worker in crew.workers:
            worker.cursor = ask(worker, []).get_json()["pull"]["to"]
        crew.fill()
        work = [(worker, edits_of_a_day(worker)) for worker in crew.workers]
        for one in work[:WARM_UP]:
            ask(*one)
        profiler = cProfile.Profile(time.thread_time)
        replies = [profiler.runcall(ask, *one) for one in work[WARM_UP:]]
        for reply in replies:
            checked(reply.get_json())
        _print_profile(profiler, phones)


def _print_profile(profiler: cProfile.Profile, phones: int) -> None:
    stats = pstats.Stats(profiler)
    found: Mapping[tuple[str, int, str], Any] = stats.stats  # type: ignore[attr-defined]
    orders: tuple[tuple[str, Callable[[Any], float]], ...] = (
        ("own time", lambda row: row[1][2]), ("with what it calls", lambda row: row[1][3]),
    )  # fmt: skip
    for title, order in orders:
        print(f"\nms per phone, {title}:")
        for (file, line, name), row in sorted(found.items(), key=order, reverse=True)[:45]:
            own, whole = row[2] * 1000 / phones, row[3] * 1000 / phones
            place = f"{'/'.join(Path(file).parts[-3:])}:{line}"
            print(f"{own:7.3f} {whole:7.3f} {row[0] / phones:8.1f} calls  {name}  {place}")


def main() -> None:
    """Measure, and print the figures beside the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--phones", type=int, default=200)
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead")
    told = parser.parse_args()
    for engine in told.engine or ENGINES:
        if told.profile:
            profile(engine, told.phones)
            continue
        found = measure(engine, told.phones)
        verdict = "reached" if found["total_ms"] <= GOAL_MS else "missed"
        print(json.dumps({"engine": engine, "phones": told.phones, **found}))
        print(f"{engine}: {found['total_ms']} CPU-ms a phone (push {PUSHED} + pull {PULLED}); "
              f"goal {GOAL_MS} ms {verdict}")  # fmt: skip


if __name__ == "__main__":
    main()
