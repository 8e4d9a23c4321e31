"""Invariant 19: the ledger, lived again on an empty database, ends in the same state."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from sync.edits import Past
from sync.push import Push
from sync.replay import replay
from tests.simulation import world as worlds
from tests.simulation.gate import DatedGate
from tests.simulation.serving import ANCHORS, OFFICE_USER
from tests.simulation.stands import MemorySim, SqlSim
from tests.simulation.world import WORLD_EVENTS, World
from tests.sync.conftest import postgres_engine
from tests.sync.house import ALL_KINDS, KINDS, SqlStand, upkeep_of

STORES = ("memory", "sqlite", "postgresql")
SEEDS = (1, 8, 18, 23)
"""Histories with many requests, and grids that are merged and split."""
NOT_IN_THE_LEDGER = ("back_up_server", "restore_server", "compact", "erase")


class OnPostgres(SqlSim):
    """The simulator's store on PostgreSQL; it is never copied."""

    def __init__(self, engine: sa.Engine) -> None:
        SqlStand.__init__(self, engine, ALL_KINDS)
        self.keeps_torn_writes = False


@pytest.fixture(params=STORES)
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a store in which a history happens, and an empty one of the same sort."""
    calm = {name: weight for name, weight in WORLD_EVENTS.items() if name not in NOT_IN_THE_LEDGER}
    monkeypatch.setattr(worlds, "WORLD_EVENTS", calm)
    if request.param == "memory":
        yield MemorySim(), MemorySim()
    elif request.param == "sqlite":
        first, second = SqlSim(), SqlSim()
        yield first, second
        first.close()
        second.close()
    else:
        first = OnPostgres(postgres_engine())
        second = SqlSim()
        yield first, second
        first.metadata.drop_all(first.engine)
        first.close()
        second.close()


def _state(stand: Any) -> tuple[Any, Any]:
    """Return records with their marks, and for each scope digest and number of rows."""
    scopes = {name: (state.digest, state.live) for name, state in stand.states().items()}
    return dict(stand.records()), scopes


def _lived_again(world: World, empty: Any) -> int:
    with world.stand.open() as store:
        ledger = upkeep_of(store.store).ledger()
        parked = store.parked_for([], [one.edit.id for one in ledger])
    users = {one.device: one.user for one in ledger}
    for device, user in users.items():
        empty.enrol(device, user)

    def then(past: Past) -> Push:
        def present(grid: int) -> int:
            return world.regrid.present_at(grid, past.received_ms)

        def scope(name: str) -> str:
            return f"grid:{present(int(name.removeprefix('grid:')))}"

        gate = DatedGate(world.grants, past.user, past.received_ms, past.user == OFFICE_USER,
                         present)  # fmt: skip
        return Push(past.device, past.user, past.received_ms, ANCHORS, gate, KINDS, present=scope)

    with empty.open() as store:
        return replay(store.store, ledger, parked, then)


@pytest.mark.parametrize("seed", SEEDS)
def test_replaying_the_ledger_ends_in_the_same_state(pair: Any, seed: int) -> None:
    stand, empty = pair
    world = World(seed, stand)
    world.run()
    assert _lived_again(world, empty) > 20
    assert _state(empty) == _state(stand)
    for handset in world.handsets:
        handset.close()


def test_a_forgotten_edit_would_be_noticed(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stand, empty = pair
    world = World(1, stand)
    world.run()
    whole = type(upkeep_of_class(stand)).ledger

    def but_one(self: Any) -> Any:
        return [replace(one, edit=replace(one.edit, set={**one.edit.set, "name": "other"}))
                if one.edit.op == "create" and one.edit.kind == "plot" else one
                for one in whole(self)]  # fmt: skip

    monkeypatch.setattr(type(upkeep_of_class(stand)), "ledger", but_one)
    _lived_again(world, empty)
    assert _state(empty) != _state(stand)
    for handset in world.handsets:
        handset.close()


def upkeep_of_class(stand: Any) -> Any:
    """Return an upkeep of a stand, for its class."""
    with stand.open() as store:
        return upkeep_of(store.store)
