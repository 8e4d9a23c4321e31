"""The short form of the prover of refresh tokens, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import refresh


@pytest.mark.parametrize("engine", ENGINES)
def test_lost_replies_lock_nobody_out_and_thieves_are_found(engine: str) -> None:
    found = refresh.prove(engine, seed=1, refreshes=400)
    assert found["violations"] == []
    assert found["replies_lost"] > 50 and found["found"] > 0
