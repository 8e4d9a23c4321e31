"""The use cases of incidents in the office."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.incidents.models import IncidentCategory
from app.office import writing

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
    values: dict[str, Any] = {"state": body["state"]}
    if body.get("reason"):
        values["state_reason"] = body["reason"]
    if body.get("result_text"):
        values["result_text"] = body["result_text"]
    writing.change(session, actor, "incident", incident["id"], values, base=incident["rv"],
                   op="event", added={"round": incident["round"] or 0})  # fmt: skip


def import_categories(session: Session, path: Path) -> int:
    """Load the categories from a CSV file over what stands; return how many."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_typed(row) for row in csv.DictReader(file)]
    session.execute(sa.delete(IncidentCategory))
    session.execute(sa.insert(IncidentCategory), rows)
    return len(rows)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    return {
        name: (int(value) if name in _NUMBERS else value) if value else None
        for name, value in row.items()
    }
