"""Say whom records are about: households and persons by id, minors with their guardians apart."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import table_of
from app.core.engine import current_engine
from app.households.models import Contact, Household
from app.households.service_models import ServicePerson

ADULT_YEARS = 18
IDS_AT_ONCE = 500
_households, _persons, _contacts = table_of(Household), table_of(ServicePerson), table_of(Contact)
_CHILDREN = ("count_0_5", "count_6_13", "count_14_17")


@dataclass(frozen=True, slots=True)
class Minor:
    """A person under age, and the contact who is to be told: the guardian."""

    person: str
    household: str | None
    guardian: str | None


@dataclass
class Affected:
    """Whom records are about; names only through the doors that reveal them.

    Attributes:
        kinds: how many records of each kind.
        minors: persons under age; their guardians must be told too (P43).
        with_children: households with people under age of whom we hold only the number.
    """

    kinds: dict[str, int] = field(default_factory=dict)
    households: list[str] = field(default_factory=list)
    persons: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    minors: list[Minor] = field(default_factory=list)
    with_children: list[str] = field(default_factory=list)


def affected(session: Session, keys: Collection[tuple[str, str]], at: datetime) -> Affected:
    """Return whom the records with these kinds and ids are about, at a moment."""
    by_kind: dict[str, list[str]] = {}
    for kind, record in sorted(keys):
        by_kind.setdefault(kind, []).append(record)
    found = Affected({kind: len(records) for kind, records in by_kind.items()})
    found.persons = by_kind.get(ServicePerson.kind, [])
    found.contacts = by_kind.get(Contact.kind, [])
    found.households = sorted(_households_of(session, by_kind))
    found.minors = _minors(session, found.persons, at.year - ADULT_YEARS)
    children = sa.or_(*(_households.c[name] > 0 for name in _CHILDREN))
    found.with_children = sorted(
        str(row.id) for row in _rows(session, _households, found.households, children)
    )
    return found


def _households_of(session: Session, by_kind: dict[str, list[str]]) -> set[str]:
    """Return the households themselves, and those that other records belong to."""
    found = set(by_kind.get(Household.kind, ()))
    tables = current_engine().tables
    for kind, records in by_kind.items():
        if kind in tables and "household" in tables[kind].table.c:
            rows = _rows(session, tables[kind].table, records)
            found |= {str(row.household) for row in rows if row.household}
    return found


def _minors(session: Session, persons: list[str], born_from: int) -> list[Minor]:
    """Return who may be under age: who turns 18 in this year counts as a minor."""
    rows = _rows(session, _persons, persons, _persons.c.birth_year >= born_from)
    return [Minor(str(row.id), row.household, row.guardian_contact_id) for row in rows]


def _rows(
    session: Session, table: sa.Table, ids: list[str], *more: sa.ColumnElement[bool]
) -> Iterable[Any]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ids[start : start + IDS_AT_ONCE]
        yield from session.execute(sa.select(table).where(table.c.id.in_(some), *more))
