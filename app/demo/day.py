"""Plan the work of a demo day as plain values: the incidents that are seen, the tasks in hand."""

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from itertools import accumulate
from typing import Final, TypeVar

from app.demo.people import Account
from app.demo.plan import DATA, PlannedGrid, h

CHINA: Final = timezone(timedelta(hours=8))
HOUSEHOLD_DAYS_PER_INCIDENT: Final = 7_500
"""0.4 incidents for 100 households a month: 30 days / 0.004."""
SECOND_TASK_IN_TEN: Final = 3
"""1.3 tasks for a worker and day."""
FIRST_MINUTE: Final = 7 * 60
LAST_MINUTE: Final = 20 * 60

CLASS_WEIGHTS: Final = {
    "01": 5, "02": 4, "03": 7, "04": 8, "05": 6, "06": 5, "07": 3, "08": 6, "09": 1,
    "10": 2, "11": 1, "12": 4, "13": 2, "99": 2,
}  # fmt: skip
TASK_WEIGHTS: Final = {
    "inspection": 8, "visit": 7, "household_update": 4, "publicity": 3, "fraud_warning": 3,
    "notice_delivery": 3, "hazard_check": 2, "errand": 2, "facility_survey": 1, "meeting_help": 1,
}  # fmt: skip
REMARKS: Final = {
    "06": "双方愿意坐下来谈，希望村里出面调解。",
    "07": "本人愿意接受帮助，请安排人联系。",
    "08": "居民希望得到帮助，请代为办理。",
    "13": "已提醒当事人先报警，请跟进。",
}
PLAIN_REMARK: Final = "巡查时发现，请派人到现场处理。"

Weighted = TypeVar("Weighted", "Category", "TaskKind")


@dataclass(frozen=True, slots=True)
class Category:
    """What an incident is about, with the weight that says how often it happens."""

    code: str
    name: str
    priority: int
    weight: int


@dataclass(frozen=True, slots=True)
class TaskKind:
    """What a worker is asked to do, and in how many days.

    Attributes:
        counts: whether the report is a number (leaflets, talks).
    """

    code: str
    name: str
    target: str
    due_days: int
    counts: bool
    weight: int


@dataclass(frozen=True, slots=True)
class PlannedIncident:
    """An incident of a day in a grid; its place is found when the grid has a shape."""

    key: str
    grid_code: str
    category: Category
    text: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task of a worker on a day."""

    key: str
    grid_code: str
    worker_key: str
    kind: TaskKind
    assigned_at: datetime
    due_at: datetime


def incidents_of(grids: Sequence[PlannedGrid], day: date) -> Iterator[PlannedIncident]:
    """Yield the incidents that are seen in some grids on a day."""
    for grid in grids:
        key = f"{grid.code}i{day:%Y%m%d}"
        if h("incident", key) % HOUSEHOLD_DAYS_PER_INCIDENT < grid.households:
            yield _incident(grid, key, day)


def _incident(grid: PlannedGrid, key: str, day: date) -> PlannedIncident:
    """Give an incident its category, its words and its minute."""
    category = _drawn("category", key, categories())
    text = f"{category.name}。{REMARKS.get(category.code[:2], PLAIN_REMARK)}"
    seen_at = moment(day, FIRST_MINUTE + h("minute", key) % (LAST_MINUTE - FIRST_MINUTE))
    return PlannedIncident(key, grid.code, category, text, seen_at)


def tasks_of(workers: Sequence[Account], day: date) -> Iterator[PlannedTask]:
    """Yield the tasks that some workers have in hand on a day: one each, for three in ten two."""
    for worker in workers:
        yield _task(worker, f"{worker.key}t{day:%Y%m%d}1", day)
        if h("tasks", f"{worker.key}:{day:%Y%m%d}") % 10 < SECOND_TASK_IN_TEN:
            yield _task(worker, f"{worker.key}t{day:%Y%m%d}2", day)


def _task(worker: Account, key: str, day: date) -> PlannedTask:
    """Give a task its kind, the moment of its assignment and its due time."""
    kind = _drawn("task", key, task_kinds())
    given_at = moment(day, 8 * 60 + h("minute", key) % 60)
    due_at = moment(day + timedelta(days=kind.due_days), 18 * 60)
    return PlannedTask(key, worker.area_code, worker.key, kind, given_at, due_at)


def moment(day: date, minute: int) -> datetime:
    """Return a minute of a day in China."""
    return datetime.combine(day, time(), CHINA) + timedelta(minutes=minute)


def _drawn(salt: str, key: str, choices: Sequence[Weighted]) -> Weighted:
    """Draw one of some choices by weight."""
    upper_ends = list(accumulate(choice.weight for choice in choices))
    return choices[bisect_right(upper_ends, h(salt, key) % upper_ends[-1])]


@lru_cache(maxsize=1)
def categories() -> tuple[Category, ...]:
    """Read the incident categories of the second level with the weight of their class."""
    with (DATA / "incident_categories.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(
            Category(
                row["code"], row["name_zh"], int(row["priority"]), CLASS_WEIGHTS[row["parent_code"]]
            )
            for row in csv.DictReader(lines)
            if row["level"] == "2"
        )


@lru_cache(maxsize=1)
def task_kinds() -> tuple[TaskKind, ...]:
    """Read the task kinds that occur on an ordinary day: none that needs an order or a case."""
    with (DATA / "task_kinds.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(
            TaskKind(
                row["code"],
                row["name_zh"],
                row["target"],
                int(row["default_due_days"]),
                row["result_type"] == "count",
                TASK_WEIGHTS[row["code"]],
            )
            for row in csv.DictReader(lines)
            if row["code"] in TASK_WEIGHTS
        )
