"""The shape of a form's definition, as a JSON Schema; and what a validator's words mean here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from app.forms.operators import day
from sync.errors import FieldError

META = Path(__file__).with_name("definition.schema.json")
FAULTS_MAX = 50
GROUP, REPEAT = "group", "repeat"
LEVELS_MAX = 4
"""Lists of questions within one another: three groups, or a repeat among them."""
CODES: Mapping[str, str] = {
    "type": "wrong_form", "pattern": "wrong_form", "format": "not_a_day", "enum": "not_a_choice",
    "minimum": "out_of_range", "maximum": "out_of_range", "minLength": "wrong_length",
    "maxLength": "wrong_length", "maxItems": "too_many", "minItems": "too_few",
    "uniqueItems": "choice_twice", "required": "required", "additionalProperties": "not_known_here",
    "minProperties": "too_few", "maxProperties": "too_many", "items": "too_many",
}  # fmt: skip
"""The house's code for each word of JSON Schema that our schemas use."""
_TYPE_CODES: Mapping[str, str] = {
    "string": "not_text", "integer": "not_a_whole_number", "number": "not_a_number",
    "boolean": "not_true_or_false", "array": "not_a_list", "object": "not_an_object",
}  # fmt: skip
CODES_OF_TYPES = frozenset(_TYPE_CODES.values())

_formats = FormatChecker(formats=())


@_formats.checks("date", raises=ValueError)
def _is_day(value: object) -> date | bool:
    return day(value) if isinstance(value, str) else True


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return what checks values against a JSON Schema."""
    return Draft202012Validator(schema, format_checker=_formats)


@cache
def _definition_validator() -> Draft202012Validator:
    return validator(json.loads(META.read_text(encoding="utf-8")))


def shape_faults(source: Any) -> list[FieldError]:
    """Return what is wrong with the shape of a definition, by path."""
    # Counted first: a validator that goes down without end would end the whole request.
    if deep := _too_deep(source):
        return [deep]
    faults = _definition_validator().iter_errors(source)
    return [one for fault in islice(faults, FAULTS_MAX) for one in told(fault)]


@dataclass(frozen=True, slots=True)
class Line:
    """A question, group or repeat as it is written.

    Attributes:
        place: where it stands, as ``questions/3/questions/0``.
        repeated: it stands in a repeat.
    """

    place: str
    source: Mapping[str, Any]
    repeated: bool


def lines_of(
    questions: Sequence[Mapping[str, Any]], path: str = "questions", *, repeated: bool = False
) -> Iterator[Line]:
    """Yield all lines of a definition whose shape is right, each before those within it."""
    for number, source in enumerate(questions):
        place = f"{path}/{number}"
        yield Line(place, source, repeated)
        within = repeated or source["type"] == REPEAT
        yield from lines_of(source.get("questions", ()), f"{place}/questions", repeated=within)


def _too_deep(source: Any) -> FieldError | None:
    """Find a list of questions that lies too deep, before anything goes down there."""
    left = [("", source, 0)]
    while left:
        place, one, level = left.pop()
        below = one.get("questions") if isinstance(one, dict) else None
        path = _below(place, "questions") if place else "questions"
        if below is not None and level == LEVELS_MAX:
            return FieldError(path, "too_deep", {"most": LEVELS_MAX - 1})
        if isinstance(below, list):
            left += [(f"{path}/{n}", line, level + 1) for n, line in enumerate(below)]
    return None


def told(fault: ValidationError, path: str = "") -> Iterator[FieldError]:
    """Say in the house's codes what a validator found; each missing or strange name by itself."""
    here = "/".join([*([path] if path else []), *map(str, fault.absolute_path)])
    word, limit, value = fault.validator, fault.validator_value, fault.instance
    if word == "required":
        missing = [name for name in limit if name not in value]
        yield from (FieldError(_below(here, name), "required") for name in missing[:1])
    elif word == "additionalProperties":
        strange = sorted(value.keys() - fault.schema["properties"].keys())
        yield from (FieldError(_below(here, name[:60]), "not_known_here") for name in strange)
    else:
        code = CODES[word]
        if word == "type" and isinstance(limit, str):
            code = _TYPE_CODES[limit]
        yield FieldError(here, code, _limits(fault))


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _limits(fault: ValidationError) -> dict[str, Any]:
    schema = fault.schema
    if not isinstance(schema, Mapping):
        return {}
    pairs = (
        ("least", ("minimum", "minLength", "minItems")),
        ("most", ("maximum", "maxLength", "maxItems")), ("choices", ("enum",)),
    )  # fmt: skip
    return {ours: schema[word] for ours, words in pairs for word in words if word in schema}
