"""A thousand phones wait at the real server, and proof that the prover can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import waiting


@pytest.mark.parametrize("engine", ENGINES)
def test_a_thousand_phones_wait_and_all_hear_of_a_change(engine: str) -> None:
    found = waiting.prove(engine, phones=1000)
    assert found["violations"] == [], found
    assert found["heard"] == 1000


@pytest.mark.parametrize("sabotage", sorted(waiting.SABOTAGES))
def test_a_deaf_watcher_and_waiting_threads_are_caught(sabotage: str) -> None:
    assert waiting.prove("sqlite", phones=300, sabotage=sabotage, wait_s=12)["violations"]
