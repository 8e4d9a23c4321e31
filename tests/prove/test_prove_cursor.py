"""The short form of the cursor prover, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import cursor


@pytest.mark.parametrize("engine", ENGINES)
def test_a_follower_misses_no_committed_row(engine: str) -> None:
    found = cursor.prove(engine, seconds=8, seed=1)
    assert found["violations"] == []
    assert found["pushes"] > cursor.PUSHERS


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cursor_from_a_sequence_is_caught(engine: str) -> None:
    found = cursor.prove(engine, seconds=6, seed=1, sabotage="sequence")
    assert any(fault.startswith("missed") for fault in found["violations"])
