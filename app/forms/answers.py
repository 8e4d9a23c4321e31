"""Fill in a form: which questions are asked, what is calculated, and what is wrong by its path.

The same rules run on every phone; docs/form-vectors.json holds what they must come to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.forms.definitions import NOTE_OF, Cell, Form, Question
from app.forms.expressions import Expression
from app.forms.operators import is_number, plain_number
from app.forms.shape import told
from sync.errors import FieldError
from sync.values import Invalid, Position, Text

Answers = Mapping[str, Any]
ROOT = "answers"


@dataclass(frozen=True, slots=True)
class Filled:
    """What answers to a form come to.

    Attributes:
        values: the answers that are kept: asked for, well formed, with what is calculated.
        relevant: the questions that are asked, or shown.
        wrong: answers that cannot be kept as they are.
        lacking: what keeps the form from being complete: missing answers and broken rules.
    """

    values: Mapping[str, Any]
    relevant: frozenset[str]
    wrong: tuple[FieldError, ...]
    lacking: tuple[FieldError, ...]

    @property
    def faults(self) -> tuple[FieldError, ...]:
        """Return all that is wrong."""
        return (*self.wrong, *self.lacking)


@dataclass
class _Sheet:
    """A form that is being filled in, question by question."""

    given: Answers
    values: dict[str, Any] = field(default_factory=dict)
    relevant: set[str] = field(default_factory=set)
    wrong: dict[str, list[FieldError]] = field(default_factory=dict)


def fill(form: Form, answers: Answers) -> Filled:
    """Evaluate answers; those to questions that are not asked are dropped.

    Whoever changes his mind about one question must not have to clear others that went with it.
    Calculated values are always reckoned anew, whatever was sent.
    """
    sheet = _Sheet(answers)
    questions = {one.name: one for one in form.questions}
    for name in form.order:
        _answer(form, questions[name], sheet)
    unknown = [FieldError(f"{ROOT}/{name[:60]}", "unknown_question")
               for name in answers if name not in form.cells]  # fmt: skip
    wrong = [fault for one in form.questions for fault in sheet.wrong.get(one.name, ())]
    asked = [one for one in form.questions if one.name in sheet.relevant and one.asks]
    lacking = [fault for one in asked if one.name not in sheet.wrong
               for fault in _lacking(one, sheet.values)]  # fmt: skip
    values = {name: sheet.values[name] for name in form.cells if name in sheet.values}
    return Filled(values, frozenset(sheet.relevant), (*wrong, *unknown), tuple(lacking))


def _answer(form: Form, question: Question, sheet: _Sheet) -> None:
    """Decide whether a question is asked, and take or calculate its answer."""
    if question.relevant and not _holds(question.relevant, sheet.values):
        return
    sheet.relevant.add(question.name)
    if question.calculation:
        value = _reckoned(form, question.name, question.calculation, sheet.values)
        if value is not None:
            sheet.values[question.name] = value
        return
    for name in (question.name, question.name + NOTE_OF):
        cell = form.cells.get(name)
        if cell is None or cell.question is not question:
            continue
        value, faults = _checked(form, cell, sheet.given.get(name))
        if faults:
            sheet.wrong.setdefault(question.name, []).extend(faults)
        elif value is not None:
            sheet.values[name] = value


def _holds(rule: Expression, values: Answers) -> bool:
    return rule.evaluate(values) is True


def _reckoned(form: Form, name: str, calculation: Expression, values: Answers) -> Any:
    """Return what is calculated; null when it is not what the form says it is."""
    value = calculation.evaluate(values)
    return value if value is not None and form.validators[name].is_valid(value) else None


def _checked(form: Form, cell: Cell, value: Any) -> tuple[Any, list[FieldError]]:
    """Return an answer normalised; an empty one is none."""
    if value is None or value in ("", []) or (isinstance(value, str) and not value.strip()):
        return None, []
    path = f"{ROOT}/{cell.name}"
    faults = [one for fault in form.validators[cell.name].iter_errors(value)
              for one in told(fault, path)]  # fmt: skip
    if faults:
        return None, faults[:1]
    try:
        return _normal(cell, value), []
    except Invalid as fault:
        return None, [FieldError(path, fault.code, fault.limits)]


def _normal(cell: Cell, value: Any) -> Any:
    """Return an answer as everybody writes it."""
    if isinstance(value, str):
        return Text(cell.schema.get("maxLength", 60)).check(value)
    if cell.question.type == "point":
        return Position().check(value)
    if cell.question.type == "choices":
        return [one for one in cell.question.choices if one in value]
    return plain_number(value) if is_number(value) else value


def _lacking(question: Question, values: Answers) -> Iterator[FieldError]:
    """Find a missing answer, a missing note, or a broken rule."""
    path, value = f"{ROOT}/{question.name}", values.get(question.name)
    required = question.required
    if value is None:
        if required is True or (isinstance(required, Expression) and _holds(required, values)):
            yield FieldError(path, "required")
        return
    note = question.name + NOTE_OF
    wanted = question.type == "check" and question.note_required and value == "not_ok"
    if wanted and values.get(note) is None:
        yield FieldError(f"{ROOT}/{note}", "note_missing")
    rule = question.constraint
    if rule and not _holds(rule.holds, values):
        words = {"message_zh": rule.message.zh, "message_en": rule.message.en}
        yield FieldError(path, "constraint", words)


def not_ok(form: Form, values: Answers) -> list[Question]:
    """Return the items of a checklist that were found not in order."""
    return [one for one in form.questions
            if one.type == "check" and values.get(one.name) == "not_ok"]  # fmt: skip
