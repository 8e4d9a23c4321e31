"""Run seeds by hand: ``python -m tests.simulation --seeds 1000 --store memory``."""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.run import Outcome, simulate
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.stands import STANDS


def _one(task: tuple[int, str, str | None]) -> Outcome:
    return simulate(*task)


def main() -> int:
    """Run and print one line of figures; fail on a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many seeds (100)")
    parser.add_argument("--seed", type=int, help="one seed only, or the first of many")
    parser.add_argument("--store", choices=sorted(STANDS), default="memory")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="plant a known bug")
    parser.add_argument("--workers", type=int, default=2)
    told = parser.parse_args()
    first = told.seed or 0
    count = 1 if told.seed is not None and told.seeds is None else told.seeds or 100
    tasks = [(seed, told.store, told.sabotage) for seed in range(first, first + count)]
    began = time.monotonic()
    with ProcessPoolExecutor(told.workers) as pool:
        outcomes = list(pool.map(_one, tasks, chunksize=max(1, min(20, count // 8))))
    failed = [one for one in outcomes if one.violation]
    figures = sum((Counter(one.figures) for one in outcomes), Counter())
    checks = sum((Counter(one.checks) for one in outcomes), Counter())
    print(json.dumps({
        "store": told.store, "sabotage": told.sabotage, "seeds": count, "failed": len(failed),
        "first": [{"seed": one.seed, "violation": one.violation} for one in failed[:5]],
        "seconds": round(time.monotonic() - began, 1), **figures, "checks": dict(checks),
    }, ensure_ascii=False))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
