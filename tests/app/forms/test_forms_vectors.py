"""The vectors of docs/form-vectors.json, by which app authors check their own forms."""

from typing import Any

import pytest

from app.forms import expressions
from app.forms.answers import fill
from app.forms.definitions import TYPES
from app.forms.operators import SIGNS
from app.forms.shape import lines_of
from app.forms.translation import as_newest
from tests.app.forms.samples import VECTORS, faults, form

Shape = dict[str, Any]
CASES = [(one["definition"], case) for one in VECTORS["forms"] for case in one["cases"]]


@pytest.mark.parametrize("vector", VECTORS["expressions"])
def test_an_expression_comes_to_what_the_vector_says(vector: Shape) -> None:
    found = expressions.read(vector["expression"]).evaluate(vector["values"])
    assert (type(found), found) == (type(vector["result"]), vector["result"])


@pytest.mark.parametrize(("definition", "case"), CASES)
def test_answers_come_to_what_the_vector_says(definition: Shape, case: Shape) -> None:
    filled = fill(form(definition), case["answers"])
    assert filled.values == case["values"]
    assert sorted(filled.relevant) == sorted(case["relevant"])
    errors = {(one.field, one.code) for one in filled.faults}
    assert errors == {(one["field"], one["code"]) for one in case["errors"]}
    assert case["complete"] == (not errors)


@pytest.mark.parametrize("vector", VECTORS["translations"])
def test_older_answers_are_read_as_the_newest(vector: Shape) -> None:
    chain = [form(one) for one in vector["definitions"]]
    for case in vector["cases"]:
        found = as_newest(chain[case["version"] :], case["answers"])
        assert fill(chain[-1], found).values == case["newest"]


def test_the_definitions_of_the_vectors_may_be_published() -> None:
    for one in VECTORS["forms"]:
        assert faults(one["definition"]) == set()
    for one in VECTORS["translations"]:
        before = None
        for definition in one["definitions"]:
            assert faults(definition, before) == set()
            before = form(definition)


def test_the_vectors_show_every_operator_and_every_type_of_question() -> None:
    shown = {sign for one in VECTORS["expressions"] for sign in _signs(one["expression"])}
    assert shown == SIGNS
    types = {line.source["type"] for one in VECTORS["forms"]
             for line in lines_of(one["definition"]["questions"])}  # fmt: skip
    assert types == set(TYPES)


def test_what_was_filled_in_is_filled_in_already() -> None:
    """Kept values evaluate to themselves: a phone may send what it has received."""
    for definition, case in CASES:
        once = fill(form(definition), case["answers"])
        assert fill(form(definition), once.values).values == once.values


def _signs(expression: Any) -> set[str]:
    if isinstance(expression, dict):
        return set(expression) | {s for one in expression.values() for s in _signs(one)}
    if isinstance(expression, list):
        return {sign for one in expression for sign in _signs(one)}
    return set()
