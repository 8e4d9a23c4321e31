"""Every planted bug is caught: a prover that never failed proves nothing."""

from pathlib import Path

import pytest

from tests.prove.planted import every_bug

BUGS = every_bug()
HERE = [name for name, bug in BUGS.items() if not bug.shown_by_its_prover]
FOLDER = Path(__file__).parent


def test_there_are_at_least_25_bugs_and_each_says_what_it_does() -> None:
    assert len(BUGS) >= 25
    assert not [name for name, bug in BUGS.items() if not bug.does]


def test_what_is_not_shown_here_is_shown_by_the_tests_of_its_prover() -> None:
    for place in {bug.place for bug in BUGS.values() if bug.shown_by_its_prover}:
        assert "SABOTAGES" in (FOLDER / f"test_prove_{place}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", HERE)
def test_every_planted_bug_is_caught(name: str) -> None:
    assert BUGS[name].caught(), f"{name} went unnoticed"
