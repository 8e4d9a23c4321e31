"""What a worker does at a door: a visit, the questions that may be asked, and the answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.core.identifiers import new_id
from app.core.redaction import find, masked
from app.households.consents import HOUSEHOLD_PURPOSES, WITHDRAWN, Question, question
from app.households.rules import plain_address
from app.phone.client import Phone
from sync.acts import DONE, UNDONE
from sync.replica_tables import Row

Place = tuple[float, float]
ACCURACY_M = 10


class NumberInText(Exception):
    """A note holds a number that must not stand in it; ``hint`` is the note without."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


def visit(
    phone: Phone, household: str, outcome: str, *, note: str | None = None, place: Place | None
) -> str:
    """Note a visit and return its id.

    Raises:
        NumberInText: the server would only park it.
    """
    if note and find(note):
        raise NumberInText(masked(note))
    values: dict[str, Any] = {"household": household, "outcome": outcome, "note": note}
    if place:
        values |= {"checkin_point": list(place), "checkin_accuracy_m": ACCURACY_M}
    record = new_id()
    phone.edit("create", "visit", record, values)
    return record


def same_door(phone: Phone, address: Mapping[str, Any]) -> list[Row]:
    """Return the households on this phone that lie behind the same door."""
    plain = plain_address(address)
    rows = phone.replica.rows("household").values()
    return [row for row in rows if plain and plain_address(row.values) == plain]


def act(phone: Phone, household: str, verb: str, **more: Any) -> str:
    """Let something happen to a household by one edit; return the id of the act."""
    record = new_id()
    said = {name: value for name, value in more.items() if value}
    phone.edit("create", "household_act", record,
               {"verb": verb, "household": household, "state": DONE, **said})  # fmt: skip
    return record


def undo(phone: Phone, act: Row) -> str:
    """Undo an act, if all that it changed still stands."""
    return phone.edit("update", "household_act", act.rec, {"state": UNDONE})


def withdraw(phone: Phone, consent: Row) -> str:
    """Take back a consent; what stood on it goes from every phone with the next sync."""
    return phone.edit("update", "consent", consent.rec, {"state": WITHDRAWN})


def questions(phone: Phone, household: str) -> Sequence[Question]:
    """Return what a household may be asked now, as far as this phone knows."""
    consents = [
        row.values for row in phone.replica.rows("consent").values()
        if row.values.get("household") == household
    ]  # fmt: skip
    asked = {(household, purpose): None for purpose in HOUSEHOLD_PURPOSES}
    asked |= {(str(one["subject"]), str(one["purpose"])): None for one in consents}
    now = datetime.fromtimestamp(phone.clock().wall_ms / 1000, UTC)
    return [question(subject, purpose, consents, now) for subject, purpose in asked]
