"""Who may take down what somebody asks of his data, and by when it must be answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.calendar.rules import WorkingCalendar
from app.calendar.services import calendars
from app.core.actor import Actor
from app.core.moments import as_text
from app.core.redaction import check_clean
from app.identity.rules import ms_of
from app.privacy.models import SubjectRequest
from app.privacy.rules import DUE_DAYS, NEXT_OF_KIN, OPEN, TARGET_DAYS, due
from sync.errors import FieldError, Refusal
from sync.gate import Work

Values = Mapping[str, Any]
AHEAD_MS = timedelta(minutes=10) // timedelta(milliseconds=1)


def _wrong(field: str, code: str) -> Refusal:
    return Refusal("invalid_fields", FieldError(field, code))


class SubjectRequestPolicy:
    """Rights and rules of requests: taken down once; only an answer changes them."""

    model = SubjectRequest
    list_action = "subject_request.list"
    propose_action = "subject_request.create"

    def action(self, work: Work, values: Values) -> str:
        """Return the action."""
        return "subject_request.create" if work.edit.op == "create" else "subject_request.fulfil"

    def prepare(self, session: Session, works: Sequence[Work]) -> WorkingCalendar:
        """Read the working calendar, by which the due date is counted."""
        return calendars(session).usual

    def grids(self, work: Work, values: Values, found: Any) -> tuple[int, ...]:
        """Return the grid of the household, or the one named."""
        home = work.referred.get("household")
        here = work.record.values.get("grid") if work.record else None
        named = home.values.get("grid") if home else values.get("grid")
        return tuple({grid for grid in (here, named) if type(grid) is int})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Requests are nobody's own."""
        return False

    def derive(self, work: Work, values: Values, found: WorkingCalendar, actor: Actor) -> Values:
        """Check what is asked, and note by when it must be answered.

        Raises:
            Refusal: it is changed or deleted, lacks its place or proof, or names numbers.
        """
        if work.edit.op != "create":
            raise Refusal("request_stays")
        for name in ("details", "proof_note"):
            check_clean(name, values.get(name))
        if values["right"] == NEXT_OF_KIN and not values.get("proof_note"):
            raise _wrong("proof_note", "required")
        received = values.get("received_at") or as_text(work.act.ms)
        moment = datetime.fromisoformat(received)
        if ms_of(moment) > work.act.ms + AHEAD_MS:
            raise _wrong("received_at", "in_the_future")
        return {
            **self._placed(work, values), "received_at": received, "state": OPEN,
            "target_at": _text(due(moment, TARGET_DAYS, found)),
            "due_at": _text(due(moment, DUE_DAYS, found)),
        }  # fmt: skip

    def _placed(self, work: Work, values: Values) -> Values:
        """Return the values with the grid in which the request lies, and whom it is about."""
        home = work.referred.get("household")
        if values.get("household") is None:
            if type(values.get("grid")) is not int:
                raise _wrong("household", "required")
            return values
        if home is None:
            raise _wrong("household", "unknown_record")
        subject = values.get("subject") or values["household"]
        return {**values, "grid": home.values["grid"], "subject": subject}


def _text(moment: datetime) -> str:
    return as_text(ms_of(moment))
