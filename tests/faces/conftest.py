"""The stage of the faces' tests: one server for each engine, one Node process for each client."""

from collections.abc import Iterator

import pytest

from tests.conftest import ENGINES
from tests.faces.clients import CLIENTS, Node, Stage, open_node
from tests.prove.ground import Ground, open_ground
from tests.prove.server import Server


@pytest.fixture(scope="module", params=ENGINES)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Ground, Server]]:
    """Serve a county on each engine in turn."""
    with open_ground(request.param) as ground:
        server = Server(ground.environment)
        server.start()
        yield ground, server
        server.stop()


@pytest.fixture(scope="module", params=CLIENTS)
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Start each client library in turn."""
    with open_node(request.param) as node:
        yield node


@pytest.fixture
def stage(served: tuple[Ground, Server], node: Node) -> Iterator[Stage]:
    """Return phones with one client before a server on one engine."""
    yield Stage(*served, node)
    node.ask("close")
