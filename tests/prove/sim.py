"""Prove the protocol in a simulated year: 1,000 phones, 1,000,000 edits, all faults, one seed.

The same seed gives the same trace, to the byte of every request and reply, on every engine.

    python -m tests.prove.sim --engine memory --seed 1 [--phones 1000 --edits 1000000 --days 365]
        [--sabotage NAME]
"""

import argparse
import contextlib
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from tests.prove.apart import Apart, Aside
from tests.prove.beside import Beside
from tests.prove.country import ALONE, Country, Plan, kinds_seen
from tests.prove.engines import PostgresSim
from tests.prove.large_pages import LargePages
from tests.prove.plan import look_for_no_garbage, on_stderr, silent
from tests.prove.wide import WideSim
from tests.simulation.demands import Violation
from tests.simulation.run import DETAIL_MAX
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.stands import SqlSim, Stand

ENGINES: Mapping[str, Callable[[], Stand]] = {
    "memory": WideSim, "sqlite": SqlSim, "postgresql": PostgresSim,
}  # fmt: skip


def prove(
    engine: str,
    seed: int,
    plan: Plan,
    sabotage: str | None = None,
    tell: Callable[[str], None] = silent,
    aside: Aside = ALONE,
) -> dict[str, Any]:
    """Live through a plan and tell what was violated."""
    world = Country(seed, ENGINES[engine](), plan, tell, aside)
    began, spent = time.monotonic(), _cpu_s()
    planted = SABOTAGES[sabotage](world) if sabotage else contextlib.nullcontext()
    violations: list[str] = []
    try:
        with planted:
            world.run()
    except Violation as found:
        violations.append(str(found)[:DETAIL_MAX])
    except Exception:
        violations.append(f"error: {traceback.format_exc()[-DETAIL_MAX:]}")
    finally:
        world.close()
    took_s, cpu_s = time.monotonic() - began, _cpu_s() - spent
    return {
        "prover": "sim", "trace": world.trace.hexdigest(), "days": world.day,
        "took_s": round(took_s, 1), "cpu_s": round(cpu_s, 1),
        "edits_per_s": round(world.figures["edits"] / took_s),
        "edits_per_cpu_s": round(world.figures["edits"] / cpu_s),
        **world.figures, "records": kinds_seen(world), "checks": dict(world.checks.done),
        "violations": violations,
    }  # fmt: skip


def _cpu_s() -> float:
    """Return the processor time of this process and of the children that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def main() -> int:
    """Run from the command line: print one line of JSON, fail on a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.sim", description=__doc__)
    parser.add_argument("--engine", choices=sorted(ENGINES), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="plant a known bug")
    for name, default in (("phones", 1000), ("edits", 1_000_000), ("days", 365)):
        parser.add_argument(f"--{name}", type=int, default=default)
    told = parser.parse_args()
    look_for_no_garbage()
    pages = LargePages()

    def tell(word: str) -> None:
        on_stderr(word)
        pages.ask()

    plan = Plan(phones=told.phones, edits=told.edits, days=told.days)
    # Only a store in memory shares nothing with the phones that a process could spoil.
    beside = Aside(lambda: Beside(pages.ask_anew), Apart, pages.ask)
    aside = beside if told.engine == "memory" else ALONE
    found = prove(told.engine, told.seed, plan, told.sabotage, tell, aside)
    print(json.dumps({**vars(told), **found}, ensure_ascii=False))
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
