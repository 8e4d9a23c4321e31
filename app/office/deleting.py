"""Delete a record with the approval of a second person: the edit of the one, the word of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import Actor
from app.core.deeds import Asked, Deed, Details
from app.core.engine import write_all_as_office
from app.core.records import Record
from sync.edits import Edit
from sync.errors import Problem, Refusal, Stale
from sync.gate import Verdict, Work


@dataclass(frozen=True, slots=True)
class DeletingGate:
    """Lets the deletion of one record through, which two persons have agreed on."""

    kind: str
    record: str

    def prepare(self, work: Sequence[Work]) -> None:
        """Need nothing."""

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Take the edit for the office's.

        Raises:
            Refusal: it does something else.
        """
        edit = work.edit
        if (edit.op, edit.kind, edit.rec) != ("delete", self.kind, self.record):
            raise Refusal("not_allowed")
        return Verdict(office=True)

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add nothing."""
        return values


def deed_of(model: type[Record], action: str) -> Deed:
    """Return the deed of deleting a kind of record; its subject is the id of the record."""
    return Deed(action, partial(_settle, model), partial(_place, model))


def _place(
    model: type[Record],
    session: Session,
    actor: Actor,
    subject: str,
    details: Details,
    now: datetime,
) -> int:
    """Return the grid of a record; whether the actor may ask there is judged by his caller."""
    grid: Any = model.grid  # type: ignore[attr-defined]
    found = session.execute(
        sa.select(grid).where(sa.cast(model.id, sa.String) == subject, model.deleted.is_(None))
    ).scalar()
    if found is None:
        raise Problem(404, "not_found")
    return int(found)


def _settle(
    model: type[Record],
    session: Session,
    asked: Asked,
    decider: Actor,
    now: datetime,
    *,
    approved: bool,
) -> None:
    if not approved:
        return
    rv = session.execute(
        sa.select(model.rv).where(model.id == asked.subject, model.deleted.is_(None))
    ).scalar()
    if rv is None:
        raise Problem(409, "record_deleted")
    edit = Edit(0, "", "delete", model.kind, asked.subject, base=rv)
    gate = DeletingGate(model.kind, asked.subject)
    try:
        [receipt] = write_all_as_office(session, asked.asked_by, [edit], gate=gate)
    except Stale:
        raise Problem(503, "retry") from None
    if receipt.get("code"):
        raise Problem(409, receipt["code"])
    audit.record(
        session, f"{model.kind}.deleted", user_id=asked.asked_by.user_id, subject=asked.subject,
        approved_by=decider.user_id, approval=asked.id, reason=asked.reason,
    )  # fmt: skip
