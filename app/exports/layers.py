"""What can be exported: the layers and, field by field, what leaves the house.

A field that is not named here never leaves. ``fields`` name nobody and no home; ``personal`` ones
do, and need a reason and a second person. Who was asked, who reported and who did is exported
never: a table of persons and their work is a ranking in the making.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.records import Record
from app.households.models import Household
from app.households.rules import AGE_BANDS
from app.incidents.models import Incident
from app.tasks.models import Task

GRIDS = "grids"
DECIMALS_OPEN = 3
"""A position without identifiers is good to about a hundred metres."""
GRID_FIELDS = ("code", "name")
PLACE_FIELDS = ("grid_code", "grid_name", "village", "township")


@dataclass(frozen=True, slots=True)
class Layer:
    """A sort of record as a table that leaves the house.

    Attributes:
        list_action: whoever may not list such records may not export them.
        read_action: whoever may not read one whole may not export personal fields.
        point: the field that holds the position.
    """

    model: type[Record]
    list_action: str
    read_action: str
    fields: tuple[str, ...]
    personal: tuple[str, ...]
    point: str | None = None


LAYERS: Mapping[str, Layer] = {
    "tasks": Layer(
        Task, "task.list", "task.read",
        ("task_kind", "state", "round", "due_at", "done_at", "report_count", "photo_count"),
        ("id", "title", "instructions", "report_text", "decline_reason", "return_reason",
         "cancel_reason", "household", "incident"),
    ),
    "incidents": Layer(
        Incident, "incident.list", "incident.read",
        ("category", "priority", "state", "round", "seen_at", "reported_at", "photo_count"),
        ("id", "text", "address_text", "state_reason", "result_text", "household"),
        point="point",
    ),
    "households": Layer(
        Household, "household.list", "household.read",
        ("occupancy", "residents_count", *AGE_BANDS, "last_confirmed_at"),
        ("id", "address_text", "building", "unit_room"),
        point="door_point",
    ),
}  # fmt: skip
NAMES = (*LAYERS, GRIDS)


@dataclass(frozen=True, slots=True)
class Row:
    """One row that leaves the house: its values, and its shape as GeoJSON."""

    values: Mapping[str, Any]
    geometry: Mapping[str, Any] | None = None


def columns_of(layer: str, *, personal: bool) -> tuple[str, ...]:
    """Return the names of the columns of a layer, in their order."""
    if layer == GRIDS:
        return (*GRID_FIELDS, "village", "township")
    found = LAYERS[layer]
    more = found.personal if personal else ()
    return ("number", *PLACE_FIELDS, *found.fields, *more)


def point_of(position: Any, *, personal: bool) -> Mapping[str, Any] | None:
    """Return a position as a shape: exact in personal exports only."""
    if position is None:
        return None
    lon, lat = position
    if not personal:
        lon, lat = round(lon, DECIMALS_OPEN), round(lat, DECIMALS_OPEN)
    return {"type": "Point", "coordinates": [lon, lat]}
