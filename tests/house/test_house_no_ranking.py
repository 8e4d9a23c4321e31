"""No answer sets persons beside a measure: who has done how much is nobody's business here.

An answer *counts* when it holds a measure (a number of things, a share, a duration) beside what it
is about. Lists of records (a task with its assignee) hold no measure: theirs are the record's own
fields. The check walks every schema that a route answers with, and every statement of the modules
that count.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, fields

from tests.house import tree

PERSON = re.compile(
    r"(^|_)(user|worker|person|people|assignee|assigned_by|reporter|author|holder|member|staff|"
    r"handler|captain|taken_by|made_by|login)(s|_id|_ids|_name|_key)?($|_)"
)
MEASURE = re.compile(
    r"(^|_)(count|counts|total|sum|share|rate|ratio|percent|average|mean|median|points|rank|"
    r"ranking|place|score|minutes|numerator|denominator|value|on_time|late|rework|returns|open|"
    r"done|closed|logins)($|_)"
)
COUNTING = ("app/numbers", "app/exports")
# A synced record as it is read: its fields are about the one record, no measure of a person.
RECORD = {"id", "rv"}


def _answers(app: Flask) -> Iterator[type[Schema]]:
    """Yield the schemas that routes answer with."""
    for view in app.view_functions.values():
        doc = getattr(view, "_apidoc", None) or {}
        responses = (doc.get("response") or {}).get("responses", {}).values()
        for one in chain.from_iterable(some for some in responses if isinstance(some, list)):
            schema = one.get("schema")
            if schema is not None:
                yield schema if isinstance(schema, type) else type(schema)


def _families(schema: type[Schema]) -> Iterator[tuple[str, set[str]]]:
    """Yield a schema and those nested in it, each with the names that stand together."""
    names: set[str] = set()
    for name, field in schema._declared_fields.items():
        names |= {name, *(field.attribute or "").split(".")} - {""}
        for below in _nested(field):
            yield from _families(below)
            names |= {f"{name}_{one}" for one in below._declared_fields}
    yield schema.__name__, names


def _nested(field: Any) -> Iterator[type[Schema]]:
    if isinstance(field, fields.List):
        yield from _nested(field.inner)
    elif isinstance(field, fields.Nested):
        yield type(field.schema)


def ranked(schema: type[Schema]) -> set[tuple[str, str, str]]:
    """Return where a schema sets a person beside a measure."""
    found = set()
    for name, names in _families(schema):
        persons = {one for one in names if PERSON.search(one)}
        measures = {one for one in names if MEASURE.search(one)} if not names >= RECORD else set()
        found |= {(name, person, measure) for person in persons for measure in measures}
    return found


def grouped_by_person(code: str) -> list[str]:
    """Return the places of a module that group or order by a person."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("group_by", "order_by", "partition_by")
        and any(PERSON.search(word) for arg in node.args for word in _words(arg))
    ]


def _words(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute):
            yield one.attr
        elif isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield from re.split(r"\W+", one.value)


def test_no_answer_sets_a_person_beside_a_measure(app: Flask) -> None:
    schemas = set(_answers(app))
    assert len(schemas) > 20, "the walk finds the answers"
    assert {one for schema in schemas for one in ranked(schema)} == set()


def test_no_statement_of_the_numbers_groups_or_orders_by_a_person() -> None:
    found = {
        str(path): places
        for path, _ in tree.modules("app")
        if path.as_posix().startswith(COUNTING)
        and (places := grouped_by_person((tree.ROOT / path).read_text(encoding="utf-8")))
    }
    assert found == {}


def test_no_number_looks_at_a_person() -> None:
    from app.numbers.definitions import NUMBERS
    from app.numbers.periods import period_of
    from tests.app.numbers.test_numbers_periods import NOW

    for number in NUMBERS:
        period = period_of("month", NOW.date(), NOW)
        conditions = [*number.of(period), *([number.met(period)] if number.met else [])]
        for condition in conditions:
            assert not any(PERSON.search(word) for word in re.split(r"\W+", str(condition)))


class PlantedOut(Schema):
    """What must never be: a person with his share."""

    worker = fields.Integer()
    on_time = fields.Float()


class PlantedLineOut(Schema):
    """The same, hidden in a list."""

    who = fields.Nested(PlantedOut, attribute="assignee")
    areas = fields.List(fields.Nested(PlantedOut))


@pytest.mark.parametrize("schema", [PlantedOut, PlantedLineOut])
def test_the_check_finds_an_answer_that_ranks(schema: type[Schema], app: Flask) -> None:
    assert ("PlantedOut", "worker", "on_time") in ranked(schema)


def test_the_check_finds_an_answer_that_ranks_behind_a_route(app: Flask) -> None:
    from app.core.web import PUBLIC, Blueprint

    door = Blueprint("planted", __name__)

    @door.route("/planted")
    @door.guard(PUBLIC)
    @door.response(200, PlantedOut(many=True))
    def planted() -> Any:
        """Rank."""

    app.register_blueprint(door)
    assert any(ranked(schema) for schema in _answers(app))


@pytest.mark.parametrize(
    "statement",
    [
        "sa.select(t.c.assignee, f()).group_by(t.c.assignee)",
        "sa.select(x).order_by(sa.desc(Task.reporter))",
        "sa.select(x).order_by(sa.text('worker_id'))",
    ],
)
def test_the_check_finds_a_statement_that_groups_by_a_person(statement: str) -> None:
    assert grouped_by_person(statement)
    assert not grouped_by_person("sa.select(x).group_by(Area.path).order_by(Area.path)")
