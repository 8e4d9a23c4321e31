"""The short form of the prover that sends the server back in time, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import timetravel


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_back_in_time_costs_nobody_any_work(engine: str) -> None:
    found = timetravel.restores(engine, rounds=1, seed=1)
    assert found["violations"] == []
    assert found["edits"] > 30


def test_a_promoted_standby_that_lost_the_tail_costs_nobody_any_work() -> None:
    found = timetravel.failover(seed=1)
    assert found["violations"] == []
    assert found["edits"] > 30


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sabotage", timetravel.SABOTAGES)
def test_a_server_that_does_not_notice_is_caught(engine: str, sabotage: str) -> None:
    with timetravel.planted(sabotage):
        found = timetravel.restores(engine, rounds=2, seed=1, sabotage=sabotage)
    assert found["violations"]
