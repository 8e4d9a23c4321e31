"""Planted bugs of the hand-over over HTTP: each must make the test fail that guards against it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.core import gate, web
from app.core.ground import Ground
from app.phone.client import Phone as Client
from app.sync_api import services
from app.workflows import moving
from sync import handover, pull, replica
from sync.edits import Record
from tests.app.core.county import County
from tests.app.identity import test_identity_leaving as leaving
from tests.app.phone import test_phone_leaving as phones
from tests.app.phone.conftest import Enrolled, enrolled, network
from tests.app.workflows import test_workflows_posts as posts
from tests.app.workflows import test_workflows_regrid as regrid
from tests.app.workflows import test_workflows_transfer as transfer
from tests.app.workflows.conftest import Handed
from tests.app.workflows.street import Street

__all__ = ["enrolled", "network"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
all_goes_along = transfer.test_all_that_refers_to_it_goes_along_and_both_phones_are_exact
after_a_loss = phones.test_a_server_that_lost_what_it_had_gets_it_before_the_wipe
Plant = Callable[[pytest.MonkeyPatch], None]
Guard = Callable[..., None]


def _nothing(*_: Any, **__: Any) -> tuple[()]:
    return ()


def followers_left_behind(patch: pytest.MonkeyPatch) -> None:
    """Move a household alone."""
    patch.setattr(handover.Handover, "_following", _nothing)


def conflicts_left_in_the_old_grid(patch: pytest.MonkeyPatch) -> None:
    """Leave conflicts and parked edits to the people that the record has left."""
    patch.setattr(handover.Handover, "_carry", lambda *_: None)


def authority_judged_at_the_push(patch: pytest.MonkeyPatch) -> None:
    """Ask who is in charge when the edit arrives."""
    right = gate.PolicyGate._decide

    def wrong(self: Any, work: Any, values: Any, grids: Any, _at_ms: int, *more: Any) -> Any:
        return right(self, work, values, grids, self._now_ms, *more)

    patch.setattr(gate.PolicyGate, "_decide", wrong)


def place_judged_at_the_push(patch: pytest.MonkeyPatch) -> None:
    """Look where the record lies when the edit arrives."""
    patch.setattr(gate, "former_scopes", lambda *_, **__: None)


def late_creations_without_a_past(patch: pytest.MonkeyPatch) -> None:
    """Forget where the author had put a new record."""

    def wrong(self: Any, kind: Any, record: Record, _mark: Any, named: Mapping[str, Any]) -> None:
        self.run.batch.records[kind.name, record.id] = record

    patch.setattr(handover.Handover, "found", wrong)


def ended_grids_without_heirs(patch: pytest.MonkeyPatch) -> None:
    """Put late captures where nobody looks any more."""
    patch.setattr(Ground, "present", lambda _self, grid, _place=None: grid)


def a_move_taken_for_work(patch: pytest.MonkeyPatch) -> None:
    """Let a deletion yield to a mere move."""
    patch.setattr(Record, "mere_moves", property(lambda _self: frozenset()))


def dropped_before_it_is_replaced(patch: pytest.MonkeyPatch) -> None:
    """Drop the old scope with the first page, like one that is lost."""
    patch.setattr(pull, "_kept", lambda *_, **__: {})


def drop_taken_for_deletion(patch: pytest.MonkeyPatch) -> None:
    """Take what leaves a scope for deleted, also where another scope shows it."""

    def wrong(self: Any, scope: str, kind: str, rec: str) -> None:
        self.erase(kind, rec)

    patch.setattr("sync.replica_tables.Memory.leave", wrong)


def whole_items_for_what_left(patch: pytest.MonkeyPatch) -> None:
    """Tell phones with whole items what has left a scope."""
    right = services.Phone.pull

    def wrong(self: Any, cursor: Any, wish: Any) -> Any:
        return right(self, cursor, replace(wish, brief=False))

    patch.setattr(services.Phone, "pull", wrong)


def drain_grant_that_reads(patch: pytest.MonkeyPatch) -> None:
    """Let a draining phone through to where others read."""
    patch.setattr(web, "DRAINING_ACTIONS", frozenset({"sync.push", "sync.pull", "user.read"}))


def no_post_no_door(patch: pytest.MonkeyPatch) -> None:
    """Close the door to a phone whose holder has lost his last post."""
    patch.setattr(web, "SYNC_ACTIONS", frozenset())


def wipe_before_drain(patch: pytest.MonkeyPatch) -> None:
    """Obey an order to erase before the work is handed in."""

    def wrong(self: Any, _request: Any, order: Mapping[str, Any]) -> None:
        self.memory.wipe()
        self.memory.keep(wiped={"unsent": 0, "ticket": order.get("ticket")})

    patch.setattr(replica.Replica, "_wipe", wrong)
    patch.setattr(Client, "_round", _ask_first(Client._round))


def _ask_first(right: Any) -> Any:
    def wrong(self: Any, want_bytes: int) -> Any:
        if self.replica.device:
            self.ask("POST", "/sync/exchange", {"device": self.replica.device, "edits": []})
        return right(self, want_bytes)

    return wrong


def wiped_by_its_own_count(patch: pytest.MonkeyPatch) -> None:
    """Erase what the server lacks because it once had it."""
    right = replica.Replica._wipe

    def wrong(self: Any, request: Any, order: Mapping[str, Any]) -> None:
        right(self, request, {name: one for name, one in order.items() if name != "expected"})

    patch.setattr(replica.Replica, "_wipe", wrong)


def followers_moved_one_by_one(patch: pytest.MonkeyPatch) -> None:
    """Move by place what should go with its household."""
    patch.setattr(moving, "_stays_with", lambda *_: False)
    patch.setattr(handover.Handover, "_following", _nothing)


def moved_twice(street: Street, handset: Handed) -> None:
    """Run the guard with pages of the usual size."""
    guard = transfer.test_moved_back_moved_twice_deleted_and_moved_between_two_pages
    guard(street, handset, 65_536)


STREET: list[tuple[Plant, Guard]] = [
    (followers_left_behind, all_goes_along),
    (conflicts_left_in_the_old_grid,
     all_goes_along),
    (authority_judged_at_the_push, posts.test_what_was_done_during_a_cover_is_applied_after_it),
    (place_judged_at_the_push,
     transfer.test_what_the_old_worker_did_before_the_move_is_applied_and_flagged),
    (late_creations_without_a_past,
     transfer.test_what_the_old_worker_did_before_the_move_is_applied_and_flagged),
    (ended_grids_without_heirs,
     regrid.test_what_was_captured_offline_in_the_old_grid_reaches_its_heirs),
    (a_move_taken_for_work, moved_twice),
    (drop_taken_for_deletion, transfer.test_a_worker_of_both_grids_never_loses_sight_of_what_moves),
    (dropped_before_it_is_replaced,
     regrid.test_a_worker_of_both_halves_never_loses_sight_of_a_record),
    (whole_items_for_what_left,
     transfer.test_many_households_cost_no_more_than_their_records),
    (no_post_no_door, posts.test_a_worker_who_lost_his_only_post_can_still_hand_in_his_work),
    (followers_moved_one_by_one,
     regrid.test_a_split_sends_records_where_they_lie_and_costs_no_more_than_they),
]  # fmt: skip
coded = regrid.coded


@pytest.mark.parametrize(("plant", "guard"), STREET, ids=[one.__name__ for one, _ in STREET])
def test_a_planted_bug_of_the_hand_over_is_caught(
    street: Street, handset: Handed, monkeypatch: pytest.MonkeyPatch, plant: Plant, guard: Guard
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        plant(patch)
        guard(street, handset)


def test_a_drain_grant_that_reads_is_caught(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        drain_grant_that_reads(patch)
        leaving.test_reading_ends_with_the_dismissal_everywhere(county)


@pytest.mark.parametrize(
    ("plant", "guard"),
    [
        (wipe_before_drain,
         phones.test_two_hundred_unsent_edits_are_handed_in_before_the_phone_is_erased),
        (wiped_by_its_own_count, after_a_loss),
    ],
)  # fmt: skip
def test_a_planted_bug_of_the_phone_is_caught(
    county: County, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch, plant: Plant, guard: Guard
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        plant(patch)
        guard(county, enrolled)
