"""We serve residents and never watch or score them: no field, list or code says otherwise."""

import csv
import re
from collections.abc import Iterator

import pytest
from marshmallow import class_registry

from app import factory
from app.core.database import Base
from app.core.policy import table as authorisation
from sync.values import Choice
from tests.house import tree

DATA = tree.ROOT / "data"
SEED_LISTS = ("incident_categories.csv", "task_kinds.csv")


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


FORBIDDEN = [
    pytest.param(re.compile(row["pattern"], re.IGNORECASE), id=row["topic"])
    for row in _rows("forbidden_fields.csv")
]


def _columns() -> Iterator[str]:
    for table in Base.metadata.tables.values():
        yield table.name
        for column in table.columns:
            yield f"{table.name}.{column.name}"


def _synced_fields() -> Iterator[str]:
    for feature in factory.FEATURES:
        for policy in feature.policies:
            for column in policy.model.__table__.columns:
                declared = column.info.get("synced")
                if declared:
                    yield f"{policy.model.kind}.{column.name} {declared.purpose}"
                    if isinstance(declared.type, Choice):
                        yield from map(str, declared.type.choices)


def _schema_fields() -> Iterator[str]:
    for entries in class_registry._registry.values():
        for schema in entries:
            yield schema.__name__
            yield from schema._declared_fields


def _codes() -> Iterator[str]:
    for name in SEED_LISTS:
        for row in _rows(name):
            yield f"{row['code']} {row['name_zh']} {row['name_en']}"
    for row in _rows("household_fields.csv"):
        yield f"{row['entity']}.{row['field']}"
    yield from authorisation()


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_column_holds_what_must_not_be_held(pattern: re.Pattern[str]) -> None:
    assert [name for name in _columns() if pattern.search(name)] == []


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_synced_field_or_choice_holds_what_must_not_be_held(pattern: re.Pattern[str]) -> None:
    assert [name for name in _synced_fields() if pattern.search(name)] == []


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_schema_asks_for_what_must_not_be_held(pattern: re.Pattern[str]) -> None:
    assert [name for name in _schema_fields() if pattern.search(name)] == []


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_seed_list_or_action_names_what_must_not_be_held(pattern: re.Pattern[str]) -> None:
    assert [name for name in _codes() if pattern.search(name)] == []


def test_the_patterns_find_what_they_are_for() -> None:
    """A list that matches nothing at all would prove nothing."""
    planted = ("religion", "身份证号", "risk_score", "key_person", "face_id", "track_points")
    patterns = [param.values[0] for param in FORBIDDEN]
    for name in planted:
        assert any(pattern.search(name) for pattern in patterns), name
