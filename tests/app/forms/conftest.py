"""What the tests of forms share."""

import pytest

from app.core.refusals import FIELDS
from app.forms.faults import FAULTS


@pytest.fixture(scope="session", autouse=True)
def _words_of_faults() -> None:
    """Give the codes of forms their words, as the factory does for an application."""
    FIELDS.update(FAULTS)
