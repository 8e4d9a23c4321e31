"""The short form of the contract run, and proof that it finds what breaks a promise."""

from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import ENGINES
from tests.prove import contract


@pytest.mark.parametrize("engine", ENGINES)
def test_no_answer_breaks_what_the_document_promises(engine: str) -> None:
    found = contract.prove(engine, cases=600, seed=5)
    assert found["violations"] == []
    assert found["cases"] == 600 and found["operations"] > 150
    # It gets past the doors: much of what is asked is answered, and not only by one role.
    assert found["statuses"]["200"] > 80 and len(found["taken_as"]) >= 5


def test_every_operation_names_its_refusals(app: Flask, tmp_path: Path) -> None:
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    shapes = document["components"]["responses"]
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            if method == "parameters":
                continue
            statuses = set(told["responses"])
            about = (method, path, sorted(statuses))
            assert {"400", "401", "403", "404", "413", "429", "431", "503"} <= statuses, about
            assert "requestBody" not in told or {"415", "422"} <= statuses, about
            assert "default" not in statuses, about
            named = (one["$ref"].rpartition("/")[2] for one in told["responses"].values()
                     if "$ref" in one)  # fmt: skip
            assert set(named) <= set(shapes), about
