"""The operators of the expression language of forms: a strict part of JsonLogic.

The library reads expressions, builds their trees, resolves names and walks types; here each
operator says what it computes and of which types. All are total: what has no sense gives null,
so that a form never breaks on a phone, and every app can do the same (docs/form-vectors.json).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Self, cast

from jsonlogic.core import JSONLogicSyntaxError, Operator
from jsonlogic.evaluation import EvaluationContext, get_value
from jsonlogic.json_schema.types import (
    AnyType,
    ArrayType,
    BooleanType,
    DateType,
    IntegerType,
    JSONSchemaType,
    NullType,
    NumberType,
    StringType,
    UnionType,
)
from jsonlogic.registry import OperatorRegistry
from jsonlogic.typechecking import TypecheckContext, get_type
from jsonlogic.typing import OperatorArgument

WHOLE_MAX = 2**53
"""Beyond it JSON numbers are not exact in every language: a result beyond is null."""
ARGUMENTS_MAX = 40
UNKNOWN_NAME, WRONG_TYPES = "unknown_name", "wrong_types"
LISTS = frozenset({"list", "numbers"})
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SORTS: Mapping[type[JSONSchemaType], str] = {
    IntegerType: "number", NumberType: "number", StringType: "text", DateType: "date",
    BooleanType: "truth", ArrayType: "list",
}  # fmt: skip

Values = Sequence[Any]
Sorts = Sequence[frozenset[str]]
Compute = Callable[[Values], Any]
Fits = Callable[[Sorts], bool]


def day(text: str) -> date:
    """Return the day that a text names as ``2026-01-31``, and in no other way.

    Raises:
        ValueError: it names none.
    """
    if not _DAY.fullmatch(text):
        raise ValueError("not a day")
    return date.fromisoformat(text)


# -- what is computed -------------------------------------------------------------------------


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def plain_number(value: float) -> int | float | None:
    """Return a number as JSON has it everywhere: whole if it is, null if it is too large."""
    if not math.isfinite(value) or abs(value) > WHOLE_MAX:
        return None
    return int(value) if value == int(value) else value


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of one sort."""
    if is_number(one) and is_number(other):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


def _comparing(holds: Callable[[Any, Any], bool]) -> Compute:
    def compare(values: Values) -> bool:
        one, other = values
        comparable = is_number(one) and is_number(other)
        comparable = comparable or (isinstance(one, str) and isinstance(other, str))
        return comparable and holds(one, other)

    return compare


def _reckoning(step: Callable[[Any, Any], float | None]) -> Compute:
    """Return what takes numbers one by one; a value that is none makes the whole null."""

    def reckon(values: Values) -> int | float | None:
        if not all(map(is_number, values)):
            return None
        total: float | None = values[0]
        for one in values[1:]:
            result = step(total, one)
            total = None if result is None else plain_number(result)
            if total is None:
                return None
        return plain_number(cast(float, total))

    return reckon


def _minus(values: Values) -> int | float | None:
    [*first, last] = values
    return _reckoning(lambda one, other: one - other)([*(first or [0]), last])


def _divided(one: float, other: float) -> float | None:
    return one / other if other else None


def _rest(one: float, other: float) -> float | None:
    # Rounded towards zero, as in most languages: Python's own % is not.
    return math.fmod(one, other) if other else None


def _chosen(values: Values) -> Any:
    *pairs, last = values
    found = (then for when, then in zip(pairs[::2], pairs[1::2], strict=True) if when is True)
    return next(found, last)


def _count(values: Values) -> int:
    """Return how many there are: rows, answers of rows, or choices; of nothing, 0."""
    return len(values[0]) if isinstance(values[0], list) else 0


def _sum(values: Values) -> int | float | None:
    """Return the sum of the answers of rows; of nothing, 0."""
    numbers = values[0] if isinstance(values[0], list) else []
    return _reckoning(lambda one, other: one + other)([0, *numbers])


def _within(values: Values) -> bool:
    one, several = values
    return one is not None and isinstance(several, list) and any(same(one, x) for x in several)


# -- of which types ---------------------------------------------------------------------------


def sorts_of(type_: JSONSchemaType) -> frozenset[str]:
    """Return the sorts of value that an argument may have; null is left out."""
    if isinstance(type_, UnionType):
        return frozenset().union(*map(sorts_of, type_.types))
    if isinstance(type_, NullType):
        return frozenset()
    if isinstance(type_, ArrayType) and isinstance(type_.elements_type, NumberType):
        return frozenset({"numbers"})
    return frozenset({_SORTS.get(type(type_), "any")})


def _all(sort: str) -> Fits:
    return lambda sorts: all(one <= {sort} for one in sorts)


def _ordered(sorts: Sorts) -> bool:
    return _all("number")(sorts) or _all("date")(sorts)


def _alike(sorts: Sorts) -> bool:
    together = frozenset[str]().union(*sorts)
    # A list is compared with nothing but null: "was it answered?"
    return len(together) <= 1 and (not together & LISTS or not all(sorts))


def _choosing(sorts: Sorts) -> bool:
    return _all("truth")(sorts[:-1:2]) and len(frozenset[str]().union(*branches(sorts))) <= 1


def branches(sorts: Sequence[Any]) -> list[Any]:
    """Return what an ``if`` may come to, of its arguments."""
    return [*sorts[1:-1:2], sorts[-1]]


def _member(sorts: Sorts) -> bool:
    return sorts[1] <= LISTS and not sorts[0] & LISTS and len(sorts[0]) <= 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One operator.

    Attributes:
        least, most: how many arguments it takes.
        gives: the type of its result; None for that of its branches.
    """

    least: int
    most: int
    compute: Compute
    fits: Fits
    gives: type[JSONSchemaType] | None


_TRUTH, _NUMBER, _DUTY = BooleanType, NumberType, _all("truth")
_SUMS = _all("number")
RULES: Mapping[str, Rule] = {
    "==": Rule(2, 2, lambda v: same(*v), _alike, _TRUTH),
    "!=": Rule(2, 2, lambda v: not same(*v), _alike, _TRUTH),
    "<": Rule(2, 2, _comparing(lambda a, b: a < b), _ordered, _TRUTH),
    "<=": Rule(2, 2, _comparing(lambda a, b: a <= b), _ordered, _TRUTH),
    ">": Rule(2, 2, _comparing(lambda a, b: a > b), _ordered, _TRUTH),
    ">=": Rule(2, 2, _comparing(lambda a, b: a >= b), _ordered, _TRUTH),
    "and": Rule(1, ARGUMENTS_MAX, lambda v: all(one is True for one in v), _DUTY, _TRUTH),
    "or": Rule(1, ARGUMENTS_MAX, lambda v: any(one is True for one in v), _DUTY, _TRUTH),
    "!": Rule(1, 1, lambda v: v[0] is not True, _DUTY, _TRUTH),
    "if": Rule(3, ARGUMENTS_MAX, _chosen, _choosing, None),
    "in": Rule(2, 2, _within, _member, _TRUTH),
    "count": Rule(1, 1, _count, lambda sorts: sorts[0] <= LISTS, _NUMBER),
    "sum": Rule(1, 1, _sum, _all("numbers"), _NUMBER),
    "+": Rule(2, ARGUMENTS_MAX, _reckoning(lambda a, b: a + b), _SUMS, _NUMBER),
    "-": Rule(1, 2, _minus, _SUMS, _NUMBER),
    "*": Rule(2, ARGUMENTS_MAX, _reckoning(lambda a, b: a * b), _SUMS, _NUMBER),
    "/": Rule(2, 2, _reckoning(_divided), _SUMS, _NUMBER),
    "%": Rule(2, 2, _reckoning(_rest), _SUMS, _NUMBER),
    "min": Rule(1, ARGUMENTS_MAX, _reckoning(min), _SUMS, _NUMBER),
    "max": Rule(1, ARGUMENTS_MAX, _reckoning(max), _SUMS, _NUMBER),
}


@dataclass
class Name(Operator):
    """``var``: the answer to a question; null, or what is given instead, when there is none."""

    name: str
    instead: OperatorArgument = None

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Return the operator of these arguments."""
        name = arguments[0] if arguments else None
        if len(arguments) > 2 or not isinstance(name, str) or not NAME.fullmatch(name):
            raise JSONLogicSyntaxError(operator)
        return cls(operator, name, *arguments[1:])

    def evaluate(self, context: EvaluationContext) -> Any:
        """Return the answer."""
        values, _ = cast(tuple[Mapping[str, Any], Any], context.data_stack.tail)
        found = values.get(self.name)
        return get_value(self.instead, context) if found is None else found

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Return the type of the answer."""
        schema = context.current_schema["properties"].get(self.name)
        if schema is None:
            context.add_diagnostic(UNKNOWN_NAME, "unresolvable_variable", self)
            return AnyType()
        found = _type_of(schema)
        if not sorts_of(get_type(self.instead, context)) <= sorts_of(found):
            context.add_diagnostic(WRONG_TYPES, "argument_type", self)
        return found


def _type_of(schema: Mapping[str, Any]) -> JSONSchemaType:
    match schema["type"], schema.get("format"):
        case "string", "date":
            return DateType()
        case "string", _:
            return StringType()
        case "integer" | "number", _:
            return NumberType()
        case "boolean", _:
            return BooleanType()
        case _:
            # Of lists, only those of the numbers of rows can be summed up.
            items = schema.get("items")
            of_numbers = isinstance(items, Mapping) and items["type"] in ("integer", "number")
            return ArrayType(NumberType() if of_numbers else AnyType())


@dataclass
class Ruled(Operator):
    """Any other operator: its rule says all."""

    arguments: list[OperatorArgument]
    rule: ClassVar[Rule]

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Return the operator of these arguments."""
        odd = cls.rule.gives is not None or len(arguments) % 2
        if not (cls.rule.least <= len(arguments) <= cls.rule.most and odd):
            raise JSONLogicSyntaxError(operator)
        return cls(operator, arguments)

    def evaluate(self, context: EvaluationContext) -> Any:
        """Return the result; no operator ends early, all are without effect."""
        return self.rule.compute([get_value(one, context) for one in self.arguments])

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Return the type of the result, and note what does not fit."""
        types = [get_type(one, context) for one in self.arguments]
        sorts = list(map(sorts_of, types))
        if not any("any" in one for one in sorts) and not self.rule.fits(sorts):
            context.add_diagnostic(WRONG_TYPES, "operator", self)
        return self.rule.gives() if self.rule.gives else UnionType(*branches(types))


def _registry() -> OperatorRegistry:
    registry = OperatorRegistry()
    registry.register("var", Name)
    for sign, rule in RULES.items():
        registry.register(sign, type("Ruled", (Ruled,), {"rule": rule}))
    return registry


REGISTRY = _registry()
SIGNS = frozenset({"var", *RULES})
