"""What time does: reminders that come first, and rules whose tasks are made once for each day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.calendar import SHANGHAI, WorkingCalendar
from app.core.jobs import worker_of
from app.core.moments import now_ms
from app.tasks import timing
from app.tasks.models import TaskBatch
from app.tasks.recurring import PATTERNS, Pattern, due_after
from app.tasks.task_rules import make_due
from tests.app.core.county import County, household
from tests.app.identity.town import GRID, TOWNSHIP, VILLAGE, outcome
from tests.app.tasks.walk import DAY_MS

HOUR_MS = 3_600_000
# The Spring Festival of 2026 as a small calendar: nine days off, and two Saturdays made up for.
HOLIDAYS = {date(2026, 2, day): False for day in range(15, 24)}
CALENDAR = WorkingCalendar({**HOLIDAYS, date(2026, 2, 14): True, date(2026, 2, 28): True})


# -- reminders -----------------------------------------------------------------------------------


def test_a_task_is_reminded_of_once_when_the_hours_of_its_kind_have_come(county: County) -> None:
    due = datetime.now(UTC) + timedelta(days=10)
    visit = county.task(due_at=due.isoformat())
    errand = county.task(due_at=due.isoformat(), task_kind="errand")
    before_ms = int(due.timestamp() * 1000)
    assert timing.remind(before_ms - 73 * HOUR_MS) == 0
    assert timing.remind(before_ms - 71 * HOUR_MS) == 1
    assert timing.remind(before_ms - 71 * HOUR_MS) == 0
    shown = {one["id"]: one["reminded_at"] for one in county.ask("ts", "GET", "/tasks").get_json()}
    assert shown[visit["id"]] and not shown[errand["id"]]
    assert timing.remind(before_ms - 23 * HOUR_MS) == 1


def test_what_one_is_reminded_of_comes_first_in_the_next_pull(county: County) -> None:
    phone = county.phone("gw")
    others = [county.task(due_at="2031-01-01T00:00:00Z") for _ in range(3)]
    due = datetime.now(UTC) + timedelta(hours=5)
    urgent = county.task(due_at=due.isoformat())
    later = [county.task(due_at="2031-01-01T00:00:00Z") for _ in range(3)]
    assert timing.remind() == 1
    ids = [item["id"] for item in phone.pull() if item["t"] == "task"]
    assert ids[0] == urgent["id"] and len(ids) == len(others) + len(later) + 1


def test_a_new_due_time_is_reminded_of_anew_and_what_is_closed_never(county: County) -> None:
    due = datetime.now(UTC) + timedelta(hours=5)
    task, closed = county.task(due_at=due.isoformat()), county.task(due_at=due.isoformat())
    county.ask("ts", "POST", f"/tasks/{closed['id']}/moves", {"state": "cancelled", "reason": "无"})
    assert timing.remind() == 1
    shown = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
    moved = county.ask("ts", "PATCH", f"/tasks/{task['id']}", {"due_at": "2031-01-01T00:00:00Z"},
                       headers={"If-Match": f'"v{shown["rv"]}"'})  # fmt: skip
    assert moved.get_json()["reminded_at"] is None
    assert timing.remind() == 0


def test_the_worker_process_does_all_of_it(county: County) -> None:
    due = datetime.now(UTC) + timedelta(hours=5)
    task = county.task(due_at=due.isoformat())
    worker = worker_of(county.app)
    worker.prepare()
    worker.work_off()
    assert county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()["reminded_at"]


# -- patterns ------------------------------------------------------------------------------------

patterns = st.builds(
    Pattern, st.sampled_from(PATTERNS), st.dates(date(2026, 1, 1), date(2026, 3, 31)),
    st.none(), st.frozensets(st.integers(1, 7), min_size=1), st.integers(1, 40),
    shifts=st.booleans(),
)  # fmt: skip
days = st.dates(date(2026, 1, 1), date(2026, 6, 30))


@given(patterns, days)
def test_the_latest_day_is_the_last_whose_time_has_come(pattern: Pattern, today: date) -> None:
    named = [day for back in range(400) if (day := today - timedelta(days=back)) >= pattern.starts
             and pattern.falls_on(day, CALENDAR)
             and pattern.made_on(day, CALENDAR) <= today]  # fmt: skip
    assert pattern.latest(today, CALENDAR) == (named[0] if named else None)


@given(patterns, days)
def test_a_day_once_named_is_never_overtaken_by_an_earlier_one(
    pattern: Pattern, today: date
) -> None:
    one, other = pattern.latest(today, CALENDAR), pattern.latest(today + timedelta(1), CALENDAR)
    assert one is None or (other is not None and other >= one)


def test_patterns_keep_to_weeks_months_and_the_working_calendar() -> None:
    start = date(2026, 1, 1)
    on = {
        "weekly": Pattern("weekly", start, days=frozenset({1, 4})),
        "monthly": Pattern("monthly", start, days=frozenset({31})),
        "every": Pattern("every", start, every=10),
        "workdays": Pattern("workdays", start),
    }
    february = [date(2026, 2, day) for day in range(1, 29)]
    found = {name: [day.day for day in february if one.falls_on(day, CALENDAR)]
             for name, one in on.items()}  # fmt: skip
    assert found["weekly"] == [2, 5, 9, 12, 16, 19, 23, 26]
    assert found["monthly"] == [28]
    assert found["every"] == [10, 20]
    assert found["workdays"] == [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 24, 25, 26, 27, 28]
    shifted = Pattern("monthly", start, days=frozenset({16}), shifts=True)
    assert shifted.latest(date(2026, 2, 23), CALENDAR) == date(2026, 1, 16)
    assert shifted.latest(date(2026, 2, 24), CALENDAR) == date(2026, 2, 16)
    assert shifted.made_on(date(2026, 2, 16), CALENDAR) == date(2026, 2, 24)


# -- rules ---------------------------------------------------------------------------------------


def _rule(county: County, who: str = "ts", **more: Any) -> dict[str, Any]:
    body = {"task_kind": "inspection", "area": VILLAGE, "pattern": "daily", "due_days": 1, **more}
    return county.made(who, "/task-rules", body)


def test_the_tasks_of_a_rule_are_made_once_for_each_day_however_often_the_job_runs(
    county: County,
) -> None:
    rule = _rule(county, title="每日巡查")
    assert [make_due() for _ in range(3)] == [2, 0, 0]
    tasks = county.ask("ts", "GET", "/tasks").get_json()
    assert {(one["title"], one["assigned_by"]) for one in tasks} == {("每日巡查", county.ids["ts"])}
    today = datetime.now(SHANGHAI).date()
    assert datetime.fromisoformat(tasks[0]["due_at"]) == due_after(today, 1)
    [batch] = county.ask("ts", "GET", "/task-batches").get_json()
    assert (batch["way"], batch["rule_id"], batch["day"]) == (
        "rule", rule["id"], today.isoformat(),
    )  # fmt: skip
    assert make_due(now_ms() + DAY_MS) == 2
    assert make_due(now_ms() + 5 * DAY_MS) == 2
    days = county.sql(sa.select(TaskBatch.day).order_by(TaskBatch.day))
    assert [row.day for row in days] == [today + timedelta(days=n) for n in (0, 1, 5)]


def test_a_rule_ends_by_its_last_day_or_when_somebody_ends_it(county: County) -> None:
    today = datetime.now(SHANGHAI).date()
    _rule(county, ends=today.isoformat(), title="只今天")
    ended = _rule(county, title="停用")
    path = f"/task-rules/{ended['id']}"
    assert outcome(county.ask("vl_next_village", "DELETE", path)) == (404, "not_found")
    for _ in range(2):
        assert county.ask("ts", "DELETE", path).status_code == 204
    assert make_due() == 2
    assert make_due(now_ms() + 3 * DAY_MS) == 0
    rows = county.ask("ts", "GET", "/task-rules").get_json()
    assert [bool(one["ended_at"]) for one in rows] == [False, True]


def test_a_rule_about_households_finds_them_anew_each_time(county: County) -> None:
    home = county.made("gw", "/households", household())
    _rule(county, task_kind="visit", unseen_days=30, due_days=10)
    assert make_due() == 0
    assert make_due(now_ms() + 31 * DAY_MS) == 1
    assert make_due(now_ms() + 32 * DAY_MS) == 0
    [task] = county.ask("ts", "GET", "/tasks").get_json()
    assert (task["household"], task["grid"]) == (home["id"], GRID)


def test_each_role_makes_rules_as_the_table_says(county: County) -> None:
    body = {"task_kind": "inspection", "area": VILLAGE, "pattern": "daily", "due_days": 1}
    answers = {who: county.ask(who, "POST", "/task-rules", body).status_code
               for who in ("vl", "ts", "cm", "gw", "au", "vl_next_village")}  # fmt: skip
    assert answers == {"vl": 201, "ts": 201, "cm": 201, "gw": 403, "au": 403,
                       "vl_next_village": 404}  # fmt: skip
    key = {"Idempotency-Key": "monday"}
    twice = [county.ask("ts", "POST", "/task-rules", body, headers=key).get_json()["id"]
             for _ in range(2)]  # fmt: skip
    assert twice[0] == twice[1]


def test_a_rule_whose_days_make_no_sense_is_refused(county: County) -> None:
    body = {"task_kind": "inspection", "area": TOWNSHIP, "due_days": 1}
    cases = (
        {"pattern": "weekly"}, {"pattern": "weekly", "days": [8]},
        {"pattern": "daily", "days": [1]},
        {"pattern": "monthly", "every": 2, "days": [1]}, {"pattern": "yearly"},
        {"pattern": "every", "every": 0}, {"pattern": "monthly", "days": [32]},
    )  # fmt: skip
    for case in cases:
        reply = county.ask("ts", "POST", "/task-rules", body | case)
        assert outcome(reply) == (422, "invalid_fields"), case
