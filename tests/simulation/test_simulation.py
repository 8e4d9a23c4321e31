"""A share of the seeds in the suite; ``python -m tests.simulation`` runs as many as one likes."""

import pytest

from tests.simulation.run import simulate
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.stands import STANDS

SHARES = [("memory", range(start, start + 10)) for start in range(0, 60, 10)]
SHARES += [("sqlite", range(start, start + 5)) for start in range(60, 80, 5)]
CAUGHT_WITHIN = 60

# Seeds that once failed, each with what it found.
FIXED = {
    18: "edits of a record deleted by the office overwrote one another in its conflict",
    1014: "a deletion did not see an edit whose mark its own author had overwritten",
    1031: "a copied phone hid its own edits until the next complete pull",
    1110: "a worker moved a record by settling his own proposal",
    5310: "the tombstone of one scope erased a record that another scope had just shown",
}


def _name(share: tuple[str, range]) -> str:
    return f"{share[0]}-{share[1].start}"


@pytest.mark.parametrize("share", SHARES, ids=_name)
def test_every_invariant_holds_in_every_history(share: tuple[str, range]) -> None:
    store, seeds = share
    for seed in seeds:
        outcome = simulate(seed, store)
        assert outcome.violation is None, f"seed {seed} on {store}: {outcome.violation}"


@pytest.mark.parametrize("store", sorted(STANDS))
@pytest.mark.parametrize("seed", sorted(FIXED))
def test_a_seed_that_once_failed_holds(seed: int, store: str) -> None:
    assert simulate(seed, store).violation is None, FIXED[seed]


@pytest.mark.parametrize("sabotage", sorted(SABOTAGES))
def test_every_planted_bug_is_caught(sabotage: str) -> None:
    found = (simulate(seed, "memory", sabotage).violation for seed in range(CAUGHT_WITHIN))
    assert any(found), f"{sabotage} went unnoticed"


@pytest.mark.parametrize("seed", [3, 15, 245, 257])
def test_both_stores_live_the_same_history(seed: int) -> None:
    memory, sqlite = simulate(seed, "memory"), simulate(seed, "sqlite")
    assert (memory.figures, memory.checks) == (sqlite.figures, sqlite.checks)


def test_a_seed_replays_to_the_letter() -> None:
    assert simulate(7, "memory") == simulate(7, "memory")
