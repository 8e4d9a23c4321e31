"""A demo day has the amount and the mix of work that the specification says."""

from collections import Counter
from datetime import date, timedelta

from app.demo.day import (
    CHINA,
    CLASS_WEIGHTS,
    categories,
    incidents_of,
    task_kinds,
    tasks_of,
)
from app.demo.people import workers_of
from app.demo.plan import city_plan

DAY = date(2026, 3, 2)


def test_a_month_has_four_incidents_for_a_thousand_households() -> None:
    plan = city_plan()
    month = [DAY + timedelta(days=number) for number in range(30)]
    seen = sum(1 for day in month for _ in incidents_of(plan.grids, day))
    assert abs(seen / 551_559 - 0.004) < 0.0004


def test_incidents_of_a_grid_do_not_depend_on_the_other_grids() -> None:
    grids = city_plan().grids
    whole = list(incidents_of(grids, DAY))
    alone = [incident for grid in grids for incident in incidents_of([grid], DAY)]
    assert whole == alone


def test_categories_are_spread_by_the_weight_of_their_class() -> None:
    days = [DAY + timedelta(days=number) for number in range(20)]
    seen = Counter(
        incident.category.code for day in days for incident in incidents_of(city_plan().grids, day)
    )
    heavy = [category.code for category in categories() if category.weight == 8]
    light = [category.code for category in categories() if category.weight == 1]
    assert sum(seen[code] for code in heavy) / len(heavy) > 4 * (
        sum(seen[code] for code in light) / len(light)
    )
    assert set(CLASS_WEIGHTS.values()) <= set(range(1, 9))


def test_workers_have_one_task_and_three_in_ten_have_two() -> None:
    workers = [worker for grid in city_plan().grids[:600] for worker in workers_of(grid)]
    tasks = list(tasks_of(workers, DAY))
    assert abs(len(tasks) / len(workers) - 1.3) < 0.03
    assert {task.worker_key for task in tasks} == {worker.key for worker in workers}
    assert {task.kind for task in tasks} == set(task_kinds())


def test_work_happens_by_day_in_china_and_is_due_later() -> None:
    workers = list(workers_of(city_plan().grids[0]))
    assert all(task.assigned_at < task.due_at for task in tasks_of(workers, DAY))
    hours = {i.seen_at.astimezone(CHINA).hour for i in incidents_of(city_plan().grids, DAY)}
    assert hours <= set(range(7, 20))
