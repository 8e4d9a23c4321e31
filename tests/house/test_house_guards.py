"""Every door is guarded: each route and each kind of edit maps to one action of the table."""

from flask import Flask

from app.core import policy
from app.core.engine import Engine
from app.core.web import PUBLIC
from sync.clock import ActTime
from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.gate import Work

UNGUARDED = {"docs.page", "docs.file", "api-docs.openapi_json", "health.livez", "health.readyz"}
PUBLIC_ROUTES = {
    "auth.sign_in", "auth.sign_out", "auth.refresh", "auth.enrol", "wiping.wiped",
    "privacy.read_notice",
    *(f"open311.{name}" for name in (
        "discovery", "list_services", "define_service", "make_request", "list_requests",
        "read_request", "read_token",
    )),
}  # fmt: skip


def test_every_route_has_a_guard_with_an_action_of_the_table(app: Flask) -> None:
    unguarded, unknown, public = set(), set(), set()
    for name, view in app.view_functions.items():
        action = getattr(view, "action", None)
        if action is None:
            unguarded.add(name)
        elif action == PUBLIC:
            public.add(name)
        elif not policy.knows(action):
            unknown.add((name, action))
    assert unguarded == UNGUARDED
    assert public == PUBLIC_ROUTES
    assert unknown == set()


def test_every_route_says_what_it_does(app: Flask) -> None:
    silent = [name for name, view in app.view_functions.items() if not view.__doc__]
    assert silent == []


def test_every_kind_of_edit_maps_to_an_action_of_the_table(app: Flask) -> None:
    engine: Engine = app.extensions["wangge_engine"]
    act = ActTime(0, anchored=True, suspect=False)
    for name, its_policy in engine.policies.items():
        kind = engine.kinds.by_name[name]
        record = Record(name, "r", 1, {}, {BASE_UNIT: Mark(1, 0, "d", "e")})
        states = kind.workflow.ranks if kind.workflow else {}
        values = [{}, *({"state": state} for state in states), *({f.name: 1} for f in kind.fields)]
        for op in ("create", "update", "delete", "event"):
            for one in values:
                work = Work(Edit(1, "e", op, name, "r", set=one), kind, record, act)
                assert policy.knows(its_policy.action(work, one)), (name, op, one)


def test_the_table_has_an_answer_for_every_role() -> None:
    assert len(policy.table()) == 104
    letters = {cell.letter for row in policy.table().values() for cell in row.values()}
    assert letters <= set("-ogvtcA")
