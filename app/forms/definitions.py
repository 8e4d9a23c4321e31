"""A form as its definition says: questions with labels, rules, and the cells for their answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter
from typing import Any

from jsonschema import Draft202012Validator

from app.forms.expressions import Expression
from app.forms.shape import validator

Json = Mapping[str, Any]
CHECK_RESULTS = ("ok", "not_ok", "not_applicable")
NOTE_OF = "_note"
NOTE_MAX = 500
TEXT_MAX, TEXT_USUAL = 2000, 500
NUMBER_MAX = 2**53
RESULTS = ("text", "integer", "decimal", "yes_no", "date")
TYPES = (*RESULTS, "choice", "choices", "point", "check", "note", "calculate")
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


@dataclass(frozen=True)
class Question:
    """One line of a form.

    Attributes:
        relevant: None when it is always asked.
        required: True, False, or when.
        choices: the values of its choices, with their labels.
        limits: the smallest and largest number, or the longest text; None without.
        note_required: a checklist item that is not ok wants a note.
    """

    name: str
    type: str
    label: Words
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

    @property
    def asks(self) -> bool:
        """Tell whether somebody answers it; others only show or calculate."""
        return self.type not in ("note", "calculate")


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
class Form:
    """One version of a form, ready to be filled in.

    Attributes:
        steps: how answers to the version before become answers to this one.
    """

    key: str
    title: Words
    questions: tuple[Question, ...]
    steps: tuple[Json, ...]

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """Return the places for answers by name, in the order of the questions."""
        return {cell.name: cell for one in self.questions for cell in _cells(one)}

    @cached_property
    def data_schema(self) -> Json:
        """Return the JSON Schema of a set of answers."""
        always = [one.name for one in self.questions
                  if one.asks and one.required is True and one.relevant is None]  # fmt: skip
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {cell.name: cell.schema for cell in self.cells.values()},
            "required": always,
            "additionalProperties": False,
        }

    @cached_property
    def validators(self) -> Mapping[str, Draft202012Validator]:
        """Return what checks each answer by itself."""
        return {name: validator(cell.schema) for name, cell in self.cells.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Return the names of the questions so that each comes after those that decide about it.

        Raises:
            CycleError: some decide about one another.
        """
        owners = {name: cell.question.name for name, cell in self.cells.items()}
        needs = {
            one.name: {owners[name] for rule in (one.relevant, one.calculation) if rule
                       for name in rule.names if name in owners}
            for one in self.questions
        }  # fmt: skip
        return tuple(TopologicalSorter(needs).static_order())

    @cached_property
    def is_personal(self) -> bool:
        """Tell whether an answer says something of a person."""
        return any(one.privacy != OPEN_CLASS for one in self.questions)


@lru_cache(maxsize=256)
def read_form(text: str) -> Form:
    """Return the form of a definition that has been checked before."""
    source: Json = json.loads(text)
    return Form(
        source["key"], _words(source["title"]), tuple(map(_question, source["questions"])),
        tuple(source.get("translate", ())),
    )  # fmt: skip


def _question(source: Json) -> Question:
    required = source.get("required", False)
    return Question(
        name=source["name"],
        type=source["type"],
        label=_words(source["label"]),
        required=required if isinstance(required, bool) else _expression(required),
        relevant=_expression(source["relevant"]) if "relevant" in source else None,
        constraint=_constraint(source.get("constraint")),
        calculation=_expression(source["calculation"]) if "calculation" in source else None,
        result=source.get("result", "decimal"),
        choices={one["value"]: _words(one["label"]) for one in source.get("choices", ())},
        least=source.get("least"),
        most=source.get("most"),
        note_required=source.get("note_required", True),
        privacy=source.get("privacy", OPEN_CLASS),
    )


def _words(source: Json) -> Words:
    return Words(source["zh"], source["en"])


def _expression(source: Any) -> Expression:
    return Expression(json.dumps(source, ensure_ascii=False, sort_keys=True))


def _constraint(source: Json | None) -> Constraint | None:
    if source is None:
        return None
    return Constraint(_expression(source["holds"]), _words(source["message"]))


def _cells(question: Question) -> Iterator[Cell]:
    if question.type == "note":
        return
    yield Cell(question.name, question, _value_schema(question))
    if question.type == "check":
        schema = {"type": "string", "maxLength": NOTE_MAX}
        yield Cell(question.name + NOTE_OF, question, schema)


def _value_schema(question: Question) -> Json:
    """Return the JSON Schema of the answers to a question."""
    sort = question.result if question.type == "calculate" else question.type
    match sort:
        case "text":
            return {"type": "string", "maxLength": int(question.most or TEXT_USUAL)}
        case "integer" | "decimal":
            kind = "integer" if sort == "integer" else "number"
            return {"type": kind, "minimum": _or(question.least, -NUMBER_MAX),
                    "maximum": _or(question.most, NUMBER_MAX)}  # fmt: skip
        case "date":
            return {"type": "string", "format": "date"}
        case "yes_no":
            return {"type": "boolean"}
        case "choice":
            return {"type": "string", "enum": list(question.choices)}
        case "choices":
            return _several(question.choices)
        case "check":
            return {"type": "string", "enum": list(CHECK_RESULTS)}
        case _:
            return {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}],
                    "items": False, "minItems": 2}  # fmt: skip


def _several(choices: Sequence[str] | Mapping[str, Words]) -> Json:
    return {"type": "array", "items": {"type": "string", "enum": list(choices)},
            "uniqueItems": True, "maxItems": len(choices)}  # fmt: skip


def _or(limit: float | None, otherwise: int) -> float:
    return otherwise if limit is None else limit
