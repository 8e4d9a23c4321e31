"""Planted bugs of the audit log: each must make the test fail that guards against it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.audit import breach, sealing
from app.audit.sealing import Sealer, current_sealer
from app.core import reads, refused
from app.core.database import Database
from app.sync_api import handed_out
from tests.app.audit import test_audit_chain as chain
from tests.app.audit import test_audit_reads as shown
from tests.app.audit import test_audit_rows as rows
from tests.app.audit import test_audit_views as views
from tests.app.core.county import County

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Plant = Callable[[pytest.MonkeyPatch], None]


def refusals_go_with_the_request(patch: pytest.MonkeyPatch) -> None:
    """Write nothing down of what was refused."""
    patch.setattr(refused, "write_down", lambda *_: None)


def every_refusal_a_row(patch: pytest.MonkeyPatch) -> None:
    """Write a row for each refusal, however many come."""
    patch.setattr(refused.Budget, "take", lambda *_: 0)


def lists_leave_no_row(patch: pytest.MonkeyPatch) -> None:
    """Show records, and write nothing down."""
    patch.setattr(reads, "write_down", lambda *_, **__: None)


def every_pull_a_row(patch: pytest.MonkeyPatch) -> None:
    """Write a row for pages that bring nothing, too."""
    right = handed_out.write_down

    def wrong(session: Any, reader: Any, event: str, what: Any) -> None:
        right(session, reader, event, what or {("grid:10", "household"): (1, 1, 1)})

    patch.setattr(handed_out, "write_down", wrong)


def a_failing_log_stops_nobody(patch: pytest.MonkeyPatch) -> None:
    """Answer although the row could not be written."""
    for owner in (reads, handed_out):
        patch.setattr(owner, "write_down", lambda *_, **__: None)


def holds_is_what_was_read_now(patch: pytest.MonkeyPatch) -> None:
    """Forget what a phone was handed before the time in question."""
    right = breach._read

    def wrong(session: Any, engine: Any, who: Any, *more: Any) -> Any:
        in_time = len(more) == 2 and "device" not in str(more[1])
        return right(session, engine, who, *more) if in_time else (set(), 0, {})

    patch.setattr(breach, "_read", wrong)


COUNTY: list[tuple[Plant, Callable[[County], None]]] = [
    (refusals_go_with_the_request, rows.test_a_sign_in_leaves_a_row_and_so_does_one_that_fails),
    (every_refusal_a_row,
     rows.test_a_flood_of_refusals_is_counted_and_not_written_row_by_row),
    (lists_leave_no_row, shown.test_one_record_leaves_one_row_that_names_it),
    (every_pull_a_row,
     shown.test_a_pull_leaves_one_row_that_names_scopes_and_versions_and_only_if_persons_were_in_it),
    (a_failing_log_stops_nobody,
     rows.test_an_act_whose_row_cannot_be_written_does_not_happen),
    (holds_is_what_was_read_now,
     views.test_a_breach_list_knows_what_was_not_read_and_when),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "guard"), COUNTY, ids=[one.__name__ for one, _ in COUNTY])
def test_a_planted_bug_of_the_log_is_caught(
    county: County, monkeypatch: pytest.MonkeyPatch, plant: Plant, guard: Callable[[County], None]
) -> None:
    with monkeypatch.context() as patch, pytest.raises((AssertionError, IndexError)):
        plant(patch)
        guard(county)


def gaps_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Never look again for an id that was not there."""
    patch.setattr(chain, "moved", lambda high, gaps, ids, now_ms: (max(high, *ids), {}))


def every_row_is_sound(patch: pytest.MonkeyPatch) -> None:
    """Link rows without looking at their codes."""
    patch.setattr(sealing, "_is_sound", lambda *_: True)


def going_back_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """Go on with the chain of a database that was put back."""
    patch.setattr(Sealer, "_mind_set_back", lambda _self: None)


CHAIN: list[tuple[Plant, Callable[[Sealer, Database], None]]] = [
    (gaps_forgotten, chain.test_a_late_commit_and_a_rollback_are_no_alarm),
    (every_row_is_sound,
     chain.test_a_row_put_in_or_changed_before_it_is_sealed_is_marked_for_ever),
    (going_back_unnoticed,
     chain.test_a_cut_tail_or_a_database_put_back_is_found_and_said_for_ever),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "guard"), CHAIN, ids=[one.__name__ for one, _ in CHAIN])
def test_a_planted_bug_of_the_chain_is_caught(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    plant: Plant,
    guard: Callable[[Sealer, Database], None],
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        plant(patch)
        guard(current_sealer(), app.extensions["wangge_database"])
