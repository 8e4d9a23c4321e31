"""Flat rows and whole documents: what the two clients can hold of a record's values."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from app.core.engine import Engine
from app.core.sight import Sight
from sync.conflicts import CONFLICT
from sync.errors import Problem
from sync.kinds import Kind, Rule
from sync.values import Free, Listing, Named, Position
from sync.wire import NotJson, read_json

Values = Mapping[str, Any]
OWN_FIELDS = frozenset({"id", "rv"})
_NESTED = (Position, Listing, Named, Free)
_BLANK = (None, "", 0, False)


def kinds_of(engine: Engine) -> dict[str, Kind]:
    """Return all kinds that a face shows, those come first that others name."""
    kinds = {**engine.kinds.by_name, CONFLICT.name: CONFLICT}
    ordered: dict[str, Kind] = {}

    def place(kind: Kind) -> None:
        for other in kind.references.values():
            if other in kinds and other not in ordered and other != kind.name:
                place(kinds[other])
        ordered.setdefault(kind.name, kind)

    for kind in kinds.values():
        place(kind)
    return ordered


def kind_named(kinds: Mapping[str, Kind], name: str) -> Kind:
    """Return the kind of a name.

    Raises:
        Problem: 404 when there is none.
    """
    kind = kinds.get(name)
    if kind is None:
        raise Problem(404, "unknown_kind", kind=name[:60])
    return kind


def flat(kind: Kind, values: Values) -> dict[str, Any]:
    """Return values for a table with columns of text, numbers and truths only."""
    return {
        name: json.dumps(value, ensure_ascii=False)
        if value is not None and _is_nested(kind, name) else value
        for name, value in values.items()
    }  # fmt: skip


def unflat(kind: Kind, values: Values) -> dict[str, Any]:
    """Return the values of a flat row; a text that is no JSON stays one, for the rules to judge."""
    return {
        name: _read(value) if isinstance(value, str) and _is_nested(kind, name) else value
        for name, value in values.items()
    }


def _is_nested(kind: Kind, name: str) -> bool:
    known = kind.by_name.get(name)
    return known is not None and isinstance(known.type, _NESTED)


def _read(text: str) -> Any:
    try:
        return read_json(text) if text else None
    except NotJson:
        return text


def written(values: Values) -> dict[str, Any]:
    """Return what an app may write of a row: its id and version and the client's own marks go."""
    return {
        name: value for name, value in values.items()
        if name not in OWN_FIELDS and not name.startswith("_")
    }  # fmt: skip


def fresh(kind: Kind, values: Values) -> dict[str, Any]:
    """Return the values with which a record is created.

    A client sends every column of its table: blanks that the server fills by itself are left out,
    and of a group that has one value all others are there.
    """
    given = {
        name: value for name, value in written(values).items()
        if not (value in _BLANK and _fills_itself(kind, name))
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    for fields in kind.units.values():
        if any(one.name in given for one in fields):
            given |= {
                one.name: given.get(one.name) for one in fields if one.rule is not Rule.SERVER
            }
    return given


def _fills_itself(kind: Kind, name: str) -> bool:
    known = kind.by_name.get(name)
    return known is None or known.rule is Rule.SERVER


def whole_units(
    kind: Kind, changed: Iterable[str], row: Values, hidden: Collection[str]
) -> dict[str, Any]:
    """Return the changed fields, and with each the rest of its group as the phone shows it.

    Args:
        hidden: fields of which the phone has only a mask; they never go back.
    """
    values: dict[str, Any] = {}
    for name in changed:
        values[name] = row.get(name)
        for one in kind.units.get(kind.unit_of(name), ()):
            keeps = one.rule is not Rule.SERVER and one.name not in hidden
            if keeps and one.name in row:
                values.setdefault(one.name, row[one.name])
    return values


def hidden_of(engine: Engine, sight: Sight, kind: Kind) -> frozenset[str]:
    """Return the fields that somebody sees masked."""
    if kind.name in sight.whole or kind.name not in engine.tables:
        return frozenset()
    return frozenset(name for name, _ in engine.tables[kind.name].masked)
