"""The JSON Schema of the answers to a question."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.forms.definitions import Question

Json = Mapping[str, Any]
CHECK_RESULTS = ("ok", "not_ok", "not_applicable")
NOTE_SCHEMA: Json = {"type": "string", "maxLength": 500}
TEXT_USUAL = 500
NUMBER_MAX = 2**53
ROWS_USUAL, ROWS_MAX = 20, 50


def value_schema(question: "Question") -> Json:
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
        case "repeat" if question.rows:
            return _rows(question, question.rows.schema)
        case _:
            return {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}],
                    "items": False, "minItems": 2}  # fmt: skip


def frame_of_rows(question: "Question") -> Json:
    """Return the JSON Schema of rows whose answers are checked one by one afterwards."""
    return {"type": "array", "items": {"type": "object"}, "maxItems": rows_most(question)}


def rows_most(question: "Question") -> int:
    """Return how many rows a repeat may have."""
    return int(_or(question.most, ROWS_USUAL))


def _rows(question: "Question", row: Json) -> Json:
    least = {"minItems": int(question.least)} if question.least else {}
    return {"type": "array", "items": row, **least,
            "maxItems": rows_most(question)}  # fmt: skip


def _several(choices: Mapping[str, Any]) -> Json:
    return {"type": "array", "items": {"type": "string", "enum": list(choices)},
            "uniqueItems": True, "maxItems": len(choices)}  # fmt: skip


def _or(limit: float | None, otherwise: int) -> float:
    return otherwise if limit is None else limit
