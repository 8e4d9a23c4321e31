"""Fixtures for the tests of photos."""

import pytest

from tests.app.core.county import County
from tests.app.photos.camera import Camera


@pytest.fixture
def camera(county: County) -> Camera:
    """Return the worker of the first grid with a camera."""
    return Camera(county)
