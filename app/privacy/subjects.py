"""Whom a request is about, and all records that hang on him: in as many statements for a thousand.

Somebody is a household, or a contact or a person of one. With a household goes what belongs to it;
with a contact or a person go the consents about him.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.engine import Engine
from app.households.models import Contact, Household
from app.households.service_models import Consent, ServicePerson
from sync.store import ERASED
from sync.upkeep import Key

HOUSEHOLD = Household.kind
PEOPLE = (Household.kind, Contact.kind, ServicePerson.kind)
BELONGING = ("contact", "service_person", "visit", "consent", "household_act", "task", "photo")
"""What goes with the household or the task that it names."""
STANDING = ("incident", "subject_request")
"""What names a household and stays without it: a public matter, and the proof of a request."""
TELLING = ("details", "proof_note", "answer")
"""The fields of a request that tell of the person; the rest proves that it was answered."""
GUARDED = (ServicePerson.kind, "guardian_contact_id")


@dataclass(frozen=True, slots=True)
class Whole:
    """All records that hang on some people.

    Attributes:
        keys: theirs, and what goes with them.
        links: records that only name them, with the field.
    """

    keys: frozenset[Key]
    links: frozenset[tuple[str, str, str]]

    def ids(self, kind: str | None = None) -> list[str]:
        """Return the ids of all kinds, or of one."""
        return sorted(name for of, name in self.keys if kind in (None, of))


def whole_of(session: Session, engine: Engine, subjects: Collection[Key]) -> Whole:
    """Find all that hangs on some people."""
    keys = set(subjects)
    homes = [name for kind, name in subjects if kind == HOUSEHOLD]
    keys |= _belonging(session, engine, HOUSEHOLD, homes)
    tasks = [name for kind, name in keys if kind == "task"]
    keys |= _belonging(session, engine, "task", tasks)
    people = [name for kind, name in keys if kind in PEOPLE]
    consents = engine.tables[Consent.kind].table.c
    keys |= {(Consent.kind, one) for one in _naming(session, consents, "subject", people)}
    return Whole(frozenset(keys), frozenset(_links(session, engine, homes, keys)))


def _belonging(session: Session, engine: Engine, parent: str, ids: Collection[str]) -> set[Key]:
    if not ids:
        return set()
    found: set[Key] = set()
    for kind in engine.kinds.kinds:
        for field, other in kind.references.items():
            if other == parent and kind.name in BELONGING:
                table = engine.tables[kind.name].table.c
                found |= {(kind.name, one) for one in _naming(session, table, field, ids)}
    return found


def _links(
    session: Session, engine: Engine, homes: Sequence[str], keys: Collection[Key]
) -> set[tuple[str, str, str]]:
    incidents = engine.tables["incident"].table.c
    found = {("incident", one, "household")
             for one in _naming(session, incidents, "household", homes)}  # fmt: skip
    kind, field = GUARDED
    contacts = [name for of, name in keys if of == Contact.kind]
    guarded = _naming(session, engine.tables[kind].table.c, field, contacts)
    return found | {(kind, one, field) for one in guarded if (kind, one) not in keys}


def _naming(session: Session, table: Any, field: str, ids: Collection[str]) -> list[str]:
    """Return the records whose field names one of these, but for what has been erased."""
    if not ids:
        return []
    there = table.deleted.is_distinct_from(ERASED)
    query = sa.select(table.id).where(table[field].in_(ids), there)
    return list(session.scalars(query))


def requests_about(session: Session, engine: Engine, ids: Collection[str]) -> list[str]:
    """Return all requests about these people."""
    table = engine.tables["subject_request"].table.c
    about = sa.or_(table.subject.in_(ids), table.household.in_(ids))
    return list(session.scalars(sa.select(table.id).where(about)))


def told_of(session: Session, engine: Engine, requests: Collection[str]) -> list[Any]:
    """Return id and version of those requests that still say something about the person."""
    table = engine.tables["subject_request"].table.c
    says = sa.or_(*(table[name].is_not(None) for name in TELLING))
    return list(session.execute(sa.select(table.id, table.rv).where(table.id.in_(requests), says)))


def links_to_erased(session: Session, engine: Engine) -> Whole:
    """Find what still names erased people: records of a restored copy, or edits that came late."""
    erased, found = engine.store(session).tables.erasure.c, set()
    for kind, field, other in (("incident", "household", HOUSEHOLD), (*GUARDED, Contact.kind)):
        table = engine.tables[kind].table.c
        named = sa.and_(erased.kind == other, erased.record == table[field])
        query = sa.select(table.id).where(table.deleted.is_distinct_from(ERASED))
        found |= {(kind, one, field) for one in session.scalars(query.join(
            engine.store(session).tables.erasure, named))}  # fmt: skip
    return Whole(frozenset(), frozenset(found))


def requests_about_erased(session: Session, engine: Engine) -> list[str]:
    """Return the requests whose person or household has been erased."""
    table = engine.tables["subject_request"].table.c
    erased = engine.store(session).tables.erasure.c
    gone = sa.select(erased.record).where(erased.kind.in_(PEOPLE))
    about = sa.or_(table.subject.in_(gone), table.household.in_(gone))
    return list(session.scalars(sa.select(table.id).where(about)))


def kind_of_subject(session: Session, engine: Engine, subject: str) -> str | None:
    """Return which kind of record an id names, if it is somebody's."""
    for kind in PEOPLE:
        table = engine.tables[kind].table.c
        if session.scalar(sa.select(table.id).where(table.id == subject)) is not None:
            return kind
    return None
