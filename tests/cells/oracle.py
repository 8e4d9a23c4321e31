"""What the authorisation table demands, read independently of the application.

This reading shares no line with ``app.core.policy``. It knows no paths: for each relation of a
thing to whoever asks, it knows the narrowest letter that covers it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parents[2] / "data" / "authorization.tsv"
ROLES = ("gw", "vl", "ts", "cm", "au", "da")
OWN, SAME_GRID, OTHER_GRID, OTHER_VILLAGE = "own", "same grid", "other grid", "other village"
OTHER_TOWNSHIP, OTHER_COUNTY, OTHER_CITY = "other township", "other county", "other city"
ANCESTOR, MOVED, DELETED, ABSENT = "ancestor", "moved away", "deleted", "absent"
RELATIONS = (
    OWN, SAME_GRID, OTHER_GRID, OTHER_VILLAGE, OTHER_TOWNSHIP, OTHER_COUNTY, OTHER_CITY,
    ANCESTOR, MOVED, DELETED, ABSENT,
)  # fmt: skip
_NEEDS = {
    OWN: "o", SAME_GRID: "g", OTHER_GRID: "v", OTHER_VILLAGE: "t", OTHER_TOWNSHIP: "c",
    OTHER_COUNTY: "A", OTHER_CITY: "A", MOVED: "t", ANCESTOR: "A", DELETED: "g",
}  # fmt: skip
"""The narrowest letter that covers a relation; what moved away lies in another village now."""
_BELOW = {
    "gw": {OWN, SAME_GRID, DELETED}, "vl": {OTHER_GRID}, "ts": {OTHER_VILLAGE, MOVED},
    "cm": {OTHER_TOWNSHIP}, "au": {OTHER_COUNTY}, "da": set(),
}  # fmt: skip
"""What lies below the post of a role besides what lies below that of the one before it."""
SEEN, MASKED, FORBIDDEN, NOTHING = "seen", "masked", "403", "404"
SECOND, REASON = "second_person_required", "reason_required"


@dataclass(frozen=True, slots=True)
class Question:
    """May this role do this action with a thing that stands in this relation to him?

    Attributes:
        owned: things of this sort belong to somebody, so that ``own`` is more than where it lies.
        is_area: the thing is an area or a person placed by it: a village is its grids' ancestor.
    """

    action: str
    role: str
    relation: str
    owned: bool = False
    is_area: bool = False


@cache
def table() -> Mapping[tuple[str, str], str]:
    """Return the cells by (action, role)."""
    cells = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") and line.strip():
            action, *row = line.split("\t")
            cells |= {(action, role): row[at] for at, role in enumerate(ROLES)}
    return cells


def actions() -> Iterator[str]:
    """Yield all actions."""
    yield from dict.fromkeys(action for action, _ in table())


def is_below(role: str, relation: str) -> bool:
    """Tell whether what stands in this relation lies in the area that the role serves."""
    upto = ROLES.index("au" if role == "da" else role) + 1
    return any(relation in _BELOW[one] for one in ROLES[:upto])


def covers(question: Question) -> bool:
    """Tell whether the letter of the cell reaches the thing."""
    letter = table()[question.action, question.role][0]
    if letter == "-" or question.relation == ABSENT:
        return False
    needed = _NEEDS[question.relation]
    if question.relation == OWN and not question.owned:
        needed = "g"
    if question.relation == ANCESTOR and question.is_area and question.role == "gw":
        needed = "v"
    return "ogvtcA".index(letter) >= "ogvtcA".index(needed)


def decision(question: Question) -> str:
    """Return what the table says to one act upon one thing that is there."""
    suffix = table()[question.action, question.role][1:]
    if covers(question) and suffix != "s":
        return {"": SEEN, "m": MASKED, "r": REASON, "2": SECOND}[suffix]
    owner = question.relation == OWN and question.owned
    return FORBIDDEN if owner or is_below(question.role, question.relation) else NOTHING


def at_a_door(question: Question, *, deleted: str = NOTHING) -> str:
    """Return what a door says to whoever acts upon one thing: first the guard, then the thing.

    Args:
        deleted: what is said of a deleted thing in scope; what is out of scope is never there.
    """
    if table()[question.action, question.role][0] == "-":
        return FORBIDDEN
    if question.relation == ABSENT:
        return NOTHING
    said = decision(question)
    if question.relation == DELETED and deleted == NOTHING:
        return NOTHING
    return FORBIDDEN if said in (SECOND, REASON) else said


def in_a_list(question: Question) -> str:
    """Return how a list shows one thing: whole, masked, not at all; or that there is no list."""
    letter, suffix = table()[question.action, question.role][0], table()[
        question.action, question.role][1:]  # fmt: skip
    if letter == "-" or suffix in ("s", "r", "2"):
        return FORBIDDEN
    if question.relation in (DELETED, ABSENT) or not covers(question):
        return NOTHING
    return MASKED if suffix == "m" else SEEN
