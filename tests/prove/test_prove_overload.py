"""The short form of the prover of overload, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import overload


@pytest.mark.parametrize("engine", ENGINES)
def test_a_phone_that_loops_costs_the_others_nothing(engine: str) -> None:
    found = overload.prove(engine, seconds=4)
    assert found["violations"] == []
    assert found["looping"][429] > 20


@pytest.mark.parametrize("sabotage", overload.SABOTAGES)
def test_a_server_without_budgets_is_caught(sabotage: str) -> None:
    assert overload.prove("sqlite", seconds=2, sabotage=sabotage)["violations"]
