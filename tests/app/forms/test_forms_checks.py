"""What forbids publishing a form: every fault is named by its place."""

import time
from typing import Any

import pytest

from app.forms import expressions, services
from app.forms.checks import definition_faults
from app.forms.definitions import read_form
from sync.values import Invalid
from tests.app.forms.samples import (
    CHECKLIST,
    SEED,
    VISIT,
    definition,
    faults,
    form,
    question,
    seed,
    spoiled,
    words,
)

AGE = {"var": "age"}
CHOICES = [{"value": "a", "label": words("a")}, {"value": "b", "label": words("b")}]


@pytest.mark.parametrize("path", SEED, ids=lambda path: path.stem)
def test_every_form_of_the_product_may_be_published(path: Any) -> None:
    assert faults(seed(path)) == set()
    assert seed(path)["key"] == path.stem


FAULTY = {
    "no label": (spoiled(VISIT, 2, label={"zh": "人数"}), ("questions/2/label/en", "required")),
    "strange": (spoiled(VISIT, 2, colour="red"), ("questions/2/colour", "not_known_here")),
    "no type": (spoiled(VISIT, 2, type="photo"), ("questions/2/type", "not_a_choice")),
    "name": (spoiled(VISIT, 2, name="People"), ("questions/2/name", "wrong_form")),
    "no choices": (definition(question("a", "choice")), ("questions/0/choices", "required")),
    "no calculation": (
        definition(question("a", "calculate")), ("questions/0/calculation", "required")),
    "choices of a text": (
        definition(question("a", choices=CHOICES)), ("questions/0/choices", "does_not_fit")),
    "a note that asks": (
        definition(question("a", "note", required=True)), ("questions/0/required", "does_not_fit")),
    "choice twice": (
        definition(question("a", "choice", choices=[CHOICES[0]] * 2)),
        ("questions/0/choices", "name_twice")),
    "limits": (
        definition(question("a", "integer", least=5, most=3)),
        ("questions/0/most", "out_of_range")),
    "long text": (
        definition(question("a", most=3000)), ("questions/0/most", "out_of_range")),
    "name twice": (
        definition(question("a"), question("a", "date")), ("questions/1/name", "name_twice")),
    "name of a note": (
        definition(question("a", "check"), question("a_note")), ("questions/1/name", "name_twice")),
    "no purpose": (
        definition(question("a", privacy="P1")), ("questions/0/purpose", "purpose_missing")),
    "unknown name": (
        definition(question("a", relevant={"==": [AGE, 3]})),
        ("questions/0/relevant", "unknown_name")),
    "mixed types": (
        definition(question("age"), question("a", relevant={"<": [AGE, 3]})),
        ("questions/1/relevant", "wrong_types")),
    "wrong result": (
        definition(question("age", "integer"), question("a", relevant={"+": [AGE, 3]})),
        ("questions/1/relevant", "wrong_result")),
    "wrong calculation": (
        definition(question("age", "integer"),
                   question("a", "calculate", calculation={"<": [AGE, 3]})),
        ("questions/1/calculation", "wrong_result")),
    "unknown operator": (
        definition(question("a", relevant={"exec": ["x"]})),
        ("questions/0/relevant", "unknown_operator")),
    "arguments": (
        definition(question("a", relevant={"==": [1]})),
        ("questions/0/relevant", "wrong_arguments")),
    "no operator": (
        definition(question("a", relevant={})), ("questions/0/relevant", "not_one_operator")),
    "constraint": (
        definition(question("a", constraint={"holds": {"if": [1]}, "message": words("m")})),
        ("questions/0/constraint/holds", "wrong_arguments")),
    "self": (
        definition(question("a", relevant={"==": [{"var": "a"}, "x"]})), ("questions", "cycle")),
}  # fmt: skip


@pytest.mark.parametrize(("source", "fault"), FAULTY.values(), ids=FAULTY)
def test_a_fault_is_named_by_its_place(source: Any, fault: tuple[str, str]) -> None:
    assert faults(source) == {fault}


def test_calculations_that_rest_on_one_another_are_refused() -> None:
    circle = definition(
        question("a", "calculate", calculation={"+": [{"var": "b"}, 1]}),
        question("b", "calculate", calculation={"+": [{"var": "a"}, 1]}),
    )
    assert faults(circle) == {("questions", "cycle")}


FORBIDDEN = {
    "name": definition(question("religion")),
    "label": definition(question("a", label={"zh": "身份证号", "en": "Number"})),
    "choice": definition(
        question("a", "choice", choices=[{"value": "x", "label": {"zh": "重点人员", "en": "x"}}])),
    "value": definition(
        question("a", "choice", choices=[{"value": "drug_user", "label": words("x")}])),
    "expression": definition(
        question("a"), question("b", relevant={"==": [{"var": "a"}, "key_person"]})),
    "title": {**definition(question("a")), "title": {"zh": "信用分", "en": "x"}},
}  # fmt: skip


@pytest.mark.parametrize("source", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_must_not_be_held_is_not_asked(source: Any) -> None:
    assert {code for _, code in faults(source)} == {"forbidden_topic"}


def test_all_faults_are_told_at_once() -> None:
    source = definition(question("a", "choice"), question("b", privacy="P2"))
    assert len(faults(source)) == 2


def test_a_definition_has_a_size() -> None:
    source = definition(
        *(question(f"q{n}", hint=words("x" * 290), purpose=words("x" * 290)) for n in range(100))
    )
    text = services.as_text(source)
    assert [fault.code for fault in definition_faults(text, source, None)] == ["wrong_length"]


OLD = definition(
    question("a", "choice", choices=CHOICES), question("b"), question("c", "integer")
)  # fmt: skip
STEPS: dict[str, tuple[list[Any], tuple[str, str]]] = {
    "nothing said": ([], ("translate", "not_taken_over")),
    "unknown": ([{"drop": {"name": "b"}}, {"drop": {"name": "x"}}],
                ("translate/1/drop", "unknown_name")),
    "to nothing": ([{"rename": {"from": "b", "to": "x"}}], ("translate", "not_taken_over")),
    "no such choice": ([{"drop": {"name": "b"}}, {"map": {"name": "a", "values": {"b": "z"}}}],
                       ("translate/1/map", "wrong_form")),
    "no such value": ([{"drop": {"name": "b"}}, {"default": {"name": "c", "value": "many"}}],
                      ("translate/1/default", "wrong_form")),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "fault"), STEPS.values(), ids=STEPS)
def test_nothing_of_older_answers_is_left_behind_unsaid(
    steps: list[Any], fault: tuple[str, str]
) -> None:
    new = definition(OLD["questions"][0], OLD["questions"][2], translate=steps)
    assert faults(new, form(OLD)) == {fault}


def test_another_type_or_a_choice_less_wants_a_step() -> None:
    other = spoiled(OLD, 1, type="date")
    assert faults(other, form(OLD)) == {("translate", "another_type")}
    fewer = spoiled(OLD, 0, choices=CHOICES[:1])
    assert faults(fewer, form(OLD)) == {("translate", "not_taken_over")}
    mapped = {**fewer, "translate": [{"map": {"name": "a", "values": {"b": "a"}}}]}
    assert faults(mapped, form(OLD)) == set()
    assert faults(mapped) == {("translate/0", "no_version_before")}


@pytest.mark.parametrize(
    "expression",
    [
        {"+": [1] * 300},
        {"==": [1, {"+": [{"-": [{"+": [1] * 39}]}] * 12}]},
        {"!": "x" * 500},
    ],
)
def test_an_expression_has_a_size(expression: Any) -> None:
    with pytest.raises(Invalid):
        expressions.read(expression)


def test_an_expression_has_a_depth() -> None:
    deep: Any = True
    for _ in range(20):
        deep = {"!": [deep]}
    with pytest.raises(Invalid, match="expression_too_large"):
        expressions.read(deep)


HOSTILE: tuple[Any, ...] = (
    {"var": "__class__"}, {"var": "a.b"}, {"var": "a@9"}, {"var": ""}, {"var": []}, {"var": [1]},
    {"var": {"var": "a"}}, {"var": ["a", 1, 2]}, {"in": ["a", []]}, {"map": [[1], {"var": "a"}]},
    {"log": "x"}, {"method": ["x", "upper"]}, {"if": [True, 1]}, {"==": None}, [], "1 == 1", 5,
    {"a": 1, "b": 2},
)  # fmt: skip


@pytest.mark.parametrize("expression", HOSTILE, ids=str)
def test_what_is_none_of_the_language_is_refused(expression: Any) -> None:
    with pytest.raises(Invalid):
        expressions.read(expression)


def test_the_largest_expression_is_evaluated_in_a_moment() -> None:
    one = {"*": [{"var": "a"}] * 19}
    largest = expressions.read({"+": [one, one, one, one, one]})
    started = time.perf_counter()
    assert largest.evaluate({"a": 1.0000001}) == pytest.approx(5, abs=0.001)
    assert time.perf_counter() - started < 0.1


def test_the_schema_of_the_answers_says_what_is_always_needed() -> None:
    schema = read_form(services.as_text(CHECKLIST)).data_schema
    assert schema["required"] == ["exits", "lights"]
    assert schema["properties"]["exits_note"] == {"type": "string", "maxLength": 500}
    assert schema["additionalProperties"] is False
