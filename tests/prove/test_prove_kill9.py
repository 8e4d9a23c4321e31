"""The short form of the prover that kills the server, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import kill9


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_server_keeps_every_acknowledged_edit_once(engine: str) -> None:
    found = kill9.prove(engine, kills=10, seed=1, seconds=240)
    assert found["violations"] == []
    assert found["killed"] >= 10 and found["edits"] > 10


@pytest.mark.parametrize("engine", ENGINES)
def test_an_answer_before_the_commit_is_caught(engine: str) -> None:
    found = kill9.prove(engine, kills=20, seed=1, seconds=120, sabotage="answer_first")
    # lost edits, or a gap that a phone meets because the commit has not come yet
    assert found["violations"]
