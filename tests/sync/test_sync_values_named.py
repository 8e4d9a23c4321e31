"""Plain values by name: what an object of answers may hold."""

from typing import Any

import pytest

from sync.values import Invalid, Named

SHEET = Named(3, 60)


def test_texts_numbers_truths_and_lists_of_these_pass_unchanged() -> None:
    for value in ({}, {"a": "x", "b_2": 1.5, "c": None}, {"a": [1, "x"], "b": True}):
        assert SHEET.check(value) == value


def test_rows_of_plain_values_pass_unchanged() -> None:
    for value in ({"a": [{}]}, {"a": [{"b": 1}, {"b": ["x"]}]}, {"a": [{"b": None}], "c": 1}):
        assert SHEET.check(value) == value


BROKEN: tuple[tuple[Any, str], ...] = (
    ([], "not_an_object"), ("x", "not_an_object"), ({"a": {}}, "wrong_form"),
    ({"a": [[]]}, "wrong_form"), ({"A": 1}, "wrong_form"), ({"": 1}, "wrong_form"),
    ({"a.b": 1}, "wrong_form"), (dict.fromkeys("abcd", 1), "too_many"),
    ({"a": "x" * 60}, "wrong_length"), ({"a": [{"B": 1}]}, "wrong_form"),
    ({"a": [{"b": {}}]}, "wrong_form"), ({"a": [{"b": [{}]}]}, "wrong_form"),
    ({"a": [{"b": 1}, []]}, "wrong_form"), ({"a": [dict.fromkeys("abcd", 1)]}, "too_many"),
)  # fmt: skip


@pytest.mark.parametrize(("value", "code"), BROKEN, ids=str)
def test_anything_else_is_refused(value: Any, code: str) -> None:
    with pytest.raises(Invalid) as found:
        SHEET.check(value)
    assert found.value.code == code
