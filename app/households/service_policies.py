"""Who may take down consents, persons and visits, and what follows from each."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.core.actor import Actor
from app.core.moments import as_text
from app.core.redaction import check_clean
from app.households import consents
from app.households.consents import (
    DECLINED,
    EXPIRED,
    GIVEN,
    GUARDED_YEARS,
    WITHDRAWN,
    check_covered,
    latest_end,
)
from app.households.policies import OfHousehold, check_stays, check_used
from app.households.purposes import Purposes
from app.households.service_models import Consent, ServicePerson, Visit
from sync.errors import FieldError, Refusal
from sync.gate import Work

Values = Mapping[str, Any]
SENSITIVE = frozenset({"care_note", "power_dependent"})
CLOCK_MAY_BE_AHEAD = timedelta(minutes=10)


def _wrong(field: str, code: str, **limits: Any) -> Refusal:
    return Refusal("invalid_fields", FieldError(field, code, limits))


class ConsentPolicy(OfHousehold):
    """Rights and rules of consents: one is given or declined once, and may be withdrawn."""

    model = Consent
    list_action = "consent.read"
    propose_action = "consent.create"

    def action(self, work: Work, values: Values) -> str:
        """Return the action: whatever is done to a consent after it was taken down ends it."""
        return "consent.create" if work.edit.op == "create" else "consent.withdraw"

    def derive(self, work: Work, values: Values, found: Purposes, actor: Actor) -> Values:
        """Check the answer that was taken down, or note its end.

        Raises:
            Refusal: a proof is changed or deleted, or an answer comes back that was taken back.
        """
        if work.edit.op == "create":
            check_used(work)
            return self._taken_down(work, self.with_grid(work, values), found)
        if work.edit.op == "delete":
            raise Refusal("proof_stays")
        others = sorted(set(values) - {"state"})
        if others:
            raise Refusal("invalid_fields", *(FieldError(name, "read_only") for name in others))
        if values.get("state") != WITHDRAWN:
            raise Refusal("consent_ask_again")
        return {**values, "withdrawn_at": as_text(work.act.ms)}

    def _taken_down(self, work: Work, values: Values, purposes: Purposes) -> Values:
        if not 1 <= values["notice_version"] <= purposes.latest:
            raise _wrong("notice_version", "unknown_code")
        if values["state"] not in (GIVEN, DECLINED):
            raise _wrong("state", "not_a_choice", choices=[GIVEN, DECLINED])
        given_at = values.get("given_at") or as_text(work.act.ms)
        ahead_ms = CLOCK_MAY_BE_AHEAD // timedelta(milliseconds=1)
        if given_at > as_text(work.act.ms + ahead_ms):
            raise _wrong("given_at", "in_the_future")
        if values["state"] == GIVEN and purposes.closed(values["purpose"]):
            raise Refusal("purpose_closed")
        if values["state"] == DECLINED:
            return {**values, "given_at": given_at, "expires_at": None}
        latest = latest_end(values["purpose"], given_at)
        expires_at = values.get("expires_at") or latest
        if not given_at < expires_at <= latest:
            raise _wrong("expires_at", "consent_too_long", latest=latest)
        return {**values, "given_at": given_at, "expires_at": expires_at}


class ServicePersonPolicy(OfHousehold):
    """Rights and rules of persons who asked for a service."""

    model = ServicePerson
    list_action = "resident.list"
    propose_action = "resident.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action; what is sensitive has its own."""
        if work.edit.op == "delete":
            return "resident.delete"
        if SENSITIVE & values.keys():
            return "resident_sensitive.update"
        return "resident.create" if work.edit.op == "create" else "resident.update"

    def derive(self, work: Work, values: Values, found: Purposes, actor: Actor) -> Values:
        """Ask for the consents, of a guardian for those under 14, and for a clean note.

        Raises:
            Refusal: somebody is moved, a consent is missing, a guardian is, or the note names
                numbers.
        """
        check_used(work)
        if work.edit.op == "delete":
            return values
        check_stays(work, values)
        check_clean("care_note", values.get("care_note"))
        merged = {**(work.record.values if work.record else {}), **values}
        this_year = datetime.fromisoformat(as_text(work.act.ms)).year
        born = merged.get("birth_year")
        if born is not None and born > this_year:
            raise _wrong("birth_year", "in_the_future")
        guarded = born is not None and this_year - born <= GUARDED_YEARS
        if guarded and merged.get("guardian_contact_id") is None:
            raise _wrong("guardian_contact_id", "required")
        return check_covered(
            work, self.with_grid(work, values), found,
            by=consents.GUARDIAN if guarded else None,
        )  # fmt: skip


class VisitPolicy(OfHousehold):
    """Rights and rules of visits: whoever made one may change it."""

    model = Visit
    list_action = "visit.list"
    propose_action = "visit.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action."""
        return "visit.create" if work.edit.op == "create" else "visit.update"

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor made the visit."""
        return work.record is not None and work.record.values.get("visited_by") == actor.user_id

    def derive(self, work: Work, values: Values, found: Purposes, actor: Actor) -> Values:
        """Note who called when, and that the household was met; take no numbers in the note.

        Raises:
            Refusal: the note names numbers, or the visit is moved to another door.
        """
        check_used(work)
        check_clean("note", values.get("note"))
        if work.edit.op != "create":
            if "household" in values:
                raise _wrong("household", "read_only")
            return values
        at = as_text(work.act.ms)
        met = {"met_at": at} if values["outcome"] == "met" else {}
        return {**self.with_grid(work, values), "visited_by": actor.user_id, "visited_at": at,
                **met}  # fmt: skip


__all__ = ["EXPIRED", "ConsentPolicy", "ServicePersonPolicy", "VisitPolicy"]
