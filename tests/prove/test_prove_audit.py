"""The short form of the audit prover, and proof that it can fail."""

import pytest

from tests.prove import audit


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_tampering_with_an_exported_log_goes_unnoticed(engine: str) -> None:
    found = audit.prove(engine, tampered=1_000 if engine == "sqlite" else 50, seed=1)
    assert found["violations"] == []
    assert found["detected"] == found["tried"] >= 50


@pytest.mark.parametrize("sabotage", sorted(audit.SABOTAGES))
def test_a_verifier_that_does_not_look_is_caught(sabotage: str) -> None:
    found = audit.prove("sqlite", tampered=250, seed=1, sabotage=sabotage)
    assert found["violations"]
