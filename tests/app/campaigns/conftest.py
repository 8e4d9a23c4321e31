"""What the tests of campaigns share."""

import pytest

from tests.app.core.county import County
from tests.app.identity.town import COUNTY


@pytest.fixture
def emergency(county: County) -> County:
    """Return the county with a second person in its office."""
    county.person("cm_second", "cm", COUNTY)
    return county
