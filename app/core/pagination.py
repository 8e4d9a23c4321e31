"""Pages by cursor, with the Link header of RFC 8288; no offset, no unbounded list."""

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import request, url_for
from marshmallow import Schema, fields, validate

from sync.errors import Problem
from sync.wire import read_json

LIMIT, LIMIT_MAX = 50, 200


class PageQuery(Schema):
    """The two arguments of every list."""

    limit = fields.Integer(
        load_default=LIMIT, validate=validate.Range(1, LIMIT_MAX),
        metadata={"description": "how many rows; 1 to 200"},
    )  # fmt: skip
    cursor = fields.String(
        load_default=None, validate=validate.Length(max=500),
        metadata={"description": "where to go on; take it from the Link header"},
    )  # fmt: skip


def after(columns: Sequence[Any], cursor: str | None) -> sa.ColumnElement[bool]:
    """Return the condition "beyond the cursor" for an ascending order of columns.

    Raises:
        Problem: 400 ``bad_cursor``.
    """
    if cursor is None:
        return sa.true()
    try:
        values = read_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(columns):
            raise ValueError
        if not all(type(value) in (str, int) for value in values):
            raise ValueError
        literals = [_bound(c, value) for c, value in zip(columns, values, strict=True)]
    except (ValueError, TypeError):
        raise Problem(400, "bad_cursor") from None
    return sa.tuple_(*columns) > sa.tuple_(*literals)


def _bound(column: Any, value: str | int) -> Any:
    """Bind a cursor's value with its column's type, refusing what the type cannot hold."""
    expected = column.type.python_type
    if expected is int and not (type(value) is int and abs(value) < 2**62):
        raise ValueError("not a whole number")
    if expected is str:
        if not isinstance(value, str):
            raise ValueError("not a text")
        if isinstance(column.type, sa.Uuid):
            value = str(uuid.UUID(value))
    return sa.literal(value, column.type)


def write_cursor(values: Sequence[Any]) -> str:
    """Return a cursor for the last row of a page."""
    raw = json.dumps(list(values), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def page(
    rows: Sequence[Any], limit: int, key: Callable[[Any], Sequence[Any]]
) -> tuple[Sequence[Any], dict[str, str]]:
    """Cut a list that was read one row too long, and name the next page if there is one.

    Returns:
        The rows of this page and the headers to send with them.
    """
    if len(rows) <= limit:
        return rows, {}
    kept = rows[:limit]
    arguments = {**request.args.to_dict(flat=True), "cursor": write_cursor(key(kept[-1]))}
    here = url_for(request.endpoint or "", **(request.view_args or {}))
    return kept, {"Link": f'<{here}?{urlencode(arguments)}>; rel="next"'}
