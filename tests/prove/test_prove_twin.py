"""The short form of the prover that compares the two engines to the byte."""

from tests.prove import twin


def test_both_engines_give_the_same_answers_and_hold_the_same() -> None:
    found = twin.prove(seed=2, edits=1500)
    assert found["violations"] == []
    assert found["answers"]["sqlite"] == found["answers"]["postgresql"]
    assert found["pushes"] > 300 and found["pulls"] > 200
