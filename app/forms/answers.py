"""Fill in a form: which questions are asked, what is calculated, and what is wrong by its path.

Each row of a repeat is a sheet of its own that also sees the answers outside of it.
The same rules run on every phone; docs/form-vectors.json holds what they must come to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.forms.definitions import NOTE_OF, Cell, Form, Part, Question
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
        relevant: the questions that are asked, or shown, in the order of the form; those of rows
            as ``rooms/0/width``.
        wrong: answers that cannot be kept as they are.
        lacking: what keeps the form from being complete: missing answers and broken rules.
    """

    values: Mapping[str, Any]
    relevant: tuple[str, ...]
    wrong: tuple[FieldError, ...]
    lacking: tuple[FieldError, ...]

    @property
    def faults(self) -> tuple[FieldError, ...]:
        """Return all that is wrong."""
        return (*self.wrong, *self.lacking)


@dataclass(frozen=True, slots=True)
class Finding:
    """An item of a checklist that was found not in order.

    Attributes:
        row: the number of its row, from 1; None outside of repeats.
    """

    question: Question
    row: int | None
    note: str


@dataclass
class _Sheet:
    """Questions that are being answered: those of a form, or those of one row.

    Attributes:
        path: where its answers stand.
        scope: what its expressions see so far, answers outside of a row included.
    """

    part: Part
    given: Answers
    path: str
    scope: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    relevant: set[str] = field(default_factory=set)
    wrong: dict[str, list[FieldError]] = field(default_factory=dict)
    rows: dict[str, list["_Sheet"]] = field(default_factory=dict)

    def keep(self, name: str, value: Any) -> None:
        """Keep an answer, which the expressions that come after see."""
        self.values[name] = self.scope[name] = value


def fill(form: Form, answers: Answers) -> Filled:
    """Evaluate answers; those to questions that are not asked are dropped.

    Whoever changes his mind about one question must not have to clear others that went with it.
    Calculated values are always reckoned anew, whatever was sent.
    """
    sheet = _taken(form, answers, ROOT, {})
    return Filled(
        sheet.values, tuple(_relevant(sheet, "")), tuple(_wrong(sheet)), tuple(_lacking(sheet, {}))
    )


def _taken(part: Part, given: Answers, path: str, outside: Answers) -> _Sheet:
    """Return a sheet with all its answers taken."""
    sheet = _Sheet(part, given, path, dict(outside))
    questions = {one.name: one for one in part.questions}
    for name in part.order:
        _answer(questions[name], sheet)
    sheet.values = {name: sheet.values[name] for name in part.cells if name in sheet.values}
    return sheet


def _answer(question: Question, sheet: _Sheet) -> None:
    """Decide whether a question is asked, and take or calculate its answer."""
    if not all(_holds(rule, sheet.scope) for rule in question.conditions):
        return
    sheet.relevant.add(question.name)
    if question.calculation:
        value = _reckoned(sheet.part, question.name, question.calculation, sheet.scope)
        if value is not None:
            sheet.keep(question.name, value)
        return
    for name in (question.name, question.name + NOTE_OF):
        cell = sheet.part.cells.get(name)
        if cell is None or cell.question is not question:
            continue
        value, faults = _checked(sheet, cell)
        if faults:
            sheet.wrong.setdefault(question.name, []).extend(faults)
        elif value is not None and question.rows:
            _take_rows(question.name, question.rows, value, sheet)
        elif value is not None:
            sheet.keep(name, value)


def _take_rows(name: str, part: Part, given: list[Answers], sheet: _Sheet) -> None:
    """Take the rows of a repeat; outside of it their answers read as lists."""
    path = f"{sheet.path}/{name}"
    rows = [_taken(part, row, f"{path}/{n}", sheet.scope) for n, row in enumerate(given)]
    sheet.rows[name] = rows
    sheet.keep(name, [row.values for row in rows])
    for column in part.cells:
        said = [row.values[column] for row in rows if column in row.values]
        if said:
            sheet.scope[column] = said


def _relevant(sheet: _Sheet, path: str) -> Iterator[str]:
    """Yield what is asked or shown."""
    for one in sheet.part.questions:
        if one.name in sheet.relevant:
            yield path + one.name
        for number, row in enumerate(sheet.rows.get(one.name, ())):
            yield from _relevant(row, f"{path}{one.name}/{number}/")


def _wrong(sheet: _Sheet) -> Iterator[FieldError]:
    """Yield what cannot be kept, in the order of the form; names that it does not have last."""
    for one in sheet.part.questions:
        yield from sheet.wrong.get(one.name, ())
        for row in sheet.rows.get(one.name, ()):
            yield from _wrong(row)
    for name in sheet.given:
        if name not in sheet.part.cells:
            yield FieldError(f"{sheet.path}/{name[:60]}", "unknown_question")


def _lacking(sheet: _Sheet, outside: Answers) -> Iterator[FieldError]:
    """Yield what is missing or breaks a rule, now that all answers are there."""
    around = {name: value for name, value in outside.items() if name not in sheet.part.cells}
    scope = {**around, **sheet.scope}
    for one in sheet.part.questions:
        if one.name in sheet.relevant and one.asks and one.name not in sheet.wrong:
            yield from _lack(one, sheet, scope)
        for row in sheet.rows.get(one.name, ()):
            yield from _lacking(row, scope)


def _holds(rule: Expression, values: Answers) -> bool:
    return rule.evaluate(values) is True


def _reckoned(part: Part, name: str, calculation: Expression, values: Answers) -> Any:
    """Return what is calculated; null when it is not what the form says it is."""
    value = calculation.evaluate(values)
    return value if value is not None and part.validators[name].is_valid(value) else None


def _checked(sheet: _Sheet, cell: Cell) -> tuple[Any, list[FieldError]]:
    """Return an answer normalised; an empty one is none."""
    value, path = sheet.given.get(cell.name), f"{sheet.path}/{cell.name}"
    if value is None or value in ("", []) or (isinstance(value, str) and not value.strip()):
        return None, []
    faults = [one for fault in sheet.part.validators[cell.name].iter_errors(value)
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


def _lack(question: Question, sheet: _Sheet, scope: Answers) -> Iterator[FieldError]:
    """Find a missing answer, a missing note, missing rows, or a broken rule."""
    path, value = f"{sheet.path}/{question.name}", sheet.values.get(question.name)
    required, rule = question.required, question.constraint
    if value is None and (
        required is True or (isinstance(required, Expression) and _holds(required, scope))
    ):
        yield FieldError(path, "required")
    elif question.rows and len(value or ()) < (question.least or 0):
        yield FieldError(path, "too_few", {"least": question.least})
    if value is None:
        return
    note = question.name + NOTE_OF
    wanted = question.type == "check" and question.note_required and value == "not_ok"
    if wanted and sheet.values.get(note) is None:
        yield FieldError(f"{sheet.path}/{note}", "note_missing")
    if rule and not _holds(rule.holds, scope):
        words = {"message_zh": rule.message.zh, "message_en": rule.message.en}
        yield FieldError(path, "constraint", words)


def not_ok(form: Form, values: Answers) -> list[Finding]:
    """Return the items of checklists that were found not in order, those of rows too."""
    return list(_findings(form, values, None))


def _findings(part: Part, values: Answers, row: int | None) -> Iterator[Finding]:
    for one in part.questions:
        if one.type == "check" and values.get(one.name) == "not_ok":
            yield Finding(one, row, values.get(one.name + NOTE_OF, ""))
        if one.rows:
            for number, each in enumerate(values.get(one.name, ()), start=1):
                yield from _findings(one.rows, each, number)
