"""What the tests of the features share."""

import pytest
from flask import Flask

from app.core.database import Mode
from tests.app.core.county import County, draw_borders, open_county
from tests.app.identity.town import settle


@pytest.fixture
def county(app: Flask) -> County:
    """Return a county with people, code lists and borders."""
    county = open_county(app, app.test_client())
    settle(county)
    with county.database.transaction(Mode.WRITE) as session:
        draw_borders(session)
    return county
