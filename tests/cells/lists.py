"""Lists: each is read once in each role, and answers for every relation at a time."""

from dataclasses import dataclass
from typing import Any

from app.core.records import P2, P3, declared_of
from tests.cells import oracle as o
from tests.cells.oracle import Question
from tests.cells.run import Cells
from tests.cells.world import SECRET, SENTINEL

OWN_IS_ON_THE_PHONE = frozenset({"/conflicts?state=settled"})
"""Lists by place only: a worker, who may see his own alone, has them on his phone."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One list, of REST or of the OGC interface."""

    action: str
    path: str
    sort: str
    owned: bool = False
    is_area: bool = False
    without: tuple[str, ...] = ()

    def expected(self, role: str, relation: str) -> str:
        """Return what the table demands of this list."""
        said = o.in_a_list(Question(self.action, role, relation, self.owned, self.is_area))
        if self.path in OWN_IS_ON_THE_PHONE and o.table()[self.action, role] == "o":
            return o.NOTHING
        return said


LISTS = (
    Listing("household.list", "/households", "household"),
    Listing("resident.list", "/contacts", "contact"),
    Listing("resident.list", "/service-persons", "service_person"),
    Listing("visit.list", "/visits", "visit"),
    Listing("consent.read", "/consents", "consent"),
    Listing("task.list", "/tasks", "task", owned=True),
    Listing("incident.list", "/incidents", "incident", owned=True),
    Listing("photo.list", "/photos", "photo", owned=True),
    Listing("notice.list", "/notices", "notice"),
    Listing("user.list", "/users", "user", is_area=True),
    Listing("device.list", "/devices", "device", is_area=True, without=(o.OWN,)),
    Listing("org_unit.list", "/areas", "area", is_area=True, without=(o.DELETED,)),
    Listing("parking.list", "/parked-edits", "parked", owned=True),
    Listing("conflict.list", "/conflicts?state=settled", "conflict", owned=True),
)  # fmt: skip
FEATURES = (
    Listing("household.list", "/ogc/collections/households/items", "household"),
    Listing("incident.list", "/ogc/collections/incidents/items", "incident", owned=True),
    Listing("org_unit.list", "/ogc/collections/grids/items", "grid", is_area=True),
)  # fmt: skip


def ask_lists(cells: Cells) -> None:
    """Read every list in every role, to its end."""
    for one in LISTS:
        for role in o.ROLES:
            rows = _rows(cells, role, one.path)
            for relation in o.RELATIONS:
                thing = cells.world.thing(one.sort, relation, role)
                if thing is None or relation in one.without:
                    continue
                found = o.FORBIDDEN if rows is None else _shown(cells, one, rows.get(str(thing)))
                expected = one.expected(role, relation)
                if expected == o.MASKED and not _is_masked(cells, one.sort):
                    expected = o.SEEN
                cells.cell(f"list:{one.path}", one.action, role, relation,
                           expected=expected, found=found)  # fmt: skip


def ask_features(cells: Cells) -> None:
    """Read every collection in every role, and each of its features by itself."""
    for one in FEATURES:
        for role in o.ROLES:
            rows = _features(cells, role, f"{one.path}?limit=200")
            for relation in o.RELATIONS:
                thing = cells.world.thing(one.sort, relation, role)
                if thing is None:
                    continue
                expected = one.expected(role, relation)
                expected = o.SEEN if expected == o.MASKED else expected
                listed = o.SEEN if rows is not None and str(thing) in rows else o.NOTHING
                alone = _features(cells, role, f"{one.path}/{thing}")
                for door, found in (("ogc items", o.FORBIDDEN if rows is None else listed),
                                    ("ogc item", _alone(alone))):  # fmt: skip
                    cells.cell(f"{door}:{one.path}", one.action, role, relation,
                               expected=expected, found=found)  # fmt: skip


def _alone(rows: set[str] | None) -> str:
    if rows is None:
        return o.FORBIDDEN
    return o.SEEN if rows else o.NOTHING


def _features(cells: Cells, role: str, path: str) -> set[str] | None:
    """Return the ids of features; None when the role sees none of them, or of sums only."""
    county = cells.world.county
    reply = county.client.get(path, headers=county.headers[role])
    if reply.status_code == 403:
        return None
    if reply.status_code == 404:
        return set()
    shown = reply.get_json()
    return {str(one["id"]) for one in shown.get("features", [shown])}


def _shown(cells: Cells, one: Listing, row: Any | None) -> str:
    if row is None:
        return o.NOTHING
    if not _is_masked(cells, one.sort):
        return o.SEEN
    return o.SEEN if SECRET in str(row[SENTINEL[one.sort]]) else o.MASKED


def _is_masked(cells: Cells, sort: str) -> bool:
    """Tell whether a sort of thing has a field that masks must hide."""
    if sort not in SENTINEL:
        return False
    model = cells.world.county.app.extensions["wangge_engine"].tables[sort].model
    return declared_of(model)[SENTINEL[sort]].privacy in (P2, P3)


def _rows(cells: Cells, role: str, path: str) -> dict[str, Any] | None:
    """Return the rows of a list by id, None where there is no list for this role."""
    county = cells.world.county
    if county.ask(role, "GET", path).status_code == 403:
        return None
    more = "&" if "?" in path else "?"
    pages = county.pages(role, f"{path}{more}limit=200")
    return {str(row["id"]): row for page in pages for row in page}
