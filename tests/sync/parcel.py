"""A kind of the test house that has been through three schemas, to prove what upgrades prove."""

from collections.abc import Mapping
from typing import Any

from sync.kinds import Field, Kind, Kinds, Rule
from sync.upgrade import Step
from sync.values import Text, Whole
from tests.sync.house import KINDS

Values = Mapping[str, Any]
GRAMS = 1000
WEIGHT_MAX_KG = 1e6


def _rename_and_split(values: Values) -> Values:
    """Schema 2 calls the label a title, and keeps the two halves of the address apart."""
    given = dict(values)
    if "label" in given:
        given["title"] = given.pop("label")
    if "to" in given:
        to = given.pop("to")
        name, _, street = to.partition(";") if isinstance(to, str) else (to, "", to)
        given |= {"receiver": name, "street": street}
    return given


def _event_instead(op: str) -> str:
    """Schema 2 reports the sending of a parcel as an event like others."""
    return "event" if op == "send" else op


def _grams(values: Values) -> Values:
    """Schema 3 weighs in grams; schema 2 weighed in kilograms."""
    given = dict(values)
    if "weight_kg" in given:
        weight = given.pop("weight_kg")
        known = isinstance(weight, int | float) and not isinstance(weight, bool)
        known = known and abs(weight) < WEIGHT_MAX_KG
        given["weight_g"] = round(weight * GRAMS) if known else weight
    return given


PARCEL = Kind(
    name="parcel",
    fields=(
        Field("grid", Whole(1, 1000), Rule.OFFICE, required=True),
        Field("title", Text(20)),
        Field("receiver", Text(40), group="address"),
        Field("street", Text(40), group="address"),
        Field("weight_g", Whole(0, 50_000)),
    ),
    scopes=lambda values: (f"grid:{values['grid']}",) if values.get("grid") is not None else (),
    upcasters=(Step(_rename_and_split, _event_instead), Step(_grams)),
)
WITH_PARCELS = Kinds((*KINDS.kinds, PARCEL))
