"""Who may do what with an incident: the table of steps, judged for each edit of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.evidence import check_photos
from app.incidents.found import Found, find, place_of
from app.incidents.guards import faults
from app.incidents.models import Incident
from app.incidents.moves import Move, action_into, acts, steps
from app.incidents.rules import NEAREST_WITHIN_M, WORKFLOW, is_dispute
from app.incidents.stamps import stamps
from app.incidents.step import Step, is_one_of
from sync.errors import FieldError, Refusal
from sync.gate import Work

Values = Mapping[str, Any]
STEP_FIELDS = (
    "step_level", "step_unit", "step_until", "step_close", "merged_into", "score_service",
    "score_result",
)  # fmt: skip
"""What is only said together with a step of the workflow."""


class IncidentPolicy:
    """Rights and rules of incidents."""

    model = Incident
    list_action = "incident.list"
    propose_action = "incident.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action: that of the step or act it asks for, else of a plain change."""
        if work.edit.op == "create":
            return "incident.create"
        if work.edit.op == "delete":
            return "incident.delete"
        if "grid" in values:
            return "incident.assign"
        move = _move(work, values)
        if move:
            return move.action
        return action_into(str(values.get("state"))) or "incident.update"

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the categories named, the grids of the positions, and what steps need."""
        return find(session, works)

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...] | None:
        """Return the grid of the record, of the position, and the one that was named."""
        grids = {work.record.values.get("grid") if work.record else None}
        place = place_of(values)
        here = found.grids.get(place) if place and found else None
        if here:
            grids.add(here.area_id)
        elif place and work.edit.op == "create":
            return None
        elif work.record is None or "grid" in values:
            grids.add(values.get("grid"))
        return tuple(grid for grid in grids if type(grid) is int)

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor reported it, handles or handled it, or it waits for his unit."""
        if work.record is None:
            return False
        known = work.record.values
        if actor.user_id in (known.get("reporter"), *(known.get("handlers") or ())):
            return True
        areas = {post.area_id for post in actor.posts_at(work.act.ms)}
        return any(_asks(known, state) in areas for state in (known.get("state"), _saw(work)))

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Find priority and grid, check the step, and write what the server writes with it."""
        added: dict[str, Any] = {}
        if "category" in values:
            category = found.categories.get(values["category"])
            if category is None:
                raise Refusal("invalid_fields", FieldError("category", "unknown_code"))
            added["priority"] = category["priority"]
        added |= self._grid(work, values, found)
        self._check_household(work, {**values, **added})
        self._check_photos(work, values, found)
        if work.edit.op == "create":
            added["reporter"] = actor.user_id
        return {**values, **added, **self._step(work, {**values, **added}, found, actor)}

    def _step(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Check a step or an act and return its stamps.

        A step that the table has not from the present state is left to the engine: it knows
        whether its author had seen that state, and refuses it, or keeps what came with it.

        Raises:
            Refusal: it is not his to make, not from a phone, or something is missing.
        """
        _check_belongs(values)
        move = _move(work, values)
        if move is None and values.get("act"):
            limits = {"state": work.record.values.get("state") if work.record else None}
            raise Refusal("transition_not_allowed", FieldError("act", "not_now", limits))
        if move is None or not _in_round(work, move, values):
            return {}
        step = Step(work, move, values, found, actor)
        _check_seen(step)
        _check_author(step)
        wrong = faults(step)
        if wrong:
            raise Refusal("invalid_fields", *wrong)
        return stamps(step)

    def _grid(self, work: Work, values: Values, found: Found) -> dict[str, Any]:
        place = place_of(values)
        if place is None:
            if work.edit.op == "create" and not (values.get("grid") and values.get("address_text")):
                raise Refusal("invalid_fields", FieldError("point", "place_or_address_needed"))
            return {}
        grid = found.grids.get(place)
        if grid is None:
            limits = {"within_m": NEAREST_WITHIN_M}
            raise Refusal("invalid_fields", FieldError("point", "outside_all_grids", limits))
        return {"grid": grid.area_id, "grid_distance_m": round(grid.distance_m)}

    def _check_household(self, work: Work, values: Values) -> None:
        merged = _merged(work, values)
        if merged.get("household") is not None and is_dispute(merged.get("category")):
            raise Refusal("invalid_fields", FieldError("household", "dispute_names_nobody"))
        if values.get("household") is None:
            return
        household = work.referred.get("household")
        if household is None or household.values.get("grid") != merged.get("grid"):
            raise Refusal("invalid_fields", FieldError("household", "unknown_record"))

    def _check_photos(self, work: Work, values: Values, found: Found) -> None:
        """Ask for photos when it is reported; refuse them whenever they are forbidden."""
        merged = _merged(work, values)
        if values.get("state") == "reported" or "photo_count" in values:
            category = found.categories.get(str(merged.get("category"))) or {}
            check_photos(category.get("photo"), merged)


def _asks(known: Values, state: Any) -> Any:
    """Return of which area somebody is asked to go on with a case in some state."""
    return {"dispatched": known.get("unit"), "answered": known.get("grid")}.get(str(state))


def _saw(work: Work) -> Any:
    """Return the state from which a step was taken, as its author saw it.

    A colleague may have been quicker. It is still his to propose: the engine, which finds that
    the table has no such step any more, keeps it with the case.
    """
    return work.edit.was.get("state") if work.edit.set.get("state") is not None else None


def _check_belongs(values: Values) -> None:
    """Refuse what only comes with a step when there is none, and two things done at once.

    Raises:
        Refusal: ``invalid_fields``.
    """
    stepping = values.get("state") is not None
    alone = [] if stepping else [name for name in STEP_FIELDS if values.get(name) is not None]
    twice = ["act"] if stepping and values.get("act") is not None else []
    if alone or twice:
        errors = [FieldError(name, "only_with_a_step") for name in alone]
        raise Refusal("invalid_fields", *errors, *(FieldError(one, "not_now") for one in twice))


def _merged(work: Work, values: Values) -> dict[str, Any]:
    return {**(work.record.values if work.record else {}), **values}


def _move(work: Work, values: Values) -> Move | None:
    """Return the row of the table that an edit asks for, from the state as it stands."""
    here = work.record.values.get("state") if work.record else None
    if values.get("state") is not None:
        return steps().get((here, str(values["state"])))
    return acts().get((str(values["act"]), str(here))) if values.get("act") else None


def _in_round(work: Work, move: Move, values: Values) -> bool:
    """Tell whether a step is of the present round; the engine answers one that is not."""
    before = work.record.values if work.record else {}
    return move.there is None or WORKFLOW.allows(before, values)


def _check_seen(step: Step) -> None:
    """Refuse a step that the table did not have from the state that its author saw, either.

    Raises:
        Refusal: ``transition_not_allowed``.
    """
    seen = step.work.edit.was.get("state")
    if step.move.there is None or seen is None or seen == step.before.get("state"):
        return
    if (seen, step.move.there) not in steps():
        limits = {"state": seen, "possible": sorted(to for here, to in steps() if here == seen)}
        raise Refusal("transition_not_allowed", FieldError("state", "no_such_move", limits))


def _check_author(step: Step) -> None:
    """Refuse a step of somebody whose it is not, or that no phone may ask for later.

    Raises:
        Refusal: ``not_allowed``.
    """
    if not is_one_of(step):
        raise Refusal("not_allowed", FieldError("state", "not_yours", {"who": step.move.who}))
    if not step.move.offline and step.actor.enrolment is not None:
        raise Refusal("not_allowed", FieldError("state", "only_online"))
