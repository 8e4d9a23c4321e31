"""The whole day of a township on both engines; its planted bugs are run with all others."""

import pytest

from tests.conftest import ENGINES
from tests.prove import day


@pytest.mark.parametrize("engine", ENGINES)
def test_the_day_of_a_township_plays_without_an_error_and_ends_equal_everywhere(
    engine: str,
) -> None:
    found = day.prove(engine, seed=2, grids=6, phones=2)
    assert found["violations"] == []
    assert found["phones"] == 12 and found["edits"] > 400 and found["broken"] > 0
    assert found["kinds"].keys() >= {
        "household", "household_act", "contact", "consent", "visit", "task", "incident", "photo",
        "notice_ack", "notice_explained", "emergency_entry",
    }  # fmt: skip
    assert found["states"]["incident"]["followed_up"] >= 4
    assert found["states"]["task"]["verified"] >= 20
