"""Who may give an emergency order and who enters under it; nothing outside its time and place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.campaigns import rules
from app.campaigns.models import EmergencyEntry, EmergencyOrder
from app.core.actor import Actor
from app.core.moments import as_text, now_ms
from app.forms.answers import fill
from app.forms.lookup import Forms, forms_of
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.stores.many import among

Values = Mapping[str, Any]
APPROVAL, CLOSING = frozenset({"approved"}), frozenset({"ends", "destroy_by"})

# A plain table, not the model: it is read at every push that holds entries.
_orders = EmergencyOrder.__table__.c
_ORDERS = sa.select(
    _orders.id,
    _orders.state,
    _orders.starts,
    _orders.ends,
    _orders.paths,
    _orders.asks,
    _orders.form,
    _orders.form_version,
).where(among(_orders.id, "ids"), _orders.deleted.is_(None))


@dataclass(frozen=True, slots=True)
class Named:
    """What the batch's orders name: the paths of their areas, and forms."""

    paths: Mapping[int, str]
    forms: Forms


class OrderPolicy:
    """Rights and rules of orders: the county proposes, and a second person of it approves."""

    model = EmergencyOrder
    list_action = "notice.list"
    propose_action = "codelist.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action: that of the county alone."""
        return "codelist.update"

    def prepare(self, session: Session, works: Sequence[Work]) -> Named:
        """Read the paths of the counties and areas named, and the forms: two statements."""
        named = {area for work in works for area in _areas(work.edit.set)}
        forms = {str(work.edit.set["form"]) for work in works if work.edit.set.get("form")}
        return Named(paths_of(session, named) if named else {}, forms_of(session, forms))

    def grids(self, work: Work, values: Values, found: Any) -> tuple[int, ...]:
        """Return the county that gives the order and the areas in which it holds."""
        return tuple({*_areas(values), *_areas(work.record.values if work.record else {})})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Orders are the county's."""
        return False

    def derive(self, work: Work, values: Values, found: Named, actor: Actor) -> Values:
        """Check the order as a whole; it is open when a second person has approved it."""
        if work.record is None:
            return self._proposed(values, found, actor)
        if work.edit.op == "delete":
            raise Refusal("not_allowed")
        if work.edit.base < work.record.rv:
            raise Refusal("changed_since")
        if set(values) == APPROVAL:
            return self._approved(work, values, actor)
        if set(values) == CLOSING:
            return self._closed(work, values)
        raise Refusal("not_allowed")

    def _proposed(self, values: Values, found: Named, actor: Actor) -> Values:
        if values.get("approved"):
            raise Refusal("second_person_required")
        _refuse(rules.faults(values))
        paths = [found.paths[area] for area in values["areas"]]
        if not all(path.startswith(found.paths[values["county"]]) for path in paths):
            _refuse([("areas", "outside_county")])
        if values.get("form") and values["form"] not in found.forms.current:
            _refuse([("form", "no_such_form")])
        return {**values, "paths": "," + "".join(f"{path}," for path in sorted(set(paths))),
                "form_version": found.forms.current.get(values.get("form") or ""),
                "state": rules.PROPOSED, "proposed_by": actor.user_id}  # fmt: skip

    def _approved(self, work: Work, values: Values, actor: Actor) -> Values:
        before = work.record.values if work.record else {}
        if before["state"] != rules.PROPOSED or as_text(work.act.ms) >= before["ends"]:
            raise Refusal("transition_not_allowed")
        if actor.user_id == before["proposed_by"]:
            raise Refusal("second_person_required")
        return {**values, "state": rules.OPEN, "approved_by": actor.user_id}

    def _closed(self, work: Work, values: Values) -> Values:
        """Let an order end earlier, and its data go earlier; never later."""
        before = work.record.values if work.record else {}
        later = [name for name in sorted(CLOSING) if values[name] > before[name]]
        _refuse([(name, "only_earlier") for name in later])
        _refuse(rules.faults({**before, **values}))
        return values


def _areas(values: Values) -> set[int]:
    named = {*(values.get("areas") or ()), values.get("county")}
    return {area for area in named if type(area) is int}


def _refuse(faults: Sequence[tuple[str, str]]) -> None:
    if faults:
        raise Refusal("invalid_fields", *(FieldError(*one) for one in faults))


@dataclass(frozen=True, slots=True)
class Found:
    """What the batch's entries need: their orders with the forms, and where their grids lie."""

    orders: Mapping[str, Values]
    paths: Mapping[int, str]
    forms: Forms


class EntryPolicy:
    """Rights and rules of entries: whoever serves the grid, while the order holds there."""

    model = EmergencyEntry
    list_action = "resident.list"
    propose_action = "resident.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action."""
        return "resident.create" if work.edit.op == "create" else "resident.update"

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the orders, their forms, and the paths of the grids: three statements."""
        ids = {str(order) for work in works if (order := _order_of(work))}
        rows = session.connection().execute(_ORDERS, {"ids": sorted(ids)}).all() if ids else ()
        grids = {work.edit.set["grid"] for work in works if type(work.edit.set.get("grid")) is int}
        paths = paths_of(session, grids) if grids else {}
        forms = forms_of(session, {row.form for row in rows if row.form})
        return Found({row.id: _order(row) for row in rows}, paths, forms)

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...]:
        """Return the grid of the entry and the one it would move to."""
        here = work.record.values.get("grid") if work.record else None
        return tuple({grid for grid in (here, values.get("grid")) if type(grid) is int})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Entries belong to nobody."""
        return False

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Refuse what no order asks for, here and at that time."""
        if work.record is not None and "order_id" in values:
            raise Refusal("not_allowed")
        order = found.orders.get(str(_order_of(work)))
        if order is None:
            raise Refusal("invalid_fields", FieldError("order_id", "unknown_record"))
        if not self._in_time(work, order):
            raise Refusal("order_not_open")
        asked = order["asks"]
        _refuse([(name, "not_asked_by_order") for name in rules.strangers(values, asked)])
        if "grid" in values and not rules.covers(order, found.paths.get(values["grid"])):
            _refuse([("grid", "outside_order")])
        return {**values, **self._answers(work, values, order, found.forms)}

    def _answers(self, work: Work, values: Values, order: Values, forms: Forms) -> Values:
        """Return the answers to the form of the order as they are kept."""
        form = forms.get(order["form"], order["form_version"]) if order["form"] else None
        given = values.get("answers")
        if form is None:
            _refuse([("answers", "not_asked_by_order")] if given else [])
            return {}
        if given is None:
            _refuse([("answers", "required")] if work.record is None else [])
            return {}
        filled = fill(form, given if isinstance(given, Mapping) else {})
        if filled.faults:
            raise Refusal("invalid_fields", *filled.faults)
        return {"answers": dict(filled.values)}

    def _in_time(self, work: Work, order: Values) -> bool:
        """Tell whether it was done while the order held; a phone's own clock is no proof of it."""
        known_ms = work.act.ms if work.act.anchored else max(work.act.ms, now_ms())
        return rules.holds_at(order, as_text(known_ms))


def _order_of(work: Work) -> Any:
    here = work.record.values.get("order_id") if work.record else None
    return here or work.edit.set.get("order_id")


def _order(row: Any) -> Values:
    dates = {name: as_text(round(getattr(row, name).timestamp() * 1000))
             for name in ("starts", "ends")}  # fmt: skip
    return {"state": row.state, "paths": row.paths, "asks": row.asks or (), "form": row.form,
            "form_version": row.form_version, **dates}  # fmt: skip
