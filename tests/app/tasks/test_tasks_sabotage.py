"""Planted bugs of tasks: each must make the test fail that guards against it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.tasks import handing_out, policies, standing, steps, task_rules, timing
from sync import meeting, telling
from sync.gate import Work
from tests.app.core.county import County
from tests.app.tasks import test_tasks_many as many
from tests.app.tasks import test_tasks_meeting as meet
from tests.app.tasks import test_tasks_timing as time_does
from tests.app.tasks import test_tasks_workflow as workflow
from tests.app.tasks.test_tasks_meeting import free

__all__ = ["free"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
the_first_has_it = (
    meet.test_of_two_who_claim_offline_the_first_to_arrive_has_it_and_the_others_work_is_kept
)
Plant = Callable[[pytest.MonkeyPatch], None]


def household_told_nothing(patch: pytest.MonkeyPatch) -> None:
    """Report the visit, and forget the household."""
    patch.setattr(telling.Telling, "tell", lambda *_: None)


def older_visit_stands(patch: pytest.MonkeyPatch) -> None:
    """Let the visit that arrives last stand, whenever it was."""
    patch.setattr(telling, "is_newer", lambda *_: True)


def the_workers_word_is_the_servers(patch: pytest.MonkeyPatch) -> None:
    """Take what a worker says of an office field for what the server adds."""
    patch.setattr(meeting.Meeting, "said", False)


def undo_of_what_was_never_seen(patch: pytest.MonkeyPatch) -> None:
    """Take every late start for an undo of the report that came before it."""
    patch.setattr(Work, "saw", lambda *_: True)


def undo_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Never be too late to take a report back."""
    patch.setattr(steps, "too_late_to_undo", lambda *_: False)


def every_new_round_is_a_rework(patch: pytest.MonkeyPatch) -> None:
    """Count a task that is assigned again as work that was returned."""
    right = steps.office_adds

    def wrong(work: Any, values: Any, actor: Any) -> Any:
        again = {"rework_count": 1} if values.get("state") == "assigned" and work.record else {}
        return {**right(work, values, actor), **again}

    patch.setattr(steps, "office_adds", wrong)


def expired_when_due(patch: pytest.MonkeyPatch) -> None:
    """Leave nobody the time to be late."""
    patch.setattr(timing, "EXPIRES_AFTER", timedelta(0))


def cover_for_everybody(patch: pytest.MonkeyPatch) -> None:
    """Let a cover do the tasks of those who are there, too."""
    patch.setattr(standing, "_covers", lambda post, _assignee: post.is_cover)


def cover_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Forget when a cover ends."""

    def wrong(actor: Any, grid: object, _at_ms: int) -> list[Any]:
        return [one for one in actor.posts if one.role == "gw" and one.area_id == grid]

    patch.setattr(standing, "_serving", wrong)


def second_claim_without_a_word(patch: pytest.MonkeyPatch) -> None:
    """Tell who was slower only that he may not."""
    patch.setattr(policies, "came_too_late", lambda *_: False)


def asked_again_while_open(patch: pytest.MonkeyPatch) -> None:
    """Ask about a household at which a task is open already."""
    patch.setattr(handing_out, "OPEN_STATES", ())


def every_missed_day(patch: pytest.MonkeyPatch) -> None:
    """Take yesterday for today."""
    right = task_rules.today_of
    patch.setattr(task_rules, "today_of", lambda now: right(now) - timedelta(days=1))


def grows_with_the_tasks(patch: pytest.MonkeyPatch) -> None:
    """Hand the tasks out one by one."""
    right = handing_out.write_together

    def wrong(session: Any, actor: Any, edits: Any, gate: Any, now_ms: int) -> None:
        for edit in edits:
            right(session, actor, [edit], gate, now_ms)

    patch.setattr(handing_out, "write_together", wrong)


PLAIN: list[tuple[Plant, Callable[[County], None]]] = [
    (household_told_nothing, meet.test_nothing_changed_is_one_edit_for_the_task_and_its_household),
    (older_visit_stands, meet.test_an_older_visit_does_not_make_a_household_look_older),
    (the_workers_word_is_the_servers,
     meet.test_a_worker_cannot_give_himself_a_task_that_is_somebody_elses),
    (undo_of_what_was_never_seen,
     workflow.test_what_a_stale_phone_starts_is_no_undo_of_a_report_it_has_not_seen),
    (undo_for_ever,
     workflow.test_a_report_is_taken_back_only_in_time_and_only_until_it_is_verified),
    (every_new_round_is_a_rework, workflow.test_to_assign_again_is_a_new_round_but_no_rework),
    (expired_when_due,
     workflow.test_an_open_task_expires_long_after_it_was_due_and_may_be_assigned_again),
    (cover_for_everybody,
     meet.test_a_cover_lists_accepts_and_reports_the_tasks_of_who_is_away_and_of_nobody_else),
    (cover_for_ever, meet.test_what_a_cover_did_before_the_end_counts_and_nothing_after_it),
    (asked_again_while_open, many.test_households_long_unseen_are_counted_first_and_asked_once),
    (every_missed_day,
     time_does.test_the_tasks_of_a_rule_are_made_once_for_each_day_however_often_the_job_runs),
    (grows_with_the_tasks,
     many.test_handing_out_takes_the_same_statements_for_one_grid_and_for_many),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "guard"), PLAIN, ids=[one.__name__ for one, _ in PLAIN])
def test_a_planted_bug_of_tasks_is_caught(
    county: County, monkeypatch: pytest.MonkeyPatch, plant: Plant, guard: Callable[[County], None]
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        plant(patch)
        guard(county)


def test_a_second_claim_without_a_word_is_caught(
    county: County, free: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        second_claim_without_a_word(patch)
        the_first_has_it(county, free)
