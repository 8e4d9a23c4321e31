"""Keep somebody's data without using them: they lie in no scope, no list and no search.

A household takes along what belongs to it, by the same edit that moves it out of its scope;
phones get all of it as "left your scope". A contact or a person goes alone, with his consents.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.engine import Engine
from app.core.records import RESTRICTED
from app.privacy import house
from app.privacy.models import SubjectRequest
from app.privacy.rules import FULFILLED, RESTRICT
from app.privacy.subjects import HOUSEHOLD, kind_of_subject
from sync.upkeep import Key


def restrict(session: Session, engine: Engine, subject: Key, request: str) -> None:
    """Let a request take somebody's data out of use."""
    _mark(session, engine, subject, request, held_by=None)


def lift(session: Session, engine: Engine, subject: Key, request: str) -> None:
    """Bring somebody's data back into use, but for what other requests still hold."""
    _mark(session, engine, subject, None, held_by=request)
    if subject[0] != HOUSEHOLD:
        return
    others = sa.select(SubjectRequest.id, SubjectRequest.subject).where(
        SubjectRequest.household == subject[1], SubjectRequest.right == RESTRICT,
        SubjectRequest.state == FULFILLED, SubjectRequest.id != request,
    )  # fmt: skip
    for other, person in session.execute(others.order_by(SubjectRequest.id)).all():
        kind = kind_of_subject(session, engine, str(person))
        if kind:
            restrict(session, engine, (kind, str(person)), other)


def _mark(
    session: Session, engine: Engine, subject: Key, request: str | None, *, held_by: str | None
) -> None:
    """Note on a record, and the consents about it, by which request it is held, if by any."""
    table = engine.tables["consent"].table.c
    consents = session.scalars(sa.select(table.id).where(table.subject == subject[1])).all()
    keys = [subject] if subject[0] == HOUSEHOLD else [subject, *(("consent", c) for c in consents)]
    changes: dict[Key, tuple[int, Mapping[str, Any]]] = {
        key: (one.rv, {RESTRICTED: request})
        for key, one in engine.store(session).records(sorted(keys)).items()
        if not one.deleted and one.values.get(RESTRICTED) == held_by
    }
    house.write(session, changes)
