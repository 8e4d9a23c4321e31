"""The short form of the prover of slow clients, and proof that it can fail."""

import pytest

from tests.prove import slow


@pytest.mark.skipif(not slow.is_there(), reason=slow.MISSING)
def test_slow_clients_cost_nobody_anything_behind_the_shipped_nginx() -> None:
    found = slow.prove("sqlite", clients=400, seconds=4)
    assert found["violations"] == []
    assert found["kept"] >= 380


@pytest.mark.skipif(not slow.is_there(), reason=slow.MISSING)
@pytest.mark.parametrize("sabotage", slow.SABOTAGES)
def test_an_nginx_with_few_connections_is_caught(sabotage: str) -> None:
    assert slow.prove("sqlite", clients=150, seconds=2, sabotage=sabotage)["violations"]
