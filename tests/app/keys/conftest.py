"""What the tests of keys share."""

import pytest

from tests.app.core.county import County
from tests.app.keys.vault import Vault, fill


@pytest.fixture
def vault(county: County) -> Vault:
    """Return the county in which everything that can be sealed is."""
    return fill(county)
