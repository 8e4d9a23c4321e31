"""Read, check and evaluate one expression of a form: no code is run, the cost is bounded."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonlogic.core import JSONLogicExpression, JSONLogicSyntaxError, Operator
from jsonlogic.evaluation import evaluate
from jsonlogic.json_schema.types import DateType
from jsonlogic.typechecking import typecheck

from app.forms.operators import REGISTRY, SIGNS, UNKNOWN_NAME, day, sorts_of
from sync.values import Invalid

NODES_MAX = 200
DEPTH_MAX = 12
TEXT_MAX = 200
Json = Any
_READING = {"literal_casts": {day: DateType}}


@dataclass(frozen=True)
class Expression:
    """One expression, read and found well formed."""

    source: str
    """Its JSON, as text."""

    @cached_property
    def tree(self) -> Operator | Json:
        """Return the tree of operators, or the constant that it is."""
        source = json.loads(self.source)
        if not isinstance(source, dict):
            return source
        return JSONLogicExpression.from_json(source).as_operator_tree(REGISTRY)

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the names of the answers that it reads."""
        return frozenset(_names(json.loads(self.source)))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return what it comes to; a name without a value reads as null."""
        if not isinstance(self.tree, Operator):
            return self.tree
        return evaluate(self.tree, dict(values), None)

    def sorts(self, schema: Mapping[str, Any]) -> frozenset[str]:
        """Return the sorts of value that it may come to, over answers of a JSON Schema.

        Raises:
            Invalid: ``unknown_name`` or ``wrong_types``.
        """
        if not isinstance(self.tree, Operator):
            return frozenset({"truth" if isinstance(self.tree, bool) else "any"})
        found, diagnostics = typecheck(self.tree, dict(schema), _READING)  # type: ignore[arg-type]
        if any(one.message == UNKNOWN_NAME for one in diagnostics):
            unknown = self.names - schema["properties"].keys()
            raise Invalid("unknown_name", names=sorted(unknown))
        if diagnostics:
            raise Invalid("wrong_types", operator=diagnostics[0].operator.operator)
        return sorts_of(found)


def read(source: Json) -> Expression:
    """Return an expression of its JSON.

    Raises:
        Invalid: it is too large, or not of this language.
    """
    if not isinstance(source, dict | bool):
        raise Invalid("not_one_operator")
    _measure(source)
    expression = Expression(json.dumps(source, ensure_ascii=False, sort_keys=True))
    try:
        expression.tree  # noqa: B018
    except JSONLogicSyntaxError as fault:
        raise Invalid("wrong_arguments", operator=fault.message) from None
    return expression


def _measure(source: Json) -> None:
    """Refuse what is too large or none of ours before anything walks it.

    Raises:
        Invalid: with what is wrong.
    """
    left, nodes = [(source, 1)], 0
    while left:
        one, depth = left.pop()
        nodes += 1
        if nodes > NODES_MAX or depth > DEPTH_MAX:
            raise Invalid("expression_too_large", most=NODES_MAX, depth=DEPTH_MAX)
        if isinstance(one, dict):
            _check_sign(one)
            [arguments] = one.values()
            left += [(arg, depth + 1) for arg in _listed(arguments)]
        elif isinstance(one, list):
            if not one:
                raise Invalid("wrong_types", operator="[]")
            left += [(item, depth + 1) for item in one]
        elif isinstance(one, str) and len(one) > TEXT_MAX:
            raise Invalid("wrong_length", least=0, most=TEXT_MAX)


def _check_sign(one: Mapping[str, Json]) -> None:
    if len(one) != 1:
        raise Invalid("not_one_operator")
    [sign] = one
    if sign not in SIGNS:
        raise Invalid("unknown_operator", operator=sign[:40], choices=sorted(SIGNS))


def _listed(arguments: Json) -> list[Json]:
    return arguments if isinstance(arguments, list) else [arguments]


def _names(source: Json) -> Iterator[str]:
    if isinstance(source, list):
        for one in source:
            yield from _names(one)
    elif isinstance(source, dict):
        [(sign, arguments)] = source.items()
        if sign == "var":
            yield str(_listed(arguments)[0])
        yield from _names(arguments)
