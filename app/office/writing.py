"""Write synced records from the office: an edit through the same door as a phone's."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.engine import write_as_office
from app.core.identifiers import new_id
from sync.edits import Edit
from sync.errors import Problem

_STATUS = {
    "not_allowed": 403, "second_person_required": 403, "reason_required": 403,
    "unknown_record": 404, "out_of_scope": 404, "id_taken": 409, "record_deleted": 409,
    "already_resolved": 409, "transition_not_allowed": 409, "not_parked": 404,
}  # fmt: skip
_CODE = {"unknown_record": "not_found", "out_of_scope": "not_found", "not_parked": "not_found"}


def idempotency_key() -> str | None:
    """Return the Idempotency-Key of the request: a UUID of the caller.

    Raises:
        Problem: 400 when it is not one.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    try:
        return str(uuid.UUID(key))
    except ValueError:
        raise Problem(400, "malformed_request", pointer="Idempotency-Key") from None


def seen_version() -> int:
    """Return the version named by If-Match.

    Raises:
        Problem: 428 when it is missing.
    """
    found = re.fullmatch(r'"v(\d{1,15})"', request.headers.get("If-Match", "").strip())
    if found is None:
        raise Problem(428, "precondition_required")
    return int(found[1])


def create(session: Session, actor: Actor, kind: str, body: Mapping[str, Any]) -> str:
    """Create a record and return its id; the same Idempotency-Key returns the first one."""
    values = dict(body)
    key = idempotency_key()
    record = str(values.pop("id", None) or key or new_id())
    receipt = _write(session, actor, Edit(0, "", "create", kind, record, set=values), key)
    return str(receipt["rec"])


def change(
    session: Session,
    actor: Actor,
    kind: str,
    record: str,
    values: Mapping[str, Any],
    *,
    base: int,
    op: str = "update",
) -> Mapping[str, Any]:
    """Change a record of which the caller saw version ``base``; return the receipt.

    Raises:
        Problem: the edit was refused, by the table, by a rule, or by a field's limits.
    """
    edit = Edit(0, "", op, kind, record, base=base, set=dict(values))
    return _write(session, actor, edit, idempotency_key())


def unchanged_since(shown: Mapping[str, Any]) -> int:
    """Return the version that the caller saw, after checking that it still stands.

    Raises:
        Problem: 412 when somebody has changed the record since, 428 without If-Match.
    """
    seen = seen_version()
    if seen != shown["rv"]:
        raise Problem(412, "version_changed", rv=shown["rv"])
    return seen


def _write(session: Session, actor: Actor, edit: Edit, key: str | None) -> Mapping[str, Any]:
    receipt = write_as_office(session, actor, edit, wanted=key)
    code = receipt.get("code")
    if code is None:
        return receipt
    status = _STATUS.get(code, 422)
    extra = {"errors": list(receipt["errors"])} if receipt.get("errors") else {}
    raise Problem(status, _CODE.get(code, code), **extra)
