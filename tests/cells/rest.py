"""The doors of the office, each with the one action that it serves and what it says to whom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.identifiers import new_id
from tests.app.core.county import household, incident
from tests.app.households.answers import agreed, contact_fields
from tests.app.notices.bulletin import notice
from tests.app.photos.camera import facts, picture
from tests.cells import oracle as o
from tests.cells.oracle import Question
from tests.cells.world import GRID_OF, NOBODYS, SECRET, WORKER_OF, World

AS_ALIVE = "as alive"
Body = Callable[["Call"], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request about one thing."""

    world: World
    role: str
    relation: str
    thing: Any


@dataclass(frozen=True, slots=True)
class Door:
    """One route as a door of one action.

    Attributes:
        sort: what sort of thing it is about.
        first: the action by which the thing is looked up before, with its ``owned``.
        deleted: what is said of what was deleted in scope.
        never: statuses that this door does not tell apart ("403" where it always says 404).
        visible: who is seen by this action is told apart from nobody.
        second: a cell for two persons lets one ask.
        sums: sums are enough, whose cells are never 403.
        guard: the action of the route, where the act itself needs another.
        reasoned: a reason is given.
        without: relations in which no such thing can stand.
    """

    action: str
    method: str
    path: str
    sort: str
    body: Body | None = None
    owned: bool = False
    first: tuple[str, bool] | None = None
    deleted: str = o.NOTHING
    forbids: bool = True
    second: bool = False
    sums: bool = False
    guard: str = ""
    is_area: bool = False
    visible: str = ""
    seen_version: bool = False
    reasoned: bool = False
    without: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """Return the name of the door."""
        return f"{self.method} {self.path}"

    def expected(self, role: str, relation: str) -> str:
        """Return what the table demands of this door."""
        if o.table()[self.guard or self.action, role][0] == "-":
            return o.FORBIDDEN
        if self.first:
            before = self._said(self.first[0], role, relation, owned=self.first[1])
            if before not in (o.SEEN, o.MASKED):
                return before
        return self._said(self.action, role, relation, owned=self.owned)

    def _said(self, action: str, role: str, relation: str, *, owned: bool) -> str:
        question = Question(action, role, relation, owned, self.is_area)
        if relation == o.ABSENT or (relation == o.DELETED and self.deleted == o.NOTHING):
            return o.NOTHING
        said = o.decision(question)
        if self.sums:
            said = o.SEEN if o.covers(question) else o.NOTHING
        if said == o.NOTHING and self.visible and o.covers(replace(question, action=self.visible)):
            said = o.FORBIDDEN
        if said == o.FORBIDDEN and not self.forbids:
            return o.NOTHING
        passes = (said == o.SECOND and self.second) or (said == o.REASON and self.reasoned)
        if passes:
            return o.SEEN
        return o.FORBIDDEN if said in (o.SECOND, o.REASON) else said


def _said(**fields: Any) -> Body:
    return lambda call: fields


def _home(call: Call) -> Any:
    return call.world.thing("household", call.relation, call.role)


def _move(state: str, **more: Any) -> Body:
    return _said(state=state, **more)


READ = (
    Door("household.read", "GET", "/households/{}", "household"),
    Door("resident.read", "GET", "/service-persons/{}", "service_person"),
    Door("resident_sensitive.read", "GET", "/service-persons/{}/care", "service_person"),
    Door("task.read", "GET", "/tasks/{}", "task", owned=True),
    Door("incident.read", "GET", "/incidents/{}", "incident", owned=True),
    Door("incident.list", "GET", "/incidents/{}/duplicates", "incident",
         first=("incident.read", True)),
    Door("notice.read", "GET", "/notices/{}", "notice", forbids=False),
    Door("notice.receipts", "GET", "/notices/{}/receipts", "notice", forbids=False),
    Door("notice.receipts", "GET", "/notices/{}/progress", "notice", forbids=False),
    Door("photo.read_meta", "GET", "/photos/{}", "photo", owned=True),
    Door("photo.read_thumb", "GET", "/photos/{}/pictures/thumb", "photo", owned=True),
    Door("photo.read_original", "GET", "/photos/{}/original", "photo", owned=True),
    Door("consent.read", "GET", "/households/{}/questions", "household"),
    Door("org_unit.read", "GET", "/areas/{}", "area", is_area=True, without=(o.DELETED,)),
    Door("user.read", "GET", "/users/{}", "user", owned=True, is_area=True),
    Door("parking.list", "GET", "/parked-edits/{}", "parked", owned=True),
    Door("stats.read", "GET", "/numbers?area={}", "area", sums=True, is_area=True,
         without=(o.DELETED,)),
    *(Door(action, "GET", f"/records/{kind}/{{}}/history", kind, owned=owned, deleted=AS_ALIVE)
      for kind, action, owned in (
          ("household", "household.read", False), ("contact", "resident.read", False),
          ("service_person", "resident.read", False), ("consent", "consent.read", False),
          ("visit", "visit.list", True), ("incident", "incident.read", True),
          ("task", "task.read", True), ("photo", "photo.list", True),
      )),
    Door("notice.read", "GET", "/records/notice/{}/history", "notice", owned=True),
)  # fmt: skip
ADDRESSES = tuple(
    Door(action, "POST", "/photos/{}/addresses", "photo", _said(variant=variant), owned=True,
         guard="photo.read_meta")
    for variant, action in (("thumb", "photo.read_thumb"), ("view", "photo.read_thumb"),
                            ("original", "photo.read_original"))
)  # fmt: skip
CREATE = (
    Door("household.create", "POST", "/households", "grid",
         lambda call: household(grid=call.thing)),
    Door("resident.create", "POST", "/contacts", "household",
         lambda call: contact_fields(call.thing)),
    Door("resident.create", "POST", "/service-persons", "household",
         lambda call: {"household": call.thing, "display_name": SECRET, "services": ["errands"]}),
    Door("consent.create", "POST", "/consents", "household",
         lambda call: agreed(call.thing, "contact", new_id())),
    Door("visit.create", "POST", "/visits", "household",
         lambda call: {"household": call.thing, "outcome": "met", "note": SECRET}),
    Door("incident.create", "POST", "/incidents", "grid", lambda call: {
        name: value for name, value in incident(grid=call.thing).items()
        if name not in ("state", "round")}),
    Door("task.create", "POST", "/tasks", "grid", lambda call: {
        "grid": call.thing, "task_kind": "visit", "title": SECRET,
        "assignee": call.world.county.ids[WORKER_OF.get(call.relation, "gw")]}),
    Door("notice.create", "POST", "/notices", "grid", lambda call: notice(areas=[call.thing])),
    Door("upload.create", "POST", "/photos", "incident", lambda call: facts(
        picture(1), incident=call.thing)),
    Door("user.create", "POST", "/users", "area", lambda call: {
        "name": "新来的", "post": {"role": "gw", "area_id": call.thing}}, is_area=True,
         without=(o.ANCESTOR, o.DELETED)),
    Door("assignment.create", "POST", "/users/{newcomer}/posts", "area",
         lambda call: {"role": "gw", "area_id": call.thing}, is_area=True,
         without=(o.ANCESTOR, o.DELETED)),
    Door("export.create", "POST", "/exports", "area", lambda call: {
        "layer": "incidents", "format": "csv", "area": call.thing}, second=True, is_area=True,
         without=(o.DELETED,)),
)  # fmt: skip
CHANGE = (
    Door("resident_sensitive.read", "POST", "/service-persons/{}/care/reveal", "service_person",
         _said(reason="he fell in the yard"), reasoned=True),
    Door("household.update", "PATCH", "/households/{}", "household", _said(building="8"),
         first=("household.read", False), seen_version=True),
    Door("household.transfer", "POST", "/households/{}/transfer", "household",
         _said(grid=NOBODYS)),
    Door("household.update", "POST", "/households/{}/acts", "household",
         _said(verb="correct", changes={"building": "8"}), deleted=AS_ALIVE),
    Door("resident.update", "PATCH", "/service-persons/{}", "service_person",
         _said(display_name=SECRET), first=("resident.read", False), seen_version=True),
    Door("consent.withdraw", "POST", "/consents/{}/withdraw", "asked"),
    Door("visit.update", "PATCH", "/visits/{}", "visit", _said(note=SECRET), owned=True,
         first=("visit.list", False), seen_version=True),
    Door("task.update", "PATCH", "/tasks/{}", "task", _said(title=SECRET), owned=True,
         first=("task.read", True), seen_version=True),
    *(Door(action, "POST", "/tasks/{}/moves", "task", _move(state, **more), owned=True,
           first=("task.read", True), guard="task.read")
      for state, action, more in (
          ("accepted", "task.accept", {}), ("started", "task.start", {}),
          ("done", "task.report", {"report_text": "已完成"}), ("verified", "task.verify", {}),
          ("returned", "task.return", {"reason": "再看看"}),
          ("cancelled", "task.cancel", {"reason": "不用了"}),
      )),
    Door("incident.update", "PATCH", "/incidents/{}", "incident", _said(text=SECRET), owned=True,
         first=("incident.read", True), seen_version=True),
    *(Door(action, "POST", "/incidents/{}/moves", "incident", _move(state, **more), owned=True,
           first=("incident.read", True), guard="incident.read")
      for state, action, more in (
          ("verified", "incident.assign", {}), ("claimed", "incident.resolve", {}),
          ("followed_up", "incident.close", {"score_service": 5, "score_result": 5}),
      )),
    Door("photo.delete", "PUT", "/photos/{}/redactions", "photo",
         _said(parts=[[900, 900, 900, 900]]), owned=True),
    Door("notice.update", "PATCH", "/notices/{}", "notice", _said(title=SECRET), owned=True,
         first=("notice.read", True), seen_version=True),
    Door("notice.withdraw", "POST", "/notices/{}/withdrawal", "notice", _said(reason="已过"),
         first=("notice.read", True)),
    Door("conflict.resolve", "POST", "/conflicts/{}/resolution", "conflict",
         _said(choice="keep")),
    Door("parking.release", "POST", "/parked-edits/{}/repair", "parked",
         _said(set={"category": "9998"})),
)  # fmt: skip
PEOPLE = (
    Door("device.issue_code", "POST", "/users/{}/enrolment-codes", "leaver", is_area=True,
         visible="user.read"),
    Door("session.revoke", "DELETE", "/users/{}/sessions", "leaver", is_area=True,
         visible="user.read"),
    Door("device.wipe", "POST", "/devices/{}/wipe", "device", _said(drain=False), is_area=True,
         visible="user.read"),
    Door("device.revoke", "DELETE", "/devices/{}", "device", is_area=True,
         visible="user.read"),
    Door("assignment.delete", "DELETE", "/posts/{}", "post", is_area=True),
    Door("user.dismiss", "POST", "/users/{}/dismissal", "leaver", is_area=True,
         visible="user.read"),
)  # fmt: skip
ALL = (*READ, *ADDRESSES, *CREATE, *CHANGE, *PEOPLE)
__all__ = ["ADDRESSES", "ALL", "GRID_OF", "READ", "Call", "Door", "Mapping"]
