"""The short form of the cursor prover; ``test_prove_planted`` shows that it can fail."""

from tests.prove import cursor


def test_a_follower_misses_no_committed_row_on_sqlite() -> None:
    found = cursor.prove("sqlite", seconds=8, seed=1)
    assert found["violations"] == []
    assert found["pushes"] > cursor.PUSHERS


def test_followers_of_postgresql_and_of_its_standby_miss_no_committed_row() -> None:
    found = cursor.prove("postgresql", seconds=8, seed=1, standbys=1)
    assert found["violations"] == []
    assert found["pushes"] > cursor.PUSHERS and found["answered_by_standby"] > 10


def test_a_run_can_end_with_a_number_of_rows() -> None:
    found = cursor.prove("sqlite", seconds=60, seed=1, rows=800)
    assert found["violations"] == [] and 800 <= found["rows"] < 800 + 16 * cursor.EDITS_MAX_MANY


def test_a_cursor_from_a_sequence_is_caught_on_sqlite() -> None:
    # The follower must pull between two commits: a busy machine needs a while for that.
    found = cursor.prove("sqlite", seconds=12, seed=1, sabotage="sequence")
    assert found["violations"]
