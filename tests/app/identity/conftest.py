"""Fixtures for the tests of identity."""

import pytest
from flask import Flask

from tests.app.identity.town import TestPhone, Town, settle


@pytest.fixture
def town(app: Flask) -> Town:
    """Return a county with one person for each role."""
    town = Town(app, app.test_client())
    settle(town)
    return town


@pytest.fixture
def phone() -> TestPhone:
    """Return a phone with a key of its own."""
    return TestPhone()
