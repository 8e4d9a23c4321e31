"""Prove that the whole day of a township plays without an error, and ends equal everywhere.

A real township of the demo, with the work of yesterday in it: 80 grids, their offices at their
desks, and workers with real phones, some of which are out of reach for hours or for all day. By
the hour the office gives out tasks, notices and an emergency order; workers do their rounds,
report incidents with photos, take steps, knock at doors; all of it over HTTP, through a network
that loses and cuts. In the evening every phone holds what the server holds, no edit is missing,
and the numbers are those that can be counted on the phones.

    python -m tests.prove.day --engine sqlite --seed 1 --grids 80 [--sabotage claim_overwritten]
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.core.jobs import worker_of
from tests.prove.day_desks import give_order, open_up, sit
from tests.prove.day_ends import states, violations
from tests.prove.day_field import FIRST_HOUR, LAST_HOUR, spoil, sync, work
from tests.prove.day_sabotage import SABOTAGES, planted
from tests.prove.day_stage import Stage, open_stage
from tests.prove.ground import run_as_command

ORDER_HOUR = 8
EVENINGS = 3
"""After the last hour all are in reach: so often everybody syncs until nothing moves."""
SHORT = {"engine": "sqlite", "seed": 2, "grids": 3, "phones": 2}
__all__ = ["SABOTAGES"]


class _Ears(logging.Handler):
    """Hears what the server takes for an error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said."""
        self.heard.append(record.getMessage())


def prove(
    engine: str, seed: int, grids: int = 80, phones: int = 4, sabotage: str | None = None
) -> dict[str, Any]:
    """Play the day, and tell what is not as it should be in the evening."""
    began = time.monotonic()
    with _listening() as heard, open_stage(engine, seed, grids=grids, phones=phones) as stage:
        with planted(sabotage):
            _play(stage)
            found = violations(stage) + [f"the server says: {words}" for words in heard]
        return {
            "prover": "day", "grids": len(stage.grids), "phones": len(stage.hands),
            "edits": sum(len(hand.phone.made) for hand in stage.hands),
            "kinds": _kinds(stage), "states": states(stage),
            "broken": sum(hand.broken for hand in stage.hands),
            "took_s": round(time.monotonic() - began, 1), "violations": found,
        }  # fmt: skip


@contextmanager
def _listening() -> Iterator[list[str]]:
    ears, log = _Ears(), logging.getLogger("wangge")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    log.addHandler(ears)
    try:
        yield ears.heard
    finally:
        log.removeHandler(ears)


def _play(stage: Stage) -> None:
    chance, worker = random.Random(f"{stage.seed}"), worker_of(stage.app)
    worker.prepare()
    open_up(stage)
    for hour in range(FIRST_HOUR, LAST_HOUR + 1):
        if hour == ORDER_HOUR:
            give_order(stage)
        for hand in chance.sample(stage.hands, len(stage.hands)):
            if hour not in hand.away:
                spoil(stage, chance)
                sync(stage, hand, chance)
            work(stage, hand, hour)
        sit(stage, hour)
        worker.work_off()
    _go_home(stage)


def _go_home(stage: Stage) -> None:
    """Let everybody sync over a good network until nobody has anything new."""
    chance = random.Random(f"{stage.seed} evening")
    for _ in range(EVENINGS):
        for hand in stage.hands:
            sync(stage, hand, chance)
        worker_of(stage.app).work_off()
    for hand in stage.hands:
        sync(stage, hand, chance)


def _kinds(stage: Stage) -> dict[str, int]:
    counts = Counter(kind for hand in stage.hands for _, kind, _ in hand.phone.made.values())
    return dict(sorted(counts.items()))


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"grids": 80, "phones": 4})
