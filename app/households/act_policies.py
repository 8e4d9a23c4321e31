"""Who may do something to households, and what an act does."""

from collections.abc import Mapping
from typing import Any

from app.core.actor import Actor
from app.core.moments import as_text
from app.core.records import kind_of
from app.core.redaction import check_clean
from app.households.act_models import HouseholdAct
from app.households.models import Household
from app.households.policies import OfHousehold, check_used
from app.households.purposes import Purposes
from app.households.verbs import SPLIT, check_undoable, effects_of
from sync.acts import DONE, EFFECTS, UNDONE
from sync.errors import FieldError, Refusal
from sync.gate import Work

Values = Mapping[str, Any]


class HouseholdActPolicy(OfHousehold):
    """Rights and rules of acts: made once, undone at most once, never changed."""

    model = HouseholdAct
    list_action = "household.list"
    propose_action = "household.update"

    def __init__(self) -> None:
        self._household = kind_of(Household)

    def action(self, work: Work, values: Values) -> str:
        """Return the action: between grids it is a transfer, a split makes a household."""
        if len(set(self.grids(work, values, None))) > 1:
            return "household.transfer"
        return "household.create" if values.get("verb") == SPLIT else "household.update"

    def grids(self, work: Work, values: Values, found: Purposes | None) -> tuple[int, ...]:
        """Return the grids of both households."""
        homes = (one.values.get("grid") for key, one in work.around.items()
                 if key[0] == Household.kind)  # fmt: skip
        own = super().grids(work, values, found)
        return tuple({*own, *(grid for grid in homes if type(grid) is int)})

    def derive(self, work: Work, values: Values, found: Purposes | None, actor: Actor) -> Values:
        """Work out what the act does, or check that it can be undone.

        Raises:
            Refusal: it cannot be done, or not be undone any more.
        """
        check_used(work)
        check_clean("reason", values.get("reason"))
        if work.edit.op == "create":
            return self._made(work, self.with_grid(work, values), actor)
        if work.edit.op == "delete":
            raise Refusal("proof_stays")
        others = sorted(set(values) - {"state"})
        if others:
            raise Refusal("invalid_fields", *(FieldError(name, "read_only") for name in others))
        before = work.record.values if work.record else {}
        if values.get("state") != UNDONE or before.get("state") != DONE:
            raise Refusal("changed_since")
        check_undoable(before, work.around)
        return values

    def _made(self, work: Work, values: Values, actor: Actor) -> Values:
        if values["state"] != DONE:
            raise Refusal("invalid_fields", FieldError("state", "not_a_choice",
                                                       {"choices": [DONE]}))  # fmt: skip
        effects = effects_of(values, work.around, self._household)
        return {**values, EFFECTS: effects, "done_at": as_text(work.act.ms),
                "done_by": actor.user_id}  # fmt: skip
