"""Who may do what with an incident; the server finds its grid and its priority."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.places import AreaAt, areas_at
from app.core.actor import Actor
from app.core.evidence import check_photos
from app.core.moments import as_text
from app.incidents.models import Incident, IncidentCategory
from app.incidents.rules import ACTION_OF_STATE, NEAREST_WITHIN_M
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.stores.many import among
from sync.values import Invalid, Position

Values = Mapping[str, Any]
Place = tuple[float, float]
NEEDS_REASON = ("rejected", "cancelled", "not_filed", "appealed")

# A plain table, not the model: it is read at every push that holds incidents.
_categories = IncidentCategory.__table__
_CATEGORIES = sa.select(_categories.c.code, _categories.c.priority, _categories.c.photo).where(
    among(_categories.c.code, "codes"), _categories.c.level == 2
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the batch's incidents need: priorities by category, grids by position."""

    priorities: Mapping[str, int | None]
    photos: Mapping[str, str | None]
    grids: Mapping[Place, AreaAt | None]


class IncidentPolicy:
    """Rights and rules of incidents."""

    model = Incident
    list_action = "incident.list"
    propose_action = "incident.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action: by the state it asks for, else a plain change."""
        if work.edit.op == "create":
            return "incident.create"
        if work.edit.op == "delete":
            return "incident.delete"
        if "grid" in values:
            return "incident.assign"
        return ACTION_OF_STATE.get(str(values.get("state")), "incident.update")

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the categories named and the grids of the positions."""
        codes = {code for work in works for code in _codes(work)}
        run = session.connection().execute
        rows = run(_CATEGORIES, {"codes": list(codes)}).all() if codes else ()
        places = sorted({place for work in works if (place := _place(work.edit.set))})
        found = areas_at(session, places, within_m=NEAREST_WITHIN_M) if places else []
        return Found({row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows},
                     dict(zip(places, found, strict=True)))  # fmt: skip

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...] | None:
        """Return the grid of the record, of the position, and the one that was named."""
        grids = {work.record.values.get("grid") if work.record else None}
        place = _place(values)
        here = found.grids.get(place) if place and found else None
        if here:
            grids.add(here.area_id)
        elif place and work.edit.op == "create":
            return None
        elif work.record is None or "grid" in values:
            grids.add(values.get("grid"))
        return tuple(grid for grid in grids if type(grid) is int)

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor reported it."""
        return work.record is not None and work.record.values.get("reporter") == actor.user_id

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Find priority and grid; note who reported it and when."""
        added: dict[str, Any] = {}
        if "category" in values:
            if values["category"] not in found.priorities:
                raise Refusal("invalid_fields", FieldError("category", "unknown_code"))
            added["priority"] = found.priorities[values["category"]]
        added |= self._grid(work, values, found)
        self._check_household(work, {**values, **added})
        self._check_reason(work, values)
        self._check_photos(work, values, found)
        if work.edit.op == "create":
            added["reporter"] = actor.user_id
        if values.get("state") == "reported":
            added["reported_at"] = as_text(work.act.ms)
        return {**values, **added}

    def _grid(self, work: Work, values: Values, found: Found) -> dict[str, Any]:
        place = _place(values)
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
        if values.get("household") is None:
            return
        household = work.referred.get("household")
        here = values.get("grid") or (work.record.values.get("grid") if work.record else None)
        if household is None or household.values.get("grid") != here:
            raise Refusal("invalid_fields", FieldError("household", "unknown_record"))

    def _check_photos(self, work: Work, values: Values, found: Found) -> None:
        """Ask for photos when it is reported; refuse them whenever they are forbidden."""
        merged = {**(work.record.values if work.record else {}), **values}
        if values.get("state") == "reported" or "photo_count" in values:
            check_photos(found.photos.get(str(merged.get("category"))), merged)

    def _check_reason(self, work: Work, values: Values) -> None:
        merged = {**(work.record.values if work.record else {}), **values}
        state = values.get("state")
        if state in NEEDS_REASON and not values.get("state_reason"):
            raise Refusal("invalid_fields", FieldError("state_reason", "required"))
        if state == "closed" and not merged.get("result_text"):
            raise Refusal("invalid_fields", FieldError("result_text", "required"))


def _codes(work: Work) -> set[str]:
    """Return the categories that an edit names or asks about."""
    named = {"state", "photo_count"} & work.edit.set.keys()
    known = work.record.values.get("category") if work.record and named else None
    return {str(code) for code in (work.edit.set.get("category"), known) if code is not None}


def _place(values: Values) -> Place | None:
    """Return the position in an edit's values, if it has one that makes sense."""
    try:
        lon, lat = Position().check(values.get("point"))
    except Invalid:
        return None
    return lon, lat
