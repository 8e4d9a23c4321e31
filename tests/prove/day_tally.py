"""Count the numbers of a day once more, from plain rows, without the server's definitions.

Written from the words of docs/numbers.md, not from the conditions in the code.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.numbers.periods import Period

Values = Mapping[str, Any]
Rows = Mapping[str, Sequence[Values]]
Test = Callable[[Values, Period], bool]


def _at(values: Values, name: str) -> datetime | None:
    text = values.get(name)
    return datetime.fromisoformat(text) if text else None


def _in(name: str) -> Test:
    """Return whether a moment of a row lies in the part of the period that is over."""

    def test(values: Values, period: Period) -> bool:
        at = _at(values, name)
        return at is not None and period.starts <= at < period.until

    return test


def _is(name: str, *states: str) -> Test:
    return lambda values, _period: values.get(name) in states


def _not(test: Test) -> Test:
    return lambda values, period: not test(values, period)


def _all(*tests: Test) -> Test:
    return lambda values, period: all(test(values, period) for test in tests)


def _by(name: str, due: str) -> Test:
    def test(values: Values, _period: Period) -> bool:
        at, until = _at(values, name), _at(values, due)
        return at is not None and until is not None and at <= until

    return test


def _counts(name: str, least: int) -> Test:
    return lambda values, _period: (values.get(name) or 0) >= least


def _answered_or_closed(values: Values, period: Period) -> bool:
    name = "answered_at" if values.get("answered_at") else "closed_at"
    return _by(name, "due_at")(values, period)


_OVER = ("closed", "followed_up", "not_filed", "cancelled", "merged")
_OPEN_TASK = _is("state", "assigned", "accepted", "started", "returned")
_CONTENT = _all(_counts("score_service", 4), _counts("score_result", 4))
NUMBERS: Mapping[str, tuple[str, Test, Test | None]] = {
    "households_confirmed": ("household", _all(), _in("last_confirmed_at")),
    "tasks_on_time": (
        "task", _all(_in("due_at"), _not(_is("state", "cancelled", "declined"))),
        _all(_is("state", "done", "verified"), _by("done_at", "due_at")),
    ),
    "tasks_rework": ("task", _in("done_at"), _counts("rework_count", 1)),
    "tasks_open": ("task", _OPEN_TASK, None),
    "incidents_reported": ("incident", _in("reported_at"), None),
    "incidents_open": ("incident", _not(_is("state", "draft", "rejected", *_OVER)), None),
    "incidents_on_time": (
        "incident", _all(_in("due_at"), _not(_is("state", "cancelled", "merged", "not_filed"))),
        _answered_or_closed,
    ),
    "incidents_returned": ("incident", _in("dispatched_at"), _counts("return_count", 1)),
    "incidents_rework": ("incident", _in("answered_at"), _counts("rework_count", 1)),
    "residents_content": ("incident", _all(_in("closed_at"), _counts("score_result", 1)), _CONTENT),
}  # fmt: skip


def tally(rows: Rows, period: Period) -> dict[str, tuple[int, ...]]:
    """Return of each number what it meets and what it does not, or the plain count."""
    found = {}
    for code, (kind, looked_at, met) in NUMBERS.items():
        seen = [values for values in rows[kind] if looked_at(values, period)]
        hits = len(seen) if met is None else sum(met(values, period) for values in seen)
        found[code] = (hits,) if met is None else (hits, len(seen) - hits)
    return found
