"""The answers of GeoReport v2 as JSON and as XML, and its errors, which have their own form."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from flask import Response, json

from app.core.problems import CATALOGUE, PROBLEM_JSON
from sync.errors import Problem

FORMATS = {"json": "application/json; charset=utf-8", "xml": "text/xml; charset=utf-8"}
MEDIA_TYPES = tuple(text.partition(";")[0] for text in FORMATS.values())
ERROR_STATUSES = (400, 403, 404, 413, 415, 422, 429, 503)
"""What may be refused; elsewhere in the house an error is a problem, here the standard rules."""
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Row = Mapping[str, Any]


def promised(status: int = 200) -> Mapping[int, Any]:
    """Return what the API document says of an operation: a body in two forms, or errors.

    What stands before all operations (admission, limits) says its errors as problems.
    """
    errors = {"type": "array", "items": {"type": "object", "properties": {
        "code": {"type": "integer"}, "description": {"type": "string"}}}}  # fmt: skip
    bodies = {"application/json": {"schema": errors}, "text/xml": {"schema": {"type": "string"}},
              PROBLEM_JSON: {"schema": {"type": "object"}}}  # fmt: skip
    refused = {"description": "An error as GeoReport v2 has it", "content": bodies}
    good = {"application/json": {"schema": {}}, "text/xml": {"schema": {"type": "string"}}}
    return {status: {"description": "As GeoReport v2 has it", "content": good},
            **dict.fromkeys(ERROR_STATUSES, refused)}  # fmt: skip


def answer(
    rows: Sequence[Row], kind: str, *, names: tuple[str, str], status: int = 200
) -> Response:
    """Return rows in one of the two forms.

    Args:
        names: what the list and one row of it are called in XML.
    """
    if kind == "json":
        return Response(json.dumps(list(rows)), status, content_type=FORMATS[kind])
    root = ElementTree.Element(names[0])
    for row in rows:
        _add(ElementTree.SubElement(root, names[1]), row)
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(text, status, content_type=FORMATS[kind])


def one(row: Row, kind: str, *, name: str) -> Response:
    """Return one thing that is no list, like a definition."""
    if kind == "json":
        return Response(json.dumps(row), content_type=FORMATS[kind])
    root = ElementTree.Element(name)
    _add(root, row)
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(text, content_type=FORMATS[kind])


def _add(element: ElementTree.Element, row: Row) -> None:
    for name, value in row.items():
        below = ElementTree.SubElement(element, name)
        if isinstance(value, Mapping):
            _add(below, value)
        elif isinstance(value, list):
            for item in value:
                inner = ElementTree.SubElement(below, name.removesuffix("s"))
                _add(inner, item) if isinstance(item, Mapping) else _say(inner, item)
        else:
            _say(below, value)


def _say(element: ElementTree.Element, value: Any) -> None:
    """Write a value as XML does: nothing for nothing, and no character that XML cannot hold."""
    if isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = _NOT_XML.sub("\ufffd", str(value))


def error(problem: Problem, kind: str) -> Response:
    """Return an error as the standard has it: a list with the status and words for people."""
    words = CATALOGUE.get(problem.code)
    told = f"{problem.code}: {words.title_zh} / {words.title}. {words.next_step}" if words else ""
    details = "; ".join(f"{one['field']}: {one['code']}" for one in problem.extra.get("errors", ()))
    row = {"code": problem.status, "description": f"{told or problem.code} {details}".strip()}
    response = answer([row], kind, names=("errors", "error"), status=problem.status)
    wait = problem.extra.get("retry_after_s")
    if wait is not None or problem.status == 503:
        response.headers["Retry-After"] = str(wait or 5)
    return response
