"""What a worker does in the field, as edits of the phone: tasks, households, incidents, choices."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.identifiers import new_id
from app.core.moments import as_text
from app.households.consents import notices
from app.incidents.moves import acts, steps
from app.incidents.rules import NEW_ROUND
from app.phone import lane
from app.phone.client import Phone
from app.tasks.rules import CONFIRMING, TABLE, UNCHANGED, WORKERS_ACTIONS, Move
from sync.replica_tables import Row

Place = tuple[float, float]
Values = Mapping[str, Any]
SUFFIX_LENGTH = 8


WORKERS_MOVES = [one for one in TABLE if one.action in WORKERS_ACTIONS]


class NotFound(Exception):
    """The phone shows no such record, or more than one; ``found`` says how many."""

    def __init__(self, kind: str, name: str, found: int) -> None:
        super().__init__(name)
        self.kind, self.name, self.found = kind, name, found


class WrongStep(Exception):
    """The worker cannot take this task there from here."""

    def __init__(self, state: str, *, mine: bool) -> None:
        super().__init__(state)
        self.state, self.mine = state, mine


class NotAVisit(Exception):
    """Only a visit to a household can find nothing changed there."""


class WrongChoice(Exception):
    """A conflict in this state cannot be settled, or its settling not undone."""


def find(phone: Phone, kind: str, name: str) -> Row:
    """Return the record whose id is, or ends with, a name.

    Raises:
        NotFound: there is none, or more than one.
    """
    rows = [row for rec, row in phone.replica.rows(kind).items() if rec.endswith(name.lower())]
    if len(rows) != 1 or not name:
        raise NotFound(kind, name, len(rows))
    return rows[0]


def short(record: str) -> str:
    """Return the end of an id: enough to name a record on one phone."""
    return record[-SUFFIX_LENGTH:]


def step_task(phone: Phone, task: Row, state: str, **values: Any) -> str:
    """Take one's own task one step on; return the id of the edit.

    Raises:
        WrongStep: the server would only park it.
    """
    if task.values.get("assignee") != phone.user["id"]:
        raise WrongStep(task.values["state"], mine=False)
    return _stepped(phone, task, state, values)


def claim(phone: Phone, task: Row) -> str:
    """Claim a task that nobody has, as far as this phone knows; return the id of the edit.

    Raises:
        WrongStep: somebody has it.
    """
    if task.values.get("assignee") is not None:
        raise WrongStep(task.values["state"], mine=False)
    return _stepped(phone, task, "accepted", {})


def stand_in(phone: Phone, task: Row, state: str, **values: Any) -> str:
    """Take the task of a colleague one step on, whom one covers; the server knows whether.

    Raises:
        WrongStep: there is no such step from here.
    """
    return _stepped(phone, task, state, values)


def found_unchanged(phone: Phone, task: Row) -> str:
    """Report a visit that found nothing changed, wherever the task stands: one edit for both.

    Raises:
        NotAVisit: the task is about no household, or asks for more.
        WrongStep: it is somebody else's, or done already.
    """
    if task.values.get("task_kind") not in CONFIRMING or not task.values.get("household"):
        raise NotAVisit
    if task.values.get("assignee") not in (None, phone.user["id"]):
        raise WrongStep(task.values["state"], mine=False)
    return _stepped(phone, task, "done", {"unchanged": True})


def _stepped(phone: Phone, task: Row, state: str, values: Values) -> str:
    here = task.values["state"]
    if not any(_leads(move, here, state, values) for move in WORKERS_MOVES):
        raise WrongStep(here, mine=True)
    step = {"state": state, "round": task.values.get("round") or 0, **values}
    return phone.edit("event", "task", task.rec, step)


def _leads(move: Move, here: str, there: str, values: Values) -> bool:
    """Tell whether a move of the table is this step, and its guard holds on this phone."""
    met = move.guard != UNCHANGED or bool(values.get(UNCHANGED))
    return (move.origin, move.to) == (here, there) and met


def capture_household(
    phone: Phone,
    grid: int,
    *,
    address: str,
    occupancy: str,
    building: str | None = None,
    room: str | None = None,
    door: Place | None = None,
) -> str:
    """Capture a household and return its id; an address or a door travels whole."""
    values: dict[str, Any] = {
        "grid": grid, "occupancy": occupancy, "address_text": address, "building": building,
        "unit_room": room,
    }  # fmt: skip
    if door:
        values |= {"door_point": list(door), "door_accuracy_m": 10, "door_source": "gps"}
    household = new_id()
    phone.edit("create", "household", household, values)
    return household


def add_contact(
    phone: Phone, household: str, *, name: str, number: str, relation: str = "self"
) -> str:
    """Note how a household has agreed to be reached, and return the contact's id."""
    contact = new_id()
    take_consent(phone, household, "contact", subject=contact)
    phone.edit("create", "contact", contact, {
        "household": household, "name": name, "phone": number, "relation": relation,
        "is_emergency": False,
    })  # fmt: skip
    return contact


def take_consent(
    phone: Phone,
    household: str,
    purpose: str,
    *,
    subject: str | None = None,
    state: str = "given",
    given_by: str = "self",
    method: str = "on_screen",
) -> str:
    """Take down what somebody answered when asked for his consent; return the consent's id."""
    consent = new_id()
    phone.edit("create", "consent", consent, {
        "household": household, "subject": subject or household, "purpose": purpose,
        "state": state, "notice_version": max(notices()), "given_by": given_by, "method": method,
        "given_at": as_text(phone.clock().wall_ms),
    })  # fmt: skip
    return consent


def change_occupancy(phone: Phone, household: str, occupancy: str) -> str:
    """Say how a household's home is used now; return the id of the edit."""
    return phone.edit("update", "household", household, {"occupancy": occupancy})


def report_incident(
    phone: Phone,
    *,
    category: str,
    text: str,
    place: Place,
    photos: Sequence[Path] = (),
    no_photo_reason: str | None = None,
) -> str:
    """Report what was seen at a place, with its photos, and return the incident's id.

    Raises:
        NoPicture: one of the files is none; nothing was reported.
    """
    for photo in photos:
        lane.check(photo)
    incident = new_id()
    reason = {"no_photo_reason": no_photo_reason} if no_photo_reason else {}
    phone.edit("create", "incident", incident, {
        "category": category, "text": text, "point": list(place), "accuracy_m": 10,
        "point_source": "gps", "state": "reported", "round": 0,
        "seen_at": as_text(phone.clock().wall_ms), "photo_count": len(photos), **reason,
    })  # fmt: skip
    for photo in photos:
        lane.take(phone, photo, incident=incident)
    return incident


def step_incident(phone: Phone, incident: Row, state: str, **values: Any) -> str:
    """Propose the next step of an incident; return the id of the edit.

    Raises:
        WrongStep: the table has no such step from here that a phone may ask for.
    """
    here = incident.values["state"]
    move = steps().get((here, state))
    if move is None or not move.offline:
        raise WrongStep(here, mine=True)
    round_ = (incident.values.get("round") or 0) + (state in NEW_ROUND)
    return phone.edit("event", "incident", incident.rec, {
        "state": state, "round": round_, **values,
    })  # fmt: skip


def ask_about(phone: Phone, incident: Row, act: str, text: str, until: str | None = None) -> str:
    """Ask for more time, or for another level; return the id of the edit.

    Raises:
        WrongStep: nothing of the kind can be asked for now.
    """
    if (act, incident.values["state"]) not in acts():
        raise WrongStep(incident.values["state"], mine=True)
    return phone.edit("event", "incident", incident.rec, {
        "act": act, "act_text": text, "act_until": until,
    })  # fmt: skip


def count(phone: Phone, task: Row, number: int) -> str:
    """Add to the count of one's own task, whatever others add meanwhile; return the edit's id.

    Raises:
        WrongStep: it is somebody else's.
    """
    if task.values.get("assignee") != phone.user["id"]:
        raise WrongStep(task.values["state"], mine=False)
    return phone.edit("add", "task", task.rec, {"report_count": number})


def mend(phone: Phone, parked: Row, corrections: Values) -> str:
    """Correct one's own parked edit; return the id of the edit that does it."""
    return phone.edit("repair", "parked", parked.rec, corrections)


def discard(phone: Phone, parked: Row) -> str:
    """Lay one's own parked edit aside; return the id of the edit that does it."""
    return phone.edit("discard", "parked", parked.rec, {})


def resolve(phone: Phone, conflict: Row, choice: str) -> str:
    """Choose between the two values of a conflict, or undo that; return the id of the edit.

    The version of the record that this phone shows goes with it: what is newer than that was not
    meant to be written over.

    Raises:
        WrongChoice: it has been settled, or there is nothing to undo.
    """
    if (conflict.values["state"] == "resolved") != (choice == "undo"):
        raise WrongChoice(conflict.values["state"])
    record = phone.replica.row(conflict.values["kind"], conflict.values["record"])
    seen = {"seen": record.rv} if record and record.rv else {}
    return phone.edit("resolve", "conflict", conflict.rec, {"choice": choice, **seen})
