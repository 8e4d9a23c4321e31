"""The short form of the poison prover, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import poison


@pytest.mark.parametrize("engine", ENGINES)
def test_a_permanent_error_never_stops_later_independent_edits(engine: str) -> None:
    found = poison.prove(engine, rounds=200, seed=1)
    assert found["violations"] == []
    assert found["edits"] > 300


@pytest.mark.parametrize("sabotage", sorted(poison.SABOTAGES))
def test_a_server_that_fails_on_poison_is_caught(sabotage: str) -> None:
    found = poison.prove("sqlite", rounds=150, seed=2, sabotage=sabotage)
    assert found["violations"]
