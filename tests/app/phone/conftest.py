"""Fixtures for the tests of the phone: a county behind a network, and phones in folders."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.phone.client import Phone
from app.phone.commands import group
from app.phone.home import Home
from app.phone.moment import Clock, now
from tests.app.core.county import County, centre, household
from tests.app.identity.town import GRID
from tests.app.phone.network import Network, network_before

Enrolled = Callable[..., Phone]
Run = Callable[..., Result]


@pytest.fixture
def home(county: County) -> dict[str, object]:
    """Return a household of the first grid, whose second worker has come too."""
    county.person("second", "gw", GRID)
    return county.made("gw", "/households", household(
        door_point=centre(GRID), door_accuracy_m=5, door_source="gps"
    ))  # fmt: skip


@pytest.fixture
def network(county: County) -> Iterator[Network]:
    """Return the network before the county's server."""
    with network_before(county.app) as network:
        yield network


@pytest.fixture
def enrolled(county: County, network: Network, tmp_path: Path) -> Iterator[Enrolled]:
    """Return what enrols a phone for a person and syncs it."""
    phones: list[Phone] = []

    def enrol(who: str = "gw", clock: Clock = now, *, synced: bool = True) -> Phone:
        phone = Phone(Home(tmp_path / f"{who}-{len(phones)}"), clock)
        phones.append(phone)
        phone.enrol(county.code_for(who), network.address)
        if synced:
            phone.sync()
        return phone

    yield enrol
    for phone in phones:
        phone.close()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a command of the phone in the folder ``cli``."""

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(group, words, env={"WANGGE_PHONE_HOME": str(tmp_path / "cli")})

    return invoke
