"""Write synced records from the office: an edit through the same door as a phone's."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.engine import was_written, write_as_office
from app.core.identifiers import new_id
from sync.edits import Edit
from sync.errors import Problem

_STATUS = {
    "not_allowed": 403, "second_person_required": 403, "reason_required": 403,
    "unknown_record": 404, "out_of_scope": 404, "id_taken": 409, "record_deleted": 409,
    "already_resolved": 409, "not_resolved": 409, "changed_since": 409, "consent_ask_again": 409,
    "already_claimed": 409, "transition_not_allowed": 409, "not_parked": 404,
    "consent_missing": 409, "consent_withdrawn": 409, "proof_stays": 409,
    "purpose_closed": 409, "data_restricted": 409, "request_stays": 409,
}  # fmt: skip
_CODE = {"unknown_record": "not_found", "out_of_scope": "not_found", "not_parked": "not_found"}


def idempotency_key() -> str | None:
    """Return the Idempotency-Key of the request: up to 64 visible characters of the caller.

    Raises:
        Problem: 400 when it is not one.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[!-~]{1,64}", key):
        raise Problem(400, "malformed_request", pointer="Idempotency-Key")
    return key


def seen_version() -> int:
    """Return the version named by If-Match.

    Raises:
        Problem: 428 when it is missing.
    """
    found = re.fullmatch(r'"v(\d{1,15})"', request.headers.get("If-Match", "").strip())
    if found is None:
        raise Problem(428, "precondition_required")
    return int(found[1])


def create(
    session: Session,
    actor: Actor,
    kind: str,
    body: Mapping[str, Any],
    added: Mapping[str, Any] | None = None,
) -> str:
    """Create a record and return its id; the same Idempotency-Key returns the first one.

    Args:
        body: what the caller sent.
        added: what the server adds to it.
    """
    said = {name: value for name, value in body.items() if name != "id"}
    record = str(body.get("id") or new_id())
    edit = Edit(0, "", "create", kind, record, set={**said, **(added or {})})
    return str(_write(session, actor, edit, said)["rec"])


def change(
    session: Session,
    actor: Actor,
    kind: str,
    record: str,
    values: Mapping[str, Any],
    *,
    base: int,
    op: str = "update",
    added: Mapping[str, Any] | None = None,
    schema: int = 1,
) -> Mapping[str, Any]:
    """Change a record of which the caller saw version ``base``; return the receipt.

    Args:
        added: what the server adds to it.
        schema: of the values, when they correct an edit of some kind; else the record's own.

    Raises:
        Problem: the edit was refused, by the table, by a rule, or by a field's limits.
    """
    given = {**values, **(added or {})}
    edit = Edit(0, "", op, kind, record, base=base, set=given, schema=schema)
    return _write(session, actor, edit, values)


def change_seen(
    session: Session, actor: Actor, kind: str, shown: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Change a record if the version that the caller saw still stands, or was changed by this.

    Raises:
        Problem: 412 when somebody has changed the record since, 428 without If-Match.
    """
    seen, key = seen_version(), idempotency_key()
    if seen != shown["rv"] and not (key and was_written(session, actor, key)):
        raise Problem(412, "version_changed", rv=shown["rv"])
    change(session, actor, kind, shown["id"], values, base=seen)


def _write(
    session: Session, actor: Actor, edit: Edit, said: Mapping[str, Any]
) -> Mapping[str, Any]:
    receipt = write_as_office(session, actor, edit, key=idempotency_key(), said=said)
    code = receipt.get("code")
    if code is None:
        return receipt
    status = _STATUS.get(code, 422)
    extra = {"errors": list(receipt["errors"])} if receipt.get("errors") else {}
    raise Problem(status, _CODE.get(code, code), **extra)
