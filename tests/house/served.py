"""Which actions of the authorisation table are asked somewhere, and why the others are not.

The one list of actions without a door is here. An entry that has become untrue fails the build, so
whoever opens the door takes it out.
"""

import ast
from collections.abc import Iterator

from flask import Flask

from app.core import policy
from app.core.engine import Engine
from app.core.web import PUBLIC
from app.incidents.moves import moves
from app.tasks.rules import HOUSE, TABLE
from sync.clock import ActTime
from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.gate import Work
from tests.house.tree import modules

OPS = ("create", "update", "delete", "event")
WITHOUT_A_DOOR = {
    "user.update": "nothing of a person can be changed but posts; a name is written once",
    "user.suspend": "whoever must stop is signed out (session.revoke) or let go (user.dismiss)",
    "assignment.list": "posts are shown with the person who holds them (user.read)",
    "device.enrol": "a phone has no session before: the one-time code is its right (public)",
    "incident.escalate": "escalation is by the clock, and by asking for another level",
    "incident.reopen": "the steps of a case reopen it by incident.resolve, as its table says",
    "comment.list": "there are no comments: what is said of a case is said with its steps",
    "comment.create": "there are no comments: what is said of a case is said with its steps",
    "backup.run": "backups are run on the server, by whoever may log in there",
}


def by_routes(app: Flask) -> set[str]:
    """Return the actions that guard a route."""
    found = {getattr(view, "action", PUBLIC) for view in app.view_functions.values()}
    return found - {PUBLIC}


def edits(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, op, action) for every shape of edit that the engine takes."""
    engine: Engine = app.extensions["wangge_engine"]
    act = ActTime(0, anchored=True, suspect=False)
    for name, its_policy in engine.policies.items():
        kind = engine.kinds.by_name[name]
        states = tuple(kind.workflow.ranks) if kind.workflow else ()
        befores = [{"state": state, "grid": 1} for state in states] or [{"grid": 1}]
        values = [{}, *({"state": state} for state in states), *({f.name: 2} for f in kind.fields)]
        for before in befores:
            record = Record(name, "r", 1, before, {BASE_UNIT: Mark(1, 0, "d", "e")})
            for op in OPS:
                for one in values:
                    work = Work(Edit(1, "e", op, name, "r", set=one), kind, record, act)
                    yield name, op, its_policy.action(work, one)


def by_edits(app: Flask) -> set[str]:
    """Return the actions that some edit needs; conflicts and parked edits are the gate's own."""
    steps = {move.action for move in moves()} | {move.action for move in TABLE} - {HOUSE}
    return {action for _, _, action in edits(app)} | steps


def by_name() -> set[str]:
    """Return the actions that the code of the application names anywhere."""
    return {
        node.value
        for _, module in modules("app")
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
        if policy.knows(node.value)
    }
