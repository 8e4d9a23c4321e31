"""Bugs planted in the faces, each of which the scenarios of the clients must catch."""

from collections.abc import Callable, Iterator

import pytest

from tests.faces import test_faces_clients as scenarios
from tests.faces import test_faces_removals as removals
from tests.faces.broken_server import SABOTAGES
from tests.faces.clients import Stage, open_node
from tests.prove.ground import Ground, open_ground
from tests.prove.server import Server

Scenario = Callable[[Stage], None]
CAUGHT_BY: list[tuple[str, str, Scenario]] = [
    ("whole_rows", "watermelon", scenarios.test_a_change_between_pull_and_push_is_merged),
    ("as_created", "watermelon", removals.test_a_fresh_row_deleted_at_once_stays_deleted),
    ("cursor_by_time", "watermelon",
     scenarios.test_what_was_under_way_at_a_pull_arrives_with_the_next),
    ("cursor_by_time", "rxdb", scenarios.test_what_was_under_way_at_a_pull_arrives_with_the_next),
    ("random_ids", "watermelon", scenarios.test_a_lost_reply_doubles_nothing),
    ("random_ids", "rxdb", scenarios.test_a_lost_reply_doubles_nothing),
    ("removals_at_once", "watermelon",
     removals.test_work_held_at_a_revocation_is_parked_and_the_rows_leave),
    ("base_is_now", "watermelon", scenarios.test_the_same_column_changed_by_two_keeps_both_values),
    ("refusals_in_silence", "rxdb", scenarios.test_a_refused_row_beside_good_ones_stops_nothing),
    ("refusals_in_silence", "watermelon",
     scenarios.test_a_refused_row_beside_good_ones_stops_nothing),
    ("masks_go_back", "rxdb", removals.test_a_mask_is_never_written_back),
    ("nothing_again", "watermelon",
     scenarios.test_a_lost_reply_does_not_fight_what_came_after_it),
]  # fmt: skip


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """Return a county on PostgreSQL, where one push can be under way while another commits."""
    with open_ground("postgresql") as ground:
        yield ground


@pytest.mark.parametrize(("sabotage", "client", "scenario"), CAUGHT_BY)
def test_a_planted_bug_is_caught(
    ground: Ground, sabotage: str, client: str, scenario: Scenario
) -> None:
    planted = {**ground.environment, "FACES_SABOTAGE": sabotage}
    server = Server(planted, "tests.faces.broken_server:app")
    server.start()
    try:
        with open_node(client) as node, pytest.raises((AssertionError, ValueError)):
            scenario(Stage(ground, server, node))
    finally:
        server.stop()


def test_every_planted_bug_has_a_scenario_that_catches_it() -> None:
    assert {sabotage for sabotage, _, _ in CAUGHT_BY} == set(SABOTAGES)
