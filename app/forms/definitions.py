"""A form as its definition says: questions with labels, rules, and the cells for their answers.

Groups are flattened: a question knows the sections it stands in, and answers stay flat. A repeat
is one question of the form, whose answer is a list of rows; the questions of a row are a part of
their own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter
from typing import Any

from jsonschema import Draft202012Validator

from app.forms.expressions import Expression
from app.forms.shape import GROUP, REPEAT, validator
from app.forms.value_schemas import CHECK_RESULTS, NOTE_SCHEMA, frame_of_rows, value_schema

__all__ = ["CHECK_RESULTS", "Cell", "Form", "Part", "Question", "Section", "read_form"]

Json = Mapping[str, Any]
NOTE_OF = "_note"
RESULTS = ("text", "integer", "decimal", "yes_no", "date")
TYPES = (*RESULTS, "choice", "choices", "point", "check", "note", "calculate", GROUP, REPEAT)
OPEN_CLASS = "P0"


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """What an answer must fulfil, and what is said when it does not."""

    holds: Expression
    message: Words


@dataclass(frozen=True, slots=True)
class Section:
    """A group: its title, and when the questions in it are asked.

    Attributes:
        place: where it stands in the definition, as ``questions/3``.
    """

    name: str
    label: Words
    relevant: Expression | None
    place: str


@dataclass(frozen=True)
class Question:
    """One line of a form.

    Attributes:
        place: where it stands in the definition, as ``questions/3/questions/0``.
        sections: the groups it stands in, from the outermost; those around a repeat are the
            repeat's own, not those of its rows.
        relevant: None when only its sections decide.
        required: True, False, or when.
        choices: the values of its choices, with their labels.
        least, most: the smallest and largest number, the longest text, or how many rows; None
            without.
        note_required: a checklist item that is not ok wants a note.
        rows: what each row of a repeat asks; None for all others.
    """

    name: str
    type: str
    label: Words
    place: str
    sections: tuple[Section, ...]
    required: Expression | bool
    relevant: Expression | None
    constraint: Constraint | None
    calculation: Expression | None
    result: str
    choices: Mapping[str, Words]
    least: float | None
    most: float | None
    note_required: bool
    privacy: str
    rows: "Part | None"

    @property
    def asks(self) -> bool:
        """Tell whether somebody answers it; others only show or calculate."""
        return self.type not in ("note", "calculate")

    @cached_property
    def conditions(self) -> tuple[Expression, ...]:
        """Return all that must hold for it to be asked: of its sections, and its own."""
        rules = (*(one.relevant for one in self.sections), self.relevant)
        return tuple(rule for rule in rules if rule is not None)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Return the names of the answers that decide about it; rows look outside, too."""
        rules = [*self.conditions, *([self.calculation] if self.calculation else [])]
        own = frozenset(name for rule in rules for name in rule.names)
        if self.rows is None:
            return own
        within = {name for one in self.rows.questions for name in one.reads}
        return own | (within - self.rows.cells.keys())


@dataclass(frozen=True)
class Cell:
    """A place for one answer: the question's own, or the note beside a checklist item."""

    name: str
    question: Question
    schema: Json
    """The JSON Schema of the value."""

    @property
    def is_note(self) -> bool:
        """Tell whether it is the note beside a checklist item."""
        return self.name != self.question.name


@dataclass(frozen=True)
class Part:
    """Questions that are answered together: those of a form, or those of a row."""

    questions: tuple[Question, ...]

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """Return the places for answers by name, in the order of the questions."""
        return {cell.name: cell for one in self.questions for cell in _cells(one)}

    @cached_property
    def columns(self) -> Mapping[str, tuple[Question, Cell]]:
        """Return the places for answers within rows by name, each with its repeat."""
        return {name: (one, cell) for one in self.questions if one.rows
                for name, cell in one.rows.cells.items()}  # fmt: skip

    @cached_property
    def schema(self) -> Json:
        """Return the JSON Schema of a set of answers."""
        always = [one.name for one in self.questions
                  if one.asks and one.required is True and not one.conditions]  # fmt: skip
        return {
            "type": "object",
            "properties": {cell.name: cell.schema for cell in self.cells.values()},
            "required": always,
            "additionalProperties": False,
        }

    @cached_property
    def sight(self) -> Json:
        """Return the schemas of what expressions see: a question of rows reads as a list."""
        lists = {name: {"type": "array", "items": cell.schema}
                 for name, (_, cell) in self.columns.items()}  # fmt: skip
        return {**lists, **{name: cell.schema for name, cell in self.cells.items()}}

    @cached_property
    def validators(self) -> Mapping[str, Draft202012Validator]:
        """Return what checks each answer by itself; rows are looked into one by one."""
        return {
            name: validator(frame_of_rows(cell.question) if cell.question.rows else cell.schema)
            for name, cell in self.cells.items()
        }

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Return the names of the questions so that each comes after those that decide about it.

        Raises:
            CycleError: some decide about one another.
        """
        owners = {name: cell.question.name for name, cell in self.cells.items()}
        owners |= {name: repeat.name for name, (repeat, _) in self.columns.items()}
        needs = {one.name: {owners[name] for name in one.reads if name in owners}
                 for one in self.questions}  # fmt: skip
        return tuple(TopologicalSorter(needs).static_order())


@dataclass(frozen=True)
class Form(Part):
    """One version of a form, ready to be filled in.

    Attributes:
        steps: how answers to the version before become answers to this one.
    """

    key: str
    title: Words
    steps: tuple[Json, ...]

    @cached_property
    def data_schema(self) -> Json:
        """Return the JSON Schema of a set of answers, as it is handed out."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **self.schema}

    @property
    def every_question(self) -> Iterator[Question]:
        """Yield all questions, those of a repeat's rows after it."""
        for one in self.questions:
            yield one
            yield from one.rows.questions if one.rows else ()

    @cached_property
    def is_personal(self) -> bool:
        """Tell whether an answer says something of a person."""
        return any(one.privacy != OPEN_CLASS for one in self.every_question)


@lru_cache(maxsize=256)
def read_form(text: str) -> Form:
    """Return the form of a definition that has been checked before."""
    source: Json = json.loads(text)
    return Form(
        _flattened(source["questions"], "questions", ()), source["key"], _words(source["title"]),
        tuple(source.get("translate", ())),
    )  # fmt: skip


def _flattened(lines: list[Json], path: str, sections: tuple[Section, ...]) -> tuple[Question, ...]:
    """Return the questions of a list, those of its groups in their places."""
    found: list[Question] = []
    for number, line in enumerate(lines):
        place = f"{path}/{number}"
        if line["type"] == GROUP:
            within = (*sections, _section(line, place))
            found += _flattened(line["questions"], f"{place}/questions", within)
        else:
            found.append(_question(line, place, sections))
    return tuple(found)


def _section(source: Json, place: str) -> Section:
    return Section(
        source["name"], _words(source["label"]), _expression_of(source, "relevant"), place
    )


def _question(source: Json, place: str, sections: tuple[Section, ...]) -> Question:
    required = source.get("required", False)
    return Question(
        name=source["name"],
        type=source["type"],
        label=_words(source["label"]),
        place=place,
        sections=sections,
        required=required if isinstance(required, bool) else _expression(required),
        relevant=_expression_of(source, "relevant"),
        constraint=_constraint(source.get("constraint")),
        calculation=_expression_of(source, "calculation"),
        result=source.get("result", "decimal"),
        choices={one["value"]: _words(one["label"]) for one in source.get("choices", ())},
        least=source.get("least"),
        most=source.get("most"),
        note_required=source.get("note_required", True),
        privacy=source.get("privacy", OPEN_CLASS),
        rows=_rows(source, place) if source["type"] == REPEAT else None,
    )


def _rows(source: Json, place: str) -> Part:
    return Part(_flattened(source["questions"], f"{place}/questions", ()))


def _words(source: Json) -> Words:
    return Words(source["zh"], source["en"])


def _expression_of(source: Json, name: str) -> Expression | None:
    return _expression(source[name]) if name in source else None


def _expression(source: Any) -> Expression:
    return Expression(json.dumps(source, ensure_ascii=False, sort_keys=True))


def _constraint(source: Json | None) -> Constraint | None:
    if source is None:
        return None
    return Constraint(_expression(source["holds"]), _words(source["message"]))


def _cells(question: Question) -> Iterator[Cell]:
    if question.type == "note":
        return
    yield Cell(question.name, question, value_schema(question))
    if question.type == "check":
        yield Cell(question.name + NOTE_OF, question, NOTE_SCHEMA)
