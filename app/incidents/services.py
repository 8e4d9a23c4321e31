"""The use cases of incidents in the office."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.rulebook import note_change
from app.incidents.duties import RULES
from app.incidents.models import IncidentCategory, IncidentLimit
from app.incidents.rules import WORKFLOW
from app.office import writing

FIELD_OF = {
    "reason": "state_reason", "level": "step_level", "unit": "step_unit", "until": "step_until",
    "close_kind": "step_close",
}  # fmt: skip
"""The fields of the record in which the details of a step are kept."""
_NUMBERS = (
    "level", "priority", "accept_minutes", "handle_hours", "escalate_after_hours", "sensitivity",
)  # fmt: skip


def categories(session: Session) -> Sequence[IncidentCategory]:
    """Return all categories, each group before its members."""
    return session.scalars(sa.select(IncidentCategory).order_by(IncidentCategory.code)).all()


def create(session: Session, actor: Actor, body: Mapping[str, Any]) -> str:
    """Report an incident from the office; return its id."""
    return writing.create(session, actor, "incident", body, {"state": "reported", "round": 0})


def move(
    session: Session, actor: Actor, incident: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    """Take an incident one step on, from the version that is there now."""
    values = {FIELD_OF.get(name, name): value for name, value in body.items()}
    begins = incident["state"] is not None and body["state"] in WORKFLOW.new_round
    round_ = (incident["round"] or 0) + begins
    writing.change(session, actor, "incident", incident["id"], values, base=incident["rv"],
                   op="event", added={"round": round_})  # fmt: skip


def do(
    session: Session, actor: Actor, incident: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    """Do something to an incident that leaves its state: urge it, ask for time, grant it."""
    values = {"act": body["act"], "act_text": body.get("text"), "act_until": body.get("until")}
    writing.change(session, actor, "incident", incident["id"], values, base=incident["rv"],
                   op="event")  # fmt: skip


def import_categories(session: Session, path: Path) -> int:
    """Load the categories from a CSV file over what stands; return how many."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_typed(row) for row in csv.DictReader(file)]
    session.execute(sa.delete(IncidentCategory))
    session.execute(sa.insert(IncidentCategory), rows)
    return len(rows)


def set_limits(
    session: Session, area_id: int, category: str, limits: Mapping[str, int | None]
) -> None:
    """Set the time limits of an area for a category, a group or all; none returns to those above.

    Cases that run already keep the due times they have.
    """
    here = (IncidentLimit.area_id == area_id, IncidentLimit.category == category)
    session.execute(sa.delete(IncidentLimit).where(*here))
    if any(limits.values()):
        session.add(IncidentLimit(area_id=area_id, category=category, **limits))
        session.flush()
    note_change(session, RULES)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    return {
        name: (int(value) if name in _NUMBERS else value) if value else None
        for name, value in row.items()
    }
