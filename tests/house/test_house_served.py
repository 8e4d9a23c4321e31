"""Nothing of the authorisation table is forgotten: each action has a door, or a reason."""

from flask import Flask

from app.core import policy
from app.core.web import PUBLIC
from tests.house.served import WITHOUT_A_DOOR, by_edits, by_name, by_routes, edits


def test_every_shape_of_edit_needs_one_action_of_the_table(app: Flask) -> None:
    shapes = list(edits(app))
    assert len(shapes) > 1_000
    assert {one for one in shapes if not policy.knows(one[2])} == set()


def test_every_method_of_a_route_has_the_one_action_of_its_view(app: Flask) -> None:
    doors = {
        (rule.rule, method): getattr(app.view_functions[rule.endpoint], "action", None)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if hasattr(app.view_functions[rule.endpoint], "action")
    }
    assert len(doors) > 100
    assert all(action == PUBLIC or policy.knows(str(action)) for action in doors.values())


def test_every_action_has_a_door_or_a_reason_why_not(app: Flask) -> None:
    served = by_routes(app) | by_edits(app) | by_name()
    assert set(policy.table()) - served - WITHOUT_A_DOOR.keys() == set()


def test_a_reason_falls_when_its_door_opens(app: Flask) -> None:
    served = by_routes(app) | by_edits(app) | by_name()
    assert served & WITHOUT_A_DOOR.keys() == set()
    assert set(WITHOUT_A_DOOR) <= set(policy.table())


def test_a_door_in_the_map_is_asked_by_a_route_or_an_edit(app: Flask) -> None:
    """What the code names, a route or an edit asks."""
    assert by_name() - by_routes(app) - by_edits(app) == set()
