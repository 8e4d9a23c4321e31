"""What the tests of campaigns share."""

from collections.abc import Iterator

import pytest

from tests.app.core.county import County
from tests.app.identity.town import COUNTY
from tests.app.phone.network import Network, network_before


@pytest.fixture
def emergency(county: County) -> County:
    """Return the county with a second person in its office."""
    county.person("cm_second", "cm", COUNTY)
    return county


@pytest.fixture
def network(county: County) -> Iterator[Network]:
    """Return a network before the county's server, for real phones."""
    with network_before(county.app) as network:
        yield network
