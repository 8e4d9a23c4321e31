"""Translate the expressions of XLSForms into those of our forms.

Only what both languages mean alike: comparisons, and, or, not, sums, ``selected``, ``if``,
``min``, ``max``, ``count``, ``sum``, and the answers ``${name}`` and ``.``. All else is named and
refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.values import Invalid

DEPTH_MAX = 12
LENGTH_MAX = 1000
_TOKEN = re.compile(
    r"\s*(?:(?P<name>\$\{\s*[^}\s]+\s*\})|(?P<text>'[^']*'|\"[^\"]*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<sign><=|>=|!=|[=<>+*(),-])|(?P<word>[A-Za-z][\w-]*)|(?P<self>\.))"
)
_COMPARING = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_LEVELS: tuple[Mapping[str, str], ...] = (
    {"or": "or"}, {"and": "and"}, _COMPARING, {"+": "+", "-": "-"},
    {"*": "*", "div": "/", "mod": "%"},
)  # fmt: skip
_FUNCTIONS: Mapping[str, tuple[int, int, str]] = {
    "not": (1, 1, "!"), "if": (3, 3, "if"), "min": (1, 40, "min"), "max": (1, 40, "max"),
    "count": (1, 1, "count"), "count-selected": (1, 1, "count"), "sum": (1, 1, "sum"),
}  # fmt: skip
_CALLED = frozenset({"true", "false", "selected", *_FUNCTIONS})


def translated(text: str, me: str, types: Mapping[str, str]) -> Any:
    """Return an expression of an XLSForm as one of ours.

    Args:
        me: the question it belongs to, which it may call ``.``.
        types: the type of each question, which tells how ``selected`` is meant.

    Raises:
        Invalid: ``xpath_unreadable``, or ``xpath_not_known`` with the word that is not known.
    """
    if len(text) > LENGTH_MAX:
        raise Invalid("wrong_length", least=0, most=LENGTH_MAX)
    reader = _Reader(_tokens(text), me, types)
    found = reader.level(0, 0)
    if reader.place < len(reader.tokens):
        raise Invalid("xpath_unreadable", at=reader.tokens[reader.place][1])
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise Invalid("xpath_unreadable", at=text[place : place + 20])
        tokens.append((found.lastgroup, found[found.lastgroup]))
        place = found.end()
    return tokens


@dataclass
class _Reader:
    """Reads tokens from left to right, level by level of how strongly operators bind."""

    tokens: list[tuple[str, str]]
    me: str
    types: Mapping[str, str]
    place: int = 0

    def level(self, number: int, depth: int) -> Any:
        """Return what stands here, joined by operators of this level and stronger ones."""
        if depth > DEPTH_MAX:
            raise Invalid("xpath_unreadable", at="((((")
        if number == len(_LEVELS):
            return self._one(depth)
        left = self.level(number + 1, depth)
        while self._next_text() in _LEVELS[number] and self._next_kind() in ("sign", "word"):
            operator = _LEVELS[number][self._take()]
            right = self.level(number + 1, depth)
            left = {operator: [_null(left), _null(right)]}
        return left

    def _one(self, depth: int) -> Any:
        kind, text = self._next_kind(), self._take()
        match kind:
            case "name":
                return {"var": text[2:-1].strip()}
            case "self":
                return {"var": self.me}
            case "text":
                return text[1:-1]
            case "number":
                return float(text) if "." in text else int(text)
            case "word":
                return self._call(text, depth)
            case _ if text == "(":
                inner = self.level(0, depth + 1)
                self._expect(")")
                return inner
            case _ if text == "-":
                return {"-": [self._one(depth + 1)]}
            case _:
                raise Invalid("xpath_unreadable", at=text)

    def _call(self, word: str, depth: int) -> Any:
        self._expect("(", word)
        if word not in _CALLED:
            raise Invalid("xpath_not_known", word=f"{word}()")
        arguments: list[Any] = []
        while self._next_text() != ")":
            if arguments:
                self._expect(",")
            arguments.append(self.level(0, depth + 1))
        self._expect(")")
        if word in ("true", "false") and not arguments:
            return word == "true"
        if word == "selected" and len(arguments) == 2:
            return self._selected(*arguments)
        least, most, operator = _FUNCTIONS.get(word, (0, -1, ""))
        if not least <= len(arguments) <= most:
            raise Invalid("xpath_not_known", word=f"{word}()")
        return {operator: arguments}

    def _selected(self, answer: Any, value: Any) -> Any:
        name = answer.get("var") if isinstance(answer, dict) else None
        if name is not None and self.types.get(name) == "choices":
            return {"in": [value, answer]}
        return {"==": [answer, value]}

    def _next_kind(self) -> str:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else ""

    def _next_text(self) -> str:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else ""

    def _take(self) -> str:
        if self.place >= len(self.tokens):
            raise Invalid("xpath_unreadable", at="…")
        self.place += 1
        return self.tokens[self.place - 1][1]

    def _expect(self, sign: str, word: str | None = None) -> None:
        if self._next_text() != sign:
            if word is not None:
                raise Invalid("xpath_not_known", word=word)
            raise Invalid("xpath_unreadable", at=self._next_text() or "…")
        self.place += 1


def _null(value: Any) -> Any:
    """Return null for an empty text: so XLSForms ask whether something was answered."""
    return None if value == "" else value
