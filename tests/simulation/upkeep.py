"""The operator of the simulated server: compaction with short times, and erasure by law."""

import random
from collections.abc import Sequence
from typing import Any

from sync import erasure
from sync.compaction import CONFLICTS, STEPS, Keeping
from sync.edits import Record
from sync.store import ERASED
from sync.upkeep import Erasure, Upkeep
from tests.sync.house import KINDS, upkeep_of

HOUR_MS = 3_600_000
DEPENDANTS = ("person",)


def of(store: Any) -> Upkeep:
    """Return the upkeep of a watched store."""
    return upkeep_of(store.store)


def keeping(rng: random.Random, tombstones_ms: Sequence[int]) -> Keeping:
    """Return how long things are kept this time; of tombstones one of several times is drawn."""
    return Keeping(tombstones_ms=rng.choice(tombstones_ms), history_ms=4 * HOUR_MS,
                   conflicts_ms=4 * HOUR_MS)  # fmt: skip


def compact(stand: Any, now_ms: int, keeping: Keeping, portions: int) -> bool:
    """Run the steps of a compaction until it is stopped; tell whether it came to the records.

    Only the last step changes records, and deletes some; it never touches what is parked.
    """
    for step in STEPS.values():
        last: str | None = ""
        while last is not None:
            if not portions:
                return step is STEPS[CONFLICTS] and last != ""
            portions -= 1
            with stand.open() as store:
                last = step(of(store), last, now_ms, keeping).last
    return True


def some_record(stand: Any, rng: random.Random) -> Record | None:
    """Return a record that may be erased, if there is one."""
    found = [one for (kind, _), one in sorted(stand.records().items())
             if kind in ("plot", "person") and one.deleted != ERASED]  # fmt: skip
    return rng.choice(found) if found else None


def erase(stand: Any, orders: list[Erasure]) -> list[Erasure]:
    """Erase records with their dependants, and return the list of all that has gone."""
    known = [one for one in orders if KINDS.get(one.kind)]
    if not known:
        return []
    with stand.open() as store:
        return list(erasure.erase(of(store), KINDS, known, also=DEPENDANTS).erasures)
