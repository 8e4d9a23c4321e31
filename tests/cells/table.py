"""The table itself and the guards of all routes: every action, role and relation at least once."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from app.core import policy
from app.core.actor import Actor, Post
from app.core.policy import Answer
from app.core.web import PUBLIC
from tests.app.identity.town import AREAS, CITY, COUNTY, GRID, PEOPLE, TOWNSHIP, VILLAGE
from tests.cells import oracle as o
from tests.cells.oracle import Question
from tests.cells.run import Cells
from tests.cells.world import MORE_AREAS

AT_MS = 1_000
PATHS = {area[0]: area[3] for area in (*AREAS, *MORE_AREAS)}
PATH_OF = {
    o.OWN: GRID, o.SAME_GRID: GRID, o.OTHER_GRID: 11, o.OTHER_VILLAGE: 12, o.OTHER_TOWNSHIP: 13,
    o.OTHER_COUNTY: 15, o.OTHER_CITY: 24, o.MOVED: 12, o.DELETED: GRID,
}  # fmt: skip
TWIN_PATH = "1.2.4.7.100."
"""A grid whose path begins as that of grid 10 does, but for the dot."""
ABOVE = {GRID: VILLAGE, VILLAGE: TOWNSHIP, TOWNSHIP: COUNTY, COUNTY: CITY}
SAID = {
    Answer.YES: o.SEEN, Answer.MASKED: o.MASKED, Answer.SECOND_PERSON: o.SECOND,
    Answer.REASON: o.REASON, Answer.NO: o.FORBIDDEN, Answer.ABSENT: o.NOTHING,
}  # fmt: skip


def actor_of(role: str) -> Actor:
    """Return somebody with the one post of a role."""
    area = PEOPLE[role][1]
    return Actor(1, (Post(role, area, PATHS[area], "", 0),))


def ask_table(cells: Cells) -> None:
    """Ask the reading of the application for every cell, as of one thing and as of a list."""
    for role in o.ROLES:
        actor = actor_of(role)
        for action in o.actions():
            reach = policy.reach(actor, action, AT_MS)
            for relation, path in _places(role):
                own = relation == o.OWN
                question = Question(action, role, relation, owned=True, is_area=True)
                said = policy.decide(actor, action, path=path, own=own, at_ms=AT_MS).answer
                expected = o.decision(question) if relation != o.ABSENT else _of_nobody(question)
                cells.cell("table:decide", action, role, relation, expected=expected,
                           found=SAID[said])  # fmt: skip
                listed = path is not None and (
                    reach.everything or any(path.startswith(one) for one in reach.paths)
                )
                wanted = _listed(question) if path is not None else listed
                cells.cell("table:reach", action, role, relation, expected=str(wanted),
                           found=str(bool(listed or (own and reach.own))))  # fmt: skip


def _places(role: str) -> Iterator[tuple[str, str | None]]:
    for relation in o.RELATIONS:
        yield relation, _path(role, relation)
    yield o.OTHER_GRID, TWIN_PATH


def _path(role: str, relation: str) -> str | None:
    if relation == o.ANCESTOR:
        above = ABOVE.get(PEOPLE[role][1])
        return PATHS[above] if above else None
    return PATHS[PATH_OF[relation]] if relation in PATH_OF else None


def _of_nobody(question: Question) -> str:
    """Return what is said of what lies nowhere: whoever may act everywhere is asked no further."""
    cell = o.table()[question.action, question.role]
    if cell[0] != "A" or cell[1:] == "s":
        return o.NOTHING
    return {"": o.SEEN, "m": o.MASKED, "r": o.REASON, "2": o.SECOND}[cell[1:]]


def _listed(question: Question) -> bool:
    suffix = o.table()[question.action, question.role][1:]
    return o.covers(question) and suffix in ("", "m")


def ask_guards(cells: Cells) -> None:
    """Knock at every guarded route in every role and without a token, about nothing that is."""
    for action, method, path in routes(cells):
        for role in o.ROLES:
            reply = cells.world.county.client.open(
                path, method=method, headers=cells.world.county.headers[role]
            )
            said = reply.get_json() if reply.status_code == 403 else {}
            no = (said.get("code"), said.get("action")) == ("not_allowed", action)
            denied = o.table()[action, role][0] == "-"
            expected = o.FORBIDDEN if denied else "let in"
            found = o.FORBIDDEN if denied and no else _let_in(reply.status_code)
            cells.cell(f"guard:{method} {path}", action, role, o.ABSENT,
                       expected=expected, found=found)  # fmt: skip
        nobody = cells.world.county.client.open(path, method=method)
        cells.cell(f"guard:{method} {path}", action, "nobody", o.ABSENT, expected="401",
                   found=str(nobody.status_code))  # fmt: skip


def _let_in(status: int) -> str:
    """Tell whether the guard let somebody in, whatever was behind it."""
    return str(status) if status == 401 or status >= 500 else "let in"


def routes(cells: Cells) -> Iterator[tuple[str, str, str]]:
    """Yield (action, method, path) of every guarded route, with ids that nobody bears."""
    app = cells.world.county.app
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        action = getattr(app.view_functions[rule.endpoint], "action", PUBLIC)
        if action == PUBLIC:
            continue
        values = {name: _nobodys(name, rule) for name in rule.arguments}
        path = adapter.build(rule.endpoint, values)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield action, method, path


def _nobodys(name: str, rule: Any) -> Any:
    converter = rule._converters[name]
    kind = type(converter).__name__
    if kind == "UUIDConverter":
        return uuid4()
    return 2100 if name == "year" else 999_999 if kind == "IntegerConverter" else "none"
