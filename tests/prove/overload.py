"""Prove that one phone that asks without end costs the others nothing.

Healthy phones exchange with the real server, first alone and then beside one that loops as fast
as it can. It is told 429 and nobody else; what 99 of 100 healthy answers take stays.

    python -m tests.prove.overload --engine sqlite --seconds 20 --seed 1 [--sabotage no_budget]
"""

import threading
from collections.abc import Mapping
from typing import Any

from tests.prove.ground import open_ground, run_as_command
from tests.prove.healthy import Phone, let_work, phones_of, plain_line, too_slow
from tests.prove.server import Server

HEALTHY = 8
PER_S = 3
QUICK_S = 0.1
LOOPS_A_SECOND = 50
HANDS = 4
SABOTAGES = ("no_budget",)
WITHOUT = {"DEVICE_REQUESTS_PER_S": "0"}


def prove(
    engine: str, *, seconds: int = 20, seed: int = 1, sabotage: str | None = None
) -> dict[str, Any]:
    """Let one phone loop beside healthy ones, and compare what their answers take."""
    budget = {"DEVICE_REQUESTS_PER_S": str(PER_S), **(WITHOUT if sabotage else {})}
    with open_ground(engine) as ground:
        server = Server({**ground.environment, **budget})
        server.start()
        try:
            return _compared(ground, server, seconds)
        finally:
            server.stop()


def _compared(ground: Any, server: Server, seconds: int) -> dict[str, Any]:
    phones = phones_of(ground.county, HEALTHY + 1, lambda: plain_line(server.port))
    healthy, looping = phones[:-1], phones[-1]
    hands = [Phone(looping.headers, looping.body, plain_line(server.port), seen=looping.seen)
             for _ in range(HANDS)]  # fmt: skip
    alone_s = let_work(healthy, seconds / 2)
    stopping = threading.Event()
    threads = [threading.Thread(target=_loop, args=(hand, stopping)) for hand in hands]
    for thread in threads:
        thread.start()
    # What was saved up for ten seconds goes first.
    let_work(healthy, PER_S * 10 / LOOPS_A_SECOND + 1)
    beside_s = let_work(healthy, seconds / 2)
    stopping.set()
    for thread in threads:
        thread.join()
    for phone in (*phones, *hands):
        phone.line.close()
    seen = sum((phone.seen for phone in healthy), start=type(looping.seen)())
    return {
        "p99_alone_ms": round(alone_s * 1000, 1), "p99_beside_ms": round(beside_s * 1000, 1),
        "ratio": round(beside_s / alone_s, 2), "healthy": dict(seen),
        "looping": dict(looping.seen),
        "violations": [*_violations(seen, looping),
                       *too_slow(alone_s, beside_s, quick_s=QUICK_S, seconds=seconds)],
    }  # fmt: skip


def _loop(phone: Phone, stopping: threading.Event) -> None:
    while not stopping.is_set():
        phone.ask()
        stopping.wait(HANDS / LOOPS_A_SECOND)


def _violations(seen: Mapping[int, int], looping: Phone) -> list[str]:
    found = []
    if set(seen) != {200}:
        found.append(f"healthy phones were answered {dict(seen)}")
    if not looping.seen[429]:
        found.append(f"the looping phone was never slowed: {dict(looping.seen)}")
    return found


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"seconds": 20})
