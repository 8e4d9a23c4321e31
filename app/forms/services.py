"""The use cases of forms: write a draft, publish it, retire it, read it, try it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit, refusals
from app.core.pagination import after
from app.forms.checks import definition_faults
from app.forms.definitions import Form, read_form
from app.forms.models import DRAFT, PUBLISHED, RETIRED, FormVersion
from app.forms.shape import shape_faults
from sync.errors import FieldError, Problem

Definition = Mapping[str, Any]


class FormFaults(Exception):
    """A definition cannot be taken as it is."""

    def __init__(self, faults: Sequence[FieldError]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def explained(faults: Sequence[FieldError]) -> list[dict[str, Any]]:
    """Return faults by path, with words in both languages."""
    told = refusals.explained({"code": "invalid_fields", "errors": [f.as_json() for f in faults]})
    errors: list[dict[str, Any]] = told["errors"] if faults else []
    return errors


def as_text(definition: Definition) -> str:
    """Return a definition as it is kept and counted."""
    return json.dumps(definition, ensure_ascii=False, separators=(",", ":"))


def digest_of(text: str) -> str:
    """Return the digest of a definition."""
    return hashlib.sha256(text.encode()).hexdigest()


def find(session: Session, key: str, version: int) -> FormVersion:
    """Return a version of a form.

    Raises:
        Problem: 404 when there is none.
    """
    found = session.get(FormVersion, (key, version))
    if found is None:
        raise Problem(404, "not_found")
    return found


def versions_of(session: Session, key: str) -> Sequence[FormVersion]:
    """Return all versions of a form, the newest first."""
    query = sa.select(FormVersion).where(FormVersion.key == key)
    return session.scalars(query.order_by(FormVersion.version.desc())).all()


def list_forms(
    session: Session, *, key: str | None, state: str | None, drafts: bool, limit: int,
    cursor: str | None,
) -> Sequence[FormVersion]:  # fmt: skip
    """Return versions in the order of key and version, one more than asked for.

    Args:
        drafts: also those that are still being written.
    """
    t = FormVersion
    query = sa.select(t).where(after([t.key, t.version], cursor))
    if key:
        query = query.where(t.key == key)
    if state:
        query = query.where(t.state == state)
    if not drafts:
        query = query.where(t.state != DRAFT)
    return session.scalars(query.order_by(t.key, t.version).limit(limit + 1)).all()


def draft(
    session: Session, definition: Definition, *, user_id: int | None, now: datetime
) -> FormVersion:
    """Write a draft of the next version; it takes the place of an older draft of the form.

    Raises:
        FormFaults: it has not the shape of a definition.
    """
    faults = shape_faults(definition)
    if faults:
        raise FormFaults(faults)
    text = as_text(definition)
    newest = next(iter(versions_of(session, definition["key"])), None)
    if newest is None or newest.state != DRAFT:
        version = newest.version + 1 if newest else 1
        newest = FormVersion(key=definition["key"], version=version, state=DRAFT)
        session.add(newest)
    newest.definition, newest.digest = text, digest_of(text)
    newest.made_at, newest.made_by = now, user_id
    session.flush()
    _note(session, "form.drafted", newest, user_id)
    return newest


def faults_of(session: Session, form: FormVersion) -> list[FieldError]:
    """Return what forbids publishing a draft."""
    before = next((one for one in versions_of(session, form.key) if one.version < form.version),
                  None)  # fmt: skip
    older = read_form(before.definition) if before else None
    return definition_faults(form.definition, json.loads(form.definition), older)


def publish(session: Session, form: FormVersion, *, user_id: int | None, now: datetime) -> None:
    """Publish a draft: from now on new work takes it, and nobody can change it.

    Raises:
        FormFaults: something is wrong with it.
        Problem: 409 when it is no draft.
    """
    if form.state != DRAFT:
        raise Problem(409, "form_is_fixed")
    faults = faults_of(session, form)
    if faults:
        raise FormFaults(faults)
    form.state, form.published_at, form.published_by = PUBLISHED, now, user_id
    session.flush()
    _note(session, "form.published", form, user_id)


def retire(session: Session, form: FormVersion, *, user_id: int | None, now: datetime) -> None:
    """Take a version out of new work; answers to it are accepted for ever.

    Raises:
        Problem: 409 when it is not published.
    """
    if form.state != PUBLISHED:
        raise Problem(409, "form_not_published")
    form.state, form.retired_at, form.retired_by = RETIRED, now, user_id
    session.flush()
    _note(session, "form.retired", form, user_id)


def ready(session: Session, form: FormVersion) -> Form:
    """Return a version ready to be filled in.

    Raises:
        FormFaults: a draft that nobody could fill in.
    """
    faults = faults_of(session, form) if form.state == DRAFT else []
    if faults:
        raise FormFaults(faults)
    return read_form(form.definition)


def _note(session: Session, event: str, form: FormVersion, user_id: int | None) -> None:
    audit.record(session, event, user_id=user_id, subject=f"form:{form.key}/{form.version}",
                 digest=form.digest)  # fmt: skip
