"""Laws of filling in forms, over answers of every sort: nothing breaks, nothing drifts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.forms import expressions
from app.forms.answers import fill
from app.forms.operators import RULES
from sync.values import Invalid
from tests.app.forms.samples import SEED, VECTORS, form, seed

FORMS = [form(one["definition"]) for one in VECTORS["forms"]] + [form(seed(path)) for path in SEED]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


@st.composite
def filled_sheets(draw: Any) -> tuple[Any, dict[str, Any]]:
    """Return a form with answers, half of which fit."""
    one = draw(st.sampled_from(FORMS))
    answers = {}
    for name, cell in one.cells.items():
        fitting = cell.schema.get("enum") or cell.schema.get("items", {}) or [True, 1, "2026-01-31"]
        choices = fitting["enum"] if isinstance(fitting, dict) else fitting
        value = st.sampled_from(choices)
        value = st.lists(value, max_size=3) if cell.question.type == "choices" else value
        if draw(st.booleans()):
            answers[name] = draw(value | JSON)
    return one, answers


@given(filled_sheets())
def test_any_answers_come_to_an_end_and_to_themselves(sheet: Any) -> None:
    one, answers = sheet
    filled = fill(one, answers)
    again = fill(one, filled.values)
    assert again.values == filled.values and again.relevant == filled.relevant
    assert not again.wrong


@given(filled_sheets())
def test_no_answer_is_kept_to_what_is_not_asked(sheet: Any) -> None:
    one, answers = sheet
    filled = fill(one, answers)
    assert {one.cells[name].question.name for name in filled.values} <= filled.relevant


@given(filled_sheets())
def test_the_order_of_answers_does_not_matter(sheet: Any) -> None:
    one, answers = sheet
    backwards = dict(reversed(list(answers.items())))
    assert fill(one, backwards).values == fill(one, answers).values


OPERANDS = st.recursive(
    VALUES | st.sampled_from([{"var": "a"}, {"var": "b"}, {"var": ["a", 0]}]),
    lambda inner: st.builds(
        lambda sign, args: {sign: args}, st.sampled_from(sorted(RULES)), st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)


@given(OPERANDS, VALUES, VALUES)
def test_what_is_an_expression_always_comes_to_a_value(source: Any, a: Any, b: Any) -> None:
    try:
        expression = expressions.read(source)
    except Invalid:
        return
    found = expression.evaluate({"a": a, "b": b})
    assert found is None or isinstance(found, bool | int | float | str | list)
