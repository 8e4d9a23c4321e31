"""The short form of the clock prover, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import clock


@pytest.mark.parametrize("engine", ENGINES)
def test_no_clock_decides_what_only_time_may_decide(engine: str) -> None:
    found = clock.prove(engine, rounds=30, seed=1)
    assert found["violations"] == []
    assert found["contests"] > 3 and found["edits"] > 90


@pytest.mark.parametrize("sabotage", clock.SABOTAGES)
def test_a_clock_that_is_believed_is_caught(sabotage: str) -> None:
    found = clock.prove("sqlite", rounds=30, seed=1, sabotage=sabotage)
    assert found["violations"]
