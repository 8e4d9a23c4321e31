"""Every planted bug is caught: a prover that never failed proves nothing."""

import pytest

from tests.prove.planted import every_bug

BUGS = every_bug()


def test_there_are_at_least_25_bugs_and_each_says_what_it_does() -> None:
    assert len(BUGS) >= 25
    assert not [name for name, bug in BUGS.items() if not bug.does]


@pytest.mark.parametrize("name", BUGS)
def test_every_planted_bug_is_caught(name: str) -> None:
    assert BUGS[name].caught(), f"{name} went unnoticed"
