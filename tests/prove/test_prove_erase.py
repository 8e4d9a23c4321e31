"""The short form of the erasing prover, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import erase


@pytest.mark.parametrize("engine", ENGINES)
def test_p15_p22_who_is_erased_is_nowhere_any_more_and_a_restore_forgets_him_again(
    engine: str,
) -> None:
    found = erase.prove(engine, persons=30, seed=1)
    assert found["violations"] == []
    assert found["places_before"] > 25


@pytest.mark.parametrize("sabotage", sorted(erase.SABOTAGES))
def test_a_place_that_is_forgotten_is_found(sabotage: str) -> None:
    assert erase.prove("sqlite", persons=3, seed=2, sabotage=sabotage)["violations"]
