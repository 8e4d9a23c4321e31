"""Laws of filling in forms, over answers of every sort: nothing breaks, nothing drifts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.forms import expressions
from app.forms.answers import fill
from app.forms.definitions import Cell, Part
from app.forms.operators import RULES
from app.forms.shape import validator
from sync.values import Invalid
from tests.app.forms.samples import SEED, VECTORS, form, seed

FORMS = [form(one["definition"]) for one in VECTORS["forms"]] + [form(seed(path)) for path in SEED]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


def part_answers(draw: Any, part: Part) -> dict[str, Any]:
    """Return answers to some questions, half of which fit; rows likewise."""
    answers = {}
    for name, cell in part.cells.items():
        if not draw(st.booleans()):
            continue
        rows = cell.question.rows
        if rows and draw(st.booleans()):
            answers[name] = [part_answers(draw, rows) for _ in range(draw(st.integers(0, 4)))]
        else:
            answers[name] = draw(JSON if rows else fitting(cell) | JSON)
    return answers


def fitting(cell: Cell) -> st.SearchStrategy[Any]:
    """Return answers that mostly fit a question."""
    found = cell.schema.get("enum") or cell.schema.get("items", {}) or [True, 1, "2026-01-31"]
    value = st.sampled_from(found["enum"] if isinstance(found, dict) else found)
    return st.lists(value, max_size=3) if cell.question.type == "choices" else value


@st.composite
def filled_sheets(draw: Any) -> tuple[Any, dict[str, Any]]:
    """Return a form with answers, half of which fit."""
    one = draw(st.sampled_from(FORMS))
    return one, part_answers(draw, one)


@given(filled_sheets())
def test_any_answers_come_to_an_end_and_to_themselves(sheet: Any) -> None:
    one, answers = sheet
    filled = fill(one, answers)
    again = fill(one, filled.values)
    assert again.values == filled.values and again.relevant == filled.relevant
    assert not again.wrong


def kept_names(part: Part, values: dict[str, Any], path: str) -> set[str]:
    """Return the questions that have answers, in rows by their paths."""
    found = {path + part.cells[name].question.name for name in values}
    for one in part.questions:
        for number, row in enumerate(values.get(one.name, ()) if one.rows else ()):
            assert one.rows is not None
            found |= kept_names(one.rows, row, f"{path}{one.name}/{number}/")
    return found


@given(filled_sheets())
def test_no_answer_is_kept_to_what_is_not_asked(sheet: Any) -> None:
    one, answers = sheet
    filled = fill(one, answers)
    assert kept_names(one, dict(filled.values), "") <= set(filled.relevant)


@given(filled_sheets())
def test_complete_answers_fit_the_schema_that_is_handed_out(sheet: Any) -> None:
    one, answers = sheet
    filled = fill(one, answers)
    assert filled.faults or validator(one.data_schema).is_valid(dict(filled.values))


ROOMS = [one for one in FORMS if one.columns]


@given(st.lists(st.sampled_from([{"use": "home"}, {"use": "shop", "area_m2": 9}]), max_size=3),
       st.permutations([0, 1, 2]))  # fmt: skip
def test_the_order_of_rows_changes_nothing_but_their_order(rows: Any, order: Any) -> None:
    [one] = ROOMS
    moved = [rows[place] for place in order if place < len(rows)]
    there = fill(one, {"storeys": 2, "rooms": rows}).values
    then = fill(one, {"storeys": 2, "rooms": moved}).values
    kept = there.get("rooms", [])
    assert then.get("rooms", []) == [kept[place] for place in order if place < len(rows)]
    assert {**there, "rooms": None} == {**then, "rooms": None}


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
