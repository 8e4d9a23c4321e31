"""The short form of the prover of refresh tokens, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import refresh
from tests.prove.ground import open_ground


@pytest.mark.parametrize("engine", ENGINES)
def test_lost_replies_lock_nobody_out_and_thieves_are_found(engine: str) -> None:
    found = refresh.prove(engine, seed=1, refreshes=400)
    assert found["violations"] == []
    assert found["replies_lost"] > 50 and found["found"] > 0


def test_every_planted_bug_is_caught() -> None:
    # A run ends at its first violation; a thief with a key of his own may take a while to come.
    with open_ground("sqlite") as ground:
        missed = [name for name in refresh.SABOTAGES
                  if not refresh.prove_on(ground, 1, 5_000, name)["violations"]]  # fmt: skip
    assert missed == []
