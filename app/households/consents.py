"""Pure rules of consent: for which purposes, for how long, and what may be asked again when."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from app.core.moments import as_text
from sync.edits import Record
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.grounds import EMPTIED, PURPOSE, uncovered
from sync.kinds import Rule

NOTICES = Path(__file__).parents[2] / "data" / "consent_notices.csv"
CONTACT, SAFETY, HEALTH, GUARDIAN = "contact", "safety", "health", "guardian"
SERVICES = (
    "meal_help", "errands", "care_visit", "transport", "home_repair", "form_help", "phone_check",
)  # fmt: skip
PURPOSES = (CONTACT, SAFETY, HEALTH, GUARDIAN, *SERVICES)
HOUSEHOLD_PURPOSES = (CONTACT, SAFETY)
GIVEN, DECLINED, WITHDRAWN, EXPIRED = "given", "declined", "withdrawn", "expired"
STATES = (GIVEN, DECLINED, WITHDRAWN, EXPIRED)
MISSING = "consent_missing"
DAYS_MAX: Mapping[str, int] = {
    CONTACT: 730, SAFETY: 730, GUARDIAN: 730, HEALTH: 182, **dict.fromkeys(SERVICES, 365),
}  # fmt: skip
"""How long a consent holds at most; none longer than 24 months."""
ASK_AGAIN = timedelta(days=180)
GUARDED_YEARS = 14
Values = Mapping[str, Any]


@cache
def notices() -> Mapping[int, Mapping[str, str]]:
    """Return the notices that have been read out to people, by version."""
    with NOTICES.open(encoding="utf-8", newline="") as file:
        return {int(row["version"]): row for row in csv.DictReader(file)}


def holds(values: Values, at: str) -> bool:
    """Tell whether a consent is in force at a moment."""
    ends = _end(values)
    return values.get("state") == GIVEN and ends is not None and at < ends


def _end(values: Values) -> str | None:
    """Return when a consent ends; a phone does not know yet what the server will write."""
    ends, given_at = values.get("expires_at"), values.get("given_at")
    return ends or (latest_end(str(values["purpose"]), given_at) if given_at else None)


class Standing(Protocol):
    """How the purposes stand (``app.households.purposes``)."""

    def closed(self, purpose: str) -> bool:
        """Tell whether a purpose may not be used at all."""

    def counts(self, consent: Values) -> bool:
        """Tell whether a consent was given under a notice that still says what is done."""


def check_covered(
    work: Work, values: Values, standing: Standing, *, by: str | None = None
) -> Values:
    """Return the values of an edit, if a consent in force covers all that need one.

    Args:
        by: who alone may have consented, if not anybody.

    Raises:
        Refusal: ``consent_missing``, with the purposes to ask about for every field.
    """
    at = as_text(work.act.ms)
    given = {
        str(one.values[PURPOSE]) for one in work.consents
        if holds(one.values, at) and by in (None, one.values.get("given_by"))
        and standing.counts(one.values) and not standing.closed(str(one.values[PURPOSE]))
    }  # fmt: skip
    errors = [
        FieldError(one.name, MISSING, {"purpose": list(missing)})
        for one in work.kind.by_consent
        if (missing := uncovered(one, _brought(work, one.name, values), given))
    ]
    if errors:
        raise Refusal(MISSING, *errors)
    return _held_again(work.record, values)


def _brought(work: Work, name: str, values: Values) -> Any:
    """Return what an edit brings into a field; taking something out of a set brings nothing."""
    value = values.get(name)
    of_set = work.kind.by_name[name].rule is Rule.SET
    if not of_set or not isinstance(value, list):
        return value
    if work.edit.op == "remove":
        return None
    return value


def _held_again(record: Record | None, values: Values) -> Values:
    """Note that fields which had been emptied are held again, by a new consent."""
    emptied = set((record.values.get(EMPTIED) if record else None) or ())
    again = {name for name in emptied if values.get(name) is not None}
    return {**values, EMPTIED: sorted(emptied - again) or None} if again else values


# -- what to ask ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """One purpose of one subject: where it stands, and whether it may be asked about now.

    Attributes:
        state: of the latest answer that counts; None when nobody has been asked.
        until: when a consent ends, or when somebody who declined may be asked again.
    """

    subject: str
    purpose: str
    state: str | None
    until: str | None
    ask: bool


def question(
    subject: str,
    purpose: str,
    consents: Iterable[Values],
    now: datetime,
    standing: Standing | None = None,
) -> Question:
    """Tell whether to ask for one consent; whoever declined is left in peace for 180 days.

    Args:
        standing: how the purposes stand; without it, as they were shipped.
    """
    if standing and standing.closed(purpose):
        return Question(subject, purpose, None, None, False)
    own = [one for one in consents
           if one.get("subject") == subject and one.get("purpose") == purpose]  # fmt: skip
    at = _text(now)
    held = [one for one in own if holds(one, at) and (not standing or standing.counts(one))]
    if held:
        return Question(subject, purpose, GIVEN, max(_end(one) or "" for one in held), False)
    said_no = [one for one in own if one.get("state") in (DECLINED, WITHDRAWN)]
    if said_no:
        last = max(said_no, key=_answered_at)
        again = _text(datetime.fromisoformat(_answered_at(last)) + ASK_AGAIN)
        return Question(subject, purpose, last["state"], again, at >= again)
    return Question(subject, purpose, EXPIRED if own else None, None, True)


def _answered_at(values: Values) -> str:
    return str(values.get("withdrawn_at") or values.get("given_at") or "1970-01-01T00:00:00Z")


def latest_end(purpose: str, given_at: str) -> str:
    """Return until when a consent that was given at a moment may hold at most."""
    return _text(datetime.fromisoformat(given_at) + timedelta(days=DAYS_MAX[purpose]))


def _text(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
