"""The short form of the prover of photos, and proof that it can fail."""

import pytest

from tests.conftest import ENGINES
from tests.prove import photos


@pytest.mark.parametrize("engine", ENGINES)
def test_photos_arrive_whole_over_bad_lines_at_a_server_that_is_killed(engine: str) -> None:
    found = photos.prove(engine, uploads=16, kills=3, seed=1, seconds=200)
    assert found["violations"] == []
    assert found["killed"] == 3 and found["cuts"] >= 10
    assert found["again_bytes_max"] <= photos.AGAIN_BYTES_MAX


CAUGHT_BY = {
    "unchecked_hash": "another hash", "clients_offset": "sound bytes were doubted",
    "row_first": "sound bytes were doubted",
}  # fmt: skip


@pytest.mark.parametrize("sabotage", photos.SABOTAGES)
def test_a_planted_bug_of_the_lane_is_caught(sabotage: str) -> None:
    found = photos.prove("sqlite", uploads=24, kills=0, seed=2, sabotage=sabotage, seconds=60,
                         largest=400_000)  # fmt: skip
    assert any(CAUGHT_BY[sabotage] in one for one in found["violations"]), found


def test_the_same_photos_without_a_planted_bug_are_no_violation() -> None:
    found = photos.prove("sqlite", uploads=24, kills=0, seed=2, seconds=60, largest=400_000)
    assert found["violations"] == [] and found["uploads"] == 24
