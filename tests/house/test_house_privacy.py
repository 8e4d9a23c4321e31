"""No purpose, no field: every column is in the registry, and says there why it is held how long."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import factory
from app.core.database import Base
from app.core.forbidden import patterns
from app.core.records import P3, declared_of, kind_of
from app.households.purposes import SENSITIVE_PURPOSES
from app.privacy.fields import NOBODY, REGISTRY, Flaw, HeldField, personal, read, registry
from app.privacy.notice import texts
from app.privacy.retention import rules
from app.privacy.subjects import BELONGING, HOUSEHOLD, STANDING
from sync.values import Listing, Position
from tests.house import tree

HEADER = "table,field,of,class,mask,purpose,basis,retention,keeps,after,ends,offline,need,effect"
MODELS = [policy.model for feature in factory.FEATURES for policy in feature.policies]


def _columns() -> set[str]:
    return {f"{t.name}.{c.name}" for t in Base.metadata.tables.values() for c in t.columns}


def _by_name() -> dict[str, HeldField]:
    return {one.name: one for one in registry()}


def test_p01_every_column_is_in_the_registry_and_nothing_else() -> None:
    known = set(_by_name())
    missing = [f"{one.replace('.', ',', 1)},-,P0,-,WHY / 用途,-,life of record,,,,0,,"
               for one in sorted(_columns() - known)]  # fmt: skip
    assert not missing, "add to data/personal_fields.csv, with a purpose:\n" + "\n".join(missing)
    assert known - _columns() == set()


def test_p01_the_registry_says_of_a_synced_field_what_its_declaration_says() -> None:
    held, wrong = _by_name(), []
    for model in MODELS:
        for name, one in declared_of(model).items():
            row = held[f"{model.__tablename__}.{name}"]
            said = (row.level, row.purpose, row.retention, row.offline)
            if said != (one.privacy, one.purpose, one.retention, one.offline):
                wrong.append(row.name)
    assert wrong == []


FLAWED = (
    ("household,faith,resident,P1,-,,public task,life of record,,,,1,,", "no purpose"),
    ("household,x,resident,P1,-,why / 用途,-,life of record,,,,1,,", "without class or basis"),
    ("household,x,resident,P1,-,why / 用途,public task,,,,,1,,", "no retention"),
    ("household,x,resident,P1,-,why / 用途,public task,a while,,,erase,1,,", "no period"),
    ("household,x,resident,P1,-,why / 用途,public task,a while,P1M,y,later,1,,", "nobody ends it"),
    ("a,x,resident,P3,-,why / 用途,consent,a while,,,,1,,", "sensitive, and without need"),
)


@pytest.mark.parametrize(("row", "flaw"), FLAWED, ids=[one[1] for one in FLAWED])
def test_p01_p08_a_row_that_does_not_say_enough_stops_the_build(row: str, flaw: str) -> None:
    with pytest.raises(Flaw, match=flaw):
        read([HEADER, row])


def test_p08_sensitive_fields_say_why_they_are_needed_and_what_follows() -> None:
    sensitive = [one for one in registry() if one.level == P3]
    assert len(sensitive) >= 3
    assert all(one.need and one.effect for one in sensitive)


def _words(app: Flask) -> Iterator[str]:
    """Yield what the other walk does not see: registry, forms, texts, API document."""
    for one in registry():
        yield f"{one.name} {one.purpose}"
    for path in sorted((tree.ROOT / "data" / "forms").glob("*.json")):
        yield from _texts(json.loads(path.read_text(encoding="utf-8")))
    for said in texts().values():
        yield from said.values()
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    for name, schema in document["components"]["schemas"].items():
        yield name
        yield from schema.get("properties", {})
        for shape in schema.get("properties", {}).values():
            yield from map(str, shape.get("enum", ()))
    yield from document["paths"]


def _texts(source: Any) -> Iterator[str]:
    if isinstance(source, dict):
        for name, value in source.items():
            yield name
            yield from _texts(value)
    elif isinstance(source, list):
        for one in source:
            yield from _texts(one)
    elif isinstance(source, str):
        yield source


def test_p03_nothing_forbidden_stands_in_registry_forms_texts_or_the_api(app: Flask) -> None:
    words = list(_words(app))
    assert len(words) > 1_000
    found = [(topic, word) for word in words for topic, one in patterns() if one.search(word)]
    assert found == []


def test_p29_no_record_holds_a_track_and_no_route_takes_one(app: Flask) -> None:
    held = [(model.kind, name) for model in MODELS for name, one in declared_of(model).items()
            if isinstance(one.type, Listing) and isinstance(one.type.item, Position)]  # fmt: skip
    assert held == []
    routes = {str(rule) for rule in app.url_map.iter_rules()}
    assert not [one for one in routes if "track" in one or "location" in one]


def test_p48_the_purposes_of_sensitive_fields_are_those_that_start_closed() -> None:
    needed = {purpose for model in MODELS for name, one in declared_of(model).items()
              if one.privacy == P3 for purpose in one.needs}  # fmt: skip
    assert needed == SENSITIVE_PURPOSES


def test_p15_every_kind_that_names_a_household_goes_with_it_or_is_known_to_stay() -> None:
    naming = {model.kind for model in MODELS if HOUSEHOLD in kind_of(model).references.values()}
    assert naming - set(BELONGING) == set(STANDING)


def test_p20_what_has_a_period_has_somebody_who_ends_it() -> None:
    timed = [one for one in personal(registry()) if one.keeps]
    assert timed
    assert [one.name for one in timed if not one.ends] == []
    assert {rule.table for rule in rules()} >= {"visit", "contact", "service_person", "consent",
                                                "household", "notice_ack", "export"}  # fmt: skip


def test_the_registry_is_one_file_in_the_order_of_the_tables() -> None:
    lines = REGISTRY.read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    tables = [line.split(",")[0] for line in lines[1:]]
    assert tables == sorted(tables)
    assert [one.name for one in registry() if one.of == NOBODY and one.level != "P0"] == []
