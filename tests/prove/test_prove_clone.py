"""The short form of the prover that doubles phones, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import clone


@pytest.mark.parametrize("engine", ENGINES)
def test_a_phone_that_exists_twice_costs_nobody_any_work(engine: str) -> None:
    found = clone.prove(engine, rounds=3, seed=1)
    assert found["violations"] == []
    assert found["phones"] == 5 and found["edits"] > 30


@pytest.mark.parametrize("sabotage", clone.SABOTAGES)
def test_copies_that_go_on_as_one_are_caught(sabotage: str) -> None:
    found = clone.prove("sqlite", rounds=6, seed=1, sabotage=sabotage)
    assert found["violations"]
