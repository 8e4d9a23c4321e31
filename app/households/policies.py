"""Who may change a household or a contact, and what follows from a change."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.moments import as_text
from app.core.records import RESTRICTED
from app.households.consents import check_covered
from app.households.models import Contact, Household
from app.households.purposes import Purposes, needed_by
from app.households.rules import people_add_up
from sync.errors import FieldError, Refusal
from sync.gate import Work

Values = Mapping[str, Any]


def _own_grid(work: Work, values: Values) -> tuple[int, ...]:
    """Return the grid a record lies in and the one it would move to."""
    here = work.record.values.get("grid") if work.record else None
    there = values.get("grid")
    return tuple({grid for grid in (here, there) if type(grid) is int})


def check_used(work: Work) -> None:
    """Refuse to work with what is only kept, by itself or with its household.

    Raises:
        Refusal: ``data_restricted``.
    """
    touched = (work.record, work.referred.get("household"))
    if any(one is not None and one.values.get(RESTRICTED) for one in touched):
        raise Refusal("data_restricted")


class HouseholdPolicy:
    """Rights and rules of households."""

    model = Household
    list_action = "household.list"
    propose_action = "household.update"
    _ACTIONS = {
        "create": "household.create", "update": "household.update", "delete": "household.delete",
    }  # fmt: skip

    def action(self, work: Work, values: Values) -> str:
        """Return the action; a change of grid is a transfer."""
        if work.record and "grid" in values and values["grid"] != work.record.values.get("grid"):
            return "household.transfer"
        return self._ACTIONS.get(work.edit.op, "household.update")

    def prepare(self, session: Session, works: Sequence[Work]) -> Purposes:
        """Read how the purposes stand, if something in the batch rests on one."""
        return needed_by(session, works)

    def grids(self, work: Work, values: Values, found: Purposes | None) -> tuple[int, ...]:
        """Return the grids that the edit touches."""
        return _own_grid(work, values)

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Households belong to nobody."""
        return False

    def derive(self, work: Work, values: Values, found: Purposes, actor: Actor) -> Values:
        """Check the sums, and note when the household was last looked at (not when it is moved)."""
        check_used(work)
        people = {**(work.record.values if work.record else {}), **values}
        if not people_add_up(people):
            raise Refusal("invalid_fields", FieldError("residents_count", "bands_exceed_total"))
        if work.edit.op == "delete" or set(values) == {"grid"}:
            return values
        covered = check_covered(work, values, found)
        return {**covered, "last_confirmed_at": as_text(work.act.ms)}


class OfHousehold:
    """What every kind that belongs to a household has in common: it lies where that lies."""

    def prepare(self, session: Session, works: Sequence[Work]) -> Purposes:
        """Read how the purposes stand; the engine has read the households named."""
        return needed_by(session, works)

    def grids(self, work: Work, values: Values, found: Purposes | None) -> tuple[int, ...]:
        """Return the grid of the record and of the household it names."""
        records = (work.record, work.referred.get("household"))
        grids = (record.values.get("grid") for record in records if record)
        return tuple({grid for grid in grids if type(grid) is int})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell that it belongs to nobody."""
        return False

    @staticmethod
    def with_grid(work: Work, values: Values) -> Values:
        """Return the values with the grid of the household that they name.

        Raises:
            Refusal: there is no such household.
        """
        if "household" not in values:
            return values
        household = work.referred.get("household")
        if household is None:
            raise Refusal("invalid_fields", FieldError("household", "unknown_record"))
        return {**values, "grid": household.values["grid"]}


def check_stays(work: Work, values: Values) -> None:
    """Refuse to move somebody by a plain update: his consents come along only by an act.

    Raises:
        Refusal: an update names another household.
    """
    if work.record is None or "household" not in values:
        return
    if values["household"] != work.record.values.get("household"):
        raise Refusal("invalid_fields", FieldError("household", "read_only"))


WITHOUT_CONSENTS = 1
"""The schema of contacts whose apps could not take down a consent."""


class ContactPolicy(OfHousehold):
    """Rights and rules of contacts: they follow their household, and stand on a consent."""

    model = Contact
    list_action = "resident.list"
    propose_action = "resident.update"
    _ACTIONS = {
        "create": "resident.create", "update": "resident.update", "delete": "resident.delete",
    }  # fmt: skip

    def action(self, work: Work, values: Values) -> str:
        """Return the action; to take somebody out of the books without an act takes two persons.

        Apps that cannot take down a consent tell by a deletion that one was withdrawn.
        """
        if work.edit.op == "delete" and work.spoken == WITHOUT_CONSENTS:
            return "consent.withdraw"
        return self._ACTIONS.get(work.edit.op, "resident.update")

    def derive(self, work: Work, values: Values, found: Purposes, actor: Actor) -> Values:
        """Give the contact the grid of its household; ask for its consent, of apps that know it.

        Raises:
            Refusal: it is moved, or a consent is missing.
        """
        check_used(work)
        check_stays(work, values)
        values = self.with_grid(work, values)
        return values if work.spoken == WITHOUT_CONSENTS else check_covered(work, values, found)
