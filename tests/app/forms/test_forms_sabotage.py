"""Known bugs, switched on: the vectors of docs/form-vectors.json must find each of them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.forms import answers, definitions, operators, translation
from app.forms.definitions import Part
from app.forms.expressions import read
from tests.app.forms.samples import VECTORS, form

Patch = pytest.MonkeyPatch


def mistakes() -> int:
    """Return how many vectors do not come out."""
    wrong = 0
    for one in VECTORS["expressions"]:
        found = read(one["expression"]).evaluate(one["values"])
        wrong += (type(found), found) != (type(one["result"]), one["result"])
    for one in VECTORS["forms"]:
        for case in one["cases"]:
            filled = answers.fill(form(one["definition"]), case["answers"])
            told = sorted((fault.field, fault.code) for fault in filled.faults)
            expected = sorted((error["field"], error["code"]) for error in case["errors"])
            wrong += filled.values != case["values"] or told != expected
    for one in VECTORS["translations"]:
        chain = [form(definition) for definition in one["definitions"]]
        for case in one["cases"]:
            found = translation.as_newest(chain[case["version"] :], case["answers"])
            wrong += answers.fill(chain[-1], found).values != case["newest"]
    return wrong


def _ask_everything(patch: Patch) -> None:
    patch.setattr(answers, "_holds", lambda rule, values: True)


def _believe_calculations(patch: Patch) -> None:
    def believed(one: Part, name: str, calculation: Any, values: Mapping[str, Any]) -> Any:
        return calculation.evaluate(values) or 7

    patch.setattr(answers, "_reckoned", believed)


def _take_any_answer(patch: Patch) -> None:
    checked = answers._checked
    patch.setattr(answers, "_checked", lambda sheet, cell: checked(sheet, cell)
                  if cell.question.rows else (sheet.given.get(cell.name), []))  # fmt: skip


def _operator(sign: str, compute: Callable[[Any], Any]) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        operator = operators.REGISTRY.get(sign)
        patch.setattr(operator, "rule", replace(operators.RULES[sign], compute=compute))

    return plant


def _forget_steps(patch: Patch) -> None:
    patch.setattr(translation, "_stepped", lambda one, step, given: given)


def _forget_groups(patch: Patch) -> None:
    own = property(lambda one: (one.relevant,) if one.relevant else ())
    patch.setattr(definitions.Question, "conditions", own)


def _blind_rows(patch: Patch) -> None:
    taken = answers._taken
    patch.setattr(
        answers, "_taken", lambda part, given, path, outside: taken(part, given, path, {})
    )


def _first_row_for_all(patch: Patch) -> None:
    take = answers._take_rows
    patch.setattr(answers, "_take_rows", lambda name, part, given, sheet: take(
        name, part, [given[0]] * len(given), sheet))  # fmt: skip


def _hide_rows_outside(patch: Patch) -> None:
    take = answers._take_rows

    def hidden(name: str, part: Part, given: Any, sheet: Any) -> None:
        take(name, part, given, sheet)
        for column in part.cells:
            sheet.scope.pop(column, None)

    patch.setattr(answers, "_take_rows", hidden)


def _drop_empty_rows(patch: Patch) -> None:
    take = answers._take_rows
    patch.setattr(answers, "_take_rows", lambda name, part, given, sheet: take(
        name, part, [row for row in given if row], sheet))  # fmt: skip


def _steps_outside_of_rows_only(patch: Patch) -> None:
    patch.setattr(translation, "_is_rows", lambda value: False)


BUGS: Mapping[str, Callable[[Patch], None]] = {
    "every question is asked": _ask_everything,
    "calculations are made up": _believe_calculations,
    "any answer is taken": _take_any_answer,
    "the rest is rounded down": _operator(
        "%", lambda v: v[0] % v[1] if v[0] is not None and v[1] else None),
    "null is less than a number": _operator("<", lambda v: (v[0] or 0) < v[1]),
    "null counts as nothing": _operator("+", lambda v: sum(one or 0 for one in v)),
    "one is true": _operator("==", lambda v: v[0] == v[1]),
    "anything is true": _operator("and", lambda v: all(one is not False for one in v)),
    "steps are forgotten": _forget_steps,
    "the relevance of a group is forgotten": _forget_groups,
    "rows do not see what is outside": _blind_rows,
    "every row is the first": _first_row_for_all,
    "what is outside does not see rows": _hide_rows_outside,
    "empty rows are dropped": _drop_empty_rows,
    "steps do not reach rows": _steps_outside_of_rows_only,
    "the rows of nothing are no number": _operator(
        "count", lambda v: len(v[0]) if v[0] else None),
}  # fmt: skip


def test_without_a_bug_all_vectors_come_out() -> None:
    assert mistakes() == 0


@pytest.mark.parametrize("plant", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert mistakes() > 0
