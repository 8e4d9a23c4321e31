"""The short form of the cells, at their principal doors on both engines, and planted mistakes."""

from collections.abc import Iterator

import pytest

from tests.app.core.county import open_county
from tests.cells import oracle
from tests.cells.ask import PRINCIPAL, ask
from tests.cells.run import Cells
from tests.cells.sabotage import SABOTAGES
from tests.cells.world import World, open_world
from tests.conftest import ENGINES
from tests.prove.ground import open_app


@pytest.fixture(scope="module", params=ENGINES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Return the world of all cells, once on each engine."""
    with open_app(request.param) as (app, _):
        yield open_world(open_county(app, app.test_client()))


def test_no_door_says_anything_but_the_table(world: World) -> None:
    cells = ask(world, PRINCIPAL)
    assert cells.wrong == []
    assert cells.count > 15_000
    every = {(action, role, relation) for action in oracle.actions()
             for role in oracle.ROLES for relation in oracle.RELATIONS}  # fmt: skip
    assert len(every) == 104 * 6 * 11
    assert every - cells.asked == set()


@pytest.fixture(scope="module")
def one_world() -> Iterator[World]:
    """Return a world to plant mistakes in: they are of the code, not of an engine."""
    with open_app("sqlite") as (app, _):
        yield open_world(open_county(app, app.test_client()))


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_planted_mistake_is_found(one_world: World, sabotage: str) -> None:
    planted, door = SABOTAGES[sabotage]
    with planted():
        cells = Cells(one_world)
        door(cells)
    assert cells.wrong
