"""The doors of phones: edits that are pushed, rows that are pulled, copies, conflicts, parking."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.identifiers import new_id
from app.core.records import P2, P3, declared_of
from app.households.rules import AGE_BANDS
from tests.app.core.county import SyncPhone, household, incident
from tests.app.households.answers import agreed, contact_fields
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID
from tests.app.notices.bulletin import notice
from tests.app.photos.camera import facts, picture
from tests.cells import oracle as o
from tests.cells.oracle import Question
from tests.cells.rest import AS_ALIVE
from tests.cells.run import Cells
from tests.cells.world import GRID_OF, KINDS, SECRET, SENTINEL, WORKER_OF, World

PHONE_ROLES = ("gw", "vl", "ts")
SEEN_BASE = 99
EDITS_MAX = 90
NO = {"not_allowed": o.FORBIDDEN, "second_person_required": o.FORBIDDEN,
      "reason_required": o.FORBIDDEN, "unknown_record": o.NOTHING, "out_of_scope": o.NOTHING,
      "not_parked": o.NOTHING}  # fmt: skip
Say = Callable[[World, str, Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of edit.

    Attributes:
        new: it makes a record; then ``sort`` is what it names.
        moves: it also touches another grid, to which the thing would go.
        deleted: what is said of what was deleted in scope.
        owner_acts: of one's own the right of sending is enough.
    """

    action: str
    op: str
    kind: str
    sort: str
    say: Say
    owned: bool = False
    new: bool = False
    moves: bool = False
    deleted: str = AS_ALIVE
    owner_acts: bool = False

    @property
    def name(self) -> str:
        """Return the name of the door."""
        return f"edit:{self.op} {self.kind} {self.action}"

    def expected(self, role: str, relation: str) -> str:
        """Return what the table demands of this edit."""
        if relation == o.ABSENT or (relation == o.DELETED and self.deleted == o.NOTHING):
            return o.NOTHING
        question = Question(self.action, role, relation, self.owned)
        if self.owner_acts and relation == o.OWN and role == "gw":
            return o.SEEN
        answers = [o.decision(question)]
        if self.moves:
            answers.append(o.decision(replace(question, relation=_there(relation))))
        order = (o.SEEN, o.SECOND, o.REASON, o.FORBIDDEN, o.NOTHING)
        weakest = max(answers, key=order.index)
        return o.FORBIDDEN if weakest in (o.SECOND, o.REASON) else weakest


def _there(relation: str) -> str:
    """Return in which relation the grid stands to which things are moved."""
    return o.SAME_GRID if relation == o.OTHER_GRID else o.OTHER_GRID


def _fixed(**fields: Any) -> Say:
    return lambda world, relation, thing: fields


def _to(relation: str) -> int:
    return GRID if _there(relation) == o.SAME_GRID else SAME_VILLAGE_GRID


def _state(state: str, **more: Any) -> Say:
    return _fixed(state=state, round=0, **more)


SHAPES = (
    Shape("household.create", "create", "household", "grid",
          lambda w, r, t: household(grid=t), new=True),
    Shape("household.update", "update", "household", "household", _fixed(
        address_text=f"{SECRET}路", building="7", unit_room="1")),
    # The sum is wrong, so that whoever has the right moves nothing.
    Shape("household.transfer", "update", "household", "household", lambda w, r, t: {
        "grid": _to(r), "residents_count": 1, **dict.fromkeys(AGE_BANDS, 5)}, moves=True),
    Shape("household.delete", "delete", "household", "household", _fixed()),
    Shape("resident.create", "create", "contact", "household",
          lambda w, r, t: contact_fields(t), new=True,
          deleted=o.NOTHING),
    Shape("resident.create", "create", "service_person", "household", lambda w, r, t: {
        "household": t, "display_name": SECRET, "services": ["errands"]}, new=True,
          deleted=o.NOTHING),
    Shape("resident.update", "update", "contact", "contact", _fixed(relation="self")),
    Shape("resident.update", "update", "service_person", "service_person",
          _fixed(display_name=SECRET)),
    Shape("resident.delete", "delete", "service_person", "service_person", _fixed()),
    Shape("resident_sensitive.update", "update", "service_person", "service_person",
          _fixed(power_dependent=True)),
    Shape("consent.create", "create", "consent", "household",
          lambda w, r, t: agreed(t, "contact", new_id()), new=True,
          deleted=o.NOTHING),
    Shape("consent.withdraw", "update", "consent", "asked", _fixed(state="withdrawn")),
    Shape("visit.create", "create", "visit", "household",
          lambda w, r, t: {"household": t, "outcome": "met", "note": SECRET}, new=True,
          deleted=o.NOTHING),
    Shape("visit.update", "update", "visit", "visit", _fixed(note=SECRET), owned=True),
    Shape("task.create", "create", "task", "grid", lambda w, r, t: {
        "grid": t, "task_kind": "visit", "title": SECRET, "state": "assigned", "round": 0,
        "assignee": w.county.ids[WORKER_OF.get(r, "gw")]}, new=True),
    Shape("task.update", "update", "task", "task", _fixed(title=SECRET), owned=True),
    Shape("task.assign", "update", "task", "task", lambda w, r, t: {
        "assignee": w.county.ids["peer" if r == o.OWN else WORKER_OF.get(r, "gw")]}, owned=True),
    Shape("task.accept", "update", "task", "task", _state("accepted"), owned=True),
    Shape("task.start", "update", "task", "task", _state("started"), owned=True),
    Shape("task.report", "update", "task", "task", _fixed(report_count=1), owned=True),
    Shape("task.verify", "update", "task", "task", _state("verified"), owned=True),
    Shape("task.return", "update", "task", "task", _state("returned", return_reason="再看看"),
          owned=True),
    Shape("task.cancel", "update", "task", "task", _state("cancelled", cancel_reason="不用了"),
          owned=True),
    Shape("incident.create", "create", "incident", "grid",
          lambda w, r, t: incident(grid=t, text=SECRET), new=True),
    Shape("incident.update", "update", "incident", "incident", _fixed(text=SECRET), owned=True),
    Shape("incident.assign", "update", "incident", "incident", _state("verified"), owned=True),
    Shape("incident.resolve", "update", "incident", "incident", _state("claimed"), owned=True),
    Shape("incident.close", "update", "incident", "incident", _state("followed_up"), owned=True),
    Shape("incident.delete", "delete", "incident", "incident", _fixed(), owned=True),
    Shape("upload.create", "create", "photo", "incident",
          lambda w, r, t: facts(picture(2), incident=t), new=True,
          deleted=o.NOTHING),
    Shape("photo.delete", "update", "photo", "photo",
          _fixed(redactions=[[900, 900, 900, 900]]), owned=True),
    Shape("notice.create", "create", "notice", "grid",
          lambda w, r, t: notice(areas=[t]), new=True),
    Shape("notice.withdraw", "update", "notice", "notice", _fixed(withdraw_reason="已过")),
    Shape("conflict.resolve", "resolve", "conflict", "conflict", _fixed(choice="keep"),
          owned=True),
    Shape("parking.release", "repair", "parked", "parked", _fixed(category="9998"),
          owner_acts=True),
)  # fmt: skip


def ask_edits(cells: Cells) -> None:
    """Push every shape of edit from the phone of every role that serves with one."""
    for role in PHONE_ROLES:
        phone, asked = cells.world.county.phone(role), []
        for shape in SHAPES:
            for relation in o.RELATIONS:
                thing = cells.world.thing(shape.sort, relation, role)
                if thing is not None:
                    asked.append(
                        (shape, relation, _edit(cells.world, phone, shape, relation, thing))
                    )
        for start in range(0, len(asked), EDITS_MAX):
            some = asked[start : start + EDITS_MAX]
            receipts = phone.push(*(edit for _, _, edit in some))
            for (shape, relation, _), receipt in zip(some, receipts, strict=True):
                expected, found = shape.expected(role, relation), _found(receipt)
                cells.cell(shape.name, shape.action, role, relation, expected=expected, found=found)


def _edit(
    world: World, phone: SyncPhone, shape: Shape, relation: str, thing: Any
) -> dict[str, Any]:
    said = dict(shape.say(world, relation, thing))
    more: dict[str, Any] = {"set": said} if said else {}
    if shape.kind == "contact":
        more["schema"] = 2
    if shape.new:
        return phone.edit("create", shape.kind, **more)
    base = {} if shape.op in ("resolve", "repair") else {"base": SEEN_BASE}
    return phone.edit(shape.op, shape.kind, str(thing), **base, **more)


def _found(receipt: Mapping[str, Any]) -> str:
    if receipt.get("errors"):
        return o.SEEN
    if receipt["status"] in ("noop", "conflict") and receipt.get("lost"):
        return o.FORBIDDEN  # what a worker proposes to the office is kept, and nothing of it stands
    return NO.get(str(receipt.get("code")), o.SEEN)


LISTED_BY = {
    "household": "household.list", "contact": "resident.list", "service_person": "resident.list",
    "visit": "visit.list", "consent": "consent.read", "incident": "incident.list",
    "photo": "photo.list", "task": "task.list",
}  # fmt: skip


def ask_pulls(cells: Cells) -> None:
    """Pull all that the phone of each role may have, and look for every thing."""
    for role in PHONE_ROLES:
        items = {(one["t"], one["id"]): one.get("f")
                 for one in cells.world.county.phone(role).pull()}  # fmt: skip
        for sort in (*KINDS, "conflict", "parked"):
            for relation in o.RELATIONS:
                thing = cells.world.thing(sort, relation, role)
                if thing is not None:
                    shown = items.get((sort, thing))
                    _pulled(cells, role, sort, relation, shown)


def _pulled(cells: Cells, role: str, sort: str, relation: str, shown: Any) -> None:
    covered = o.in_a_list(Question("sync.pull", role, relation))
    cells.cell("pull:presence", "sync.pull", role, relation, expected=covered,
               found=o.NOTHING if shown is None else o.SEEN)  # fmt: skip
    if shown is None or sort not in SENTINEL:
        return
    action = LISTED_BY[sort]
    model = cells.world.county.app.extensions["wangge_engine"].tables[sort].model
    hidden = o.table()[action, role][1:] == "m" and declared_of(model)[
        SENTINEL[sort]].privacy in (P2, P3)  # fmt: skip
    cells.cell("pull:mask", action, role, relation, expected=o.MASKED if hidden else o.SEEN,
               found=o.SEEN if SECRET in str(shown[SENTINEL[sort]]) else o.MASKED)  # fmt: skip


def ask_copies(cells: Cells) -> None:
    """Ask for a ready-made copy of each grid."""
    for role in o.ROLES:
        who = cells.world.county.phone(role).who if role in PHONE_ROLES else role
        for relation, grid in GRID_OF.items():
            if relation in (o.MOVED, o.DELETED):
                continue
            reply = cells.world.county.ask(who, "GET", f"/sync/snapshot/grid:{grid}")
            expected = o.in_a_list(Question("sync.snapshot", role, relation))
            found = o.SEEN if reply.status_code == 200 else str(reply.status_code)
            cells.cell("snapshot:grid", "sync.snapshot", role, relation,
                       expected=expected, found=found)  # fmt: skip
