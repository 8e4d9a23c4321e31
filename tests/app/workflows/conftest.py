"""Fixtures for the tests of the workflows: a street of homes, and phones before it."""

from collections.abc import Callable

import pytest

from tests.app.core.county import County
from tests.app.workflows.handset import Handset
from tests.app.workflows.street import Street, build_street

Handed = Callable[[str], Handset]


@pytest.fixture
def handset(county: County) -> Handed:
    """Return what gives a synced phone to somebody."""

    def give(who: str) -> Handset:
        phone = Handset(county, who)
        phone.sync()
        return phone

    return give


@pytest.fixture
def street(county: County) -> Street:
    """Return homes of the first grid, with all that refers to them."""
    return build_street(county)
