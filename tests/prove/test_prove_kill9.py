"""The short form of the prover that kills the server; ``test_prove_planted`` shows it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import kill9


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_server_keeps_every_acknowledged_edit_once(engine: str) -> None:
    found = kill9.prove(engine, kills=10, seed=1, seconds=240)
    assert found["violations"] == []
    assert found["killed"] >= 10 and found["edits"] > 10
