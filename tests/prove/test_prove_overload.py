"""The short forms of the provers of overload, and proof that they can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import overload, slow


@pytest.mark.parametrize("engine", ENGINES)
def test_a_phone_that_loops_costs_the_others_nothing(engine: str) -> None:
    found = overload.prove(engine, seconds=4)
    assert found["violations"] == []
    assert found["looping"][429] > 20


@pytest.mark.parametrize("sabotage", overload.SABOTAGES)
def test_a_server_without_budgets_is_caught(sabotage: str) -> None:
    assert overload.prove("sqlite", seconds=2, sabotage=sabotage)["violations"]


@pytest.mark.skipif(not slow.is_there(), reason=slow.MISSING)
def test_slow_clients_cost_nobody_anything_behind_the_shipped_nginx() -> None:
    found = slow.prove("sqlite", clients=400, seconds=4)
    assert found["violations"] == []
    assert found["kept"] >= 380


@pytest.mark.skipif(not slow.is_there(), reason=slow.MISSING)
@pytest.mark.parametrize("sabotage", slow.SABOTAGES)
def test_an_nginx_with_few_connections_is_caught(sabotage: str) -> None:
    assert slow.prove("sqlite", clients=150, seconds=2, sabotage=sabotage)["violations"]
