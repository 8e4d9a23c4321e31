"""The one table of numbers: what each counts, of what, and why. Docs and API show this table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core.records import Record
from app.households.models import Household
from app.incidents.models import Incident
from app.numbers.periods import Period
from app.tasks.models import Task
from app.tasks.rules import OPEN_STATES as OPEN_TASKS

Condition = sa.ColumnElement[bool]
DONE_TASKS = ("done", "verified")
NOT_ASKED = ("cancelled", "declined")
"""Tasks that were taken back, or that a worker could say no to: nobody waits for them."""
OPEN_INCIDENTS = ("reported", "appealed", "verified", "filed")


@dataclass(frozen=True, slots=True)
class Number:
    """A number: of those that it looks at, how many are met.

    Attributes:
        of: what it looks at, of a period.
        met: which of these are met; None for a plain count.
        counts, counts_zh: what it counts, in words.
        why, why_zh: what it is for.
    """

    code: str
    zh: str
    en: str
    counts_zh: str
    counts: str
    why_zh: str
    why: str
    model: type[Record]
    list_action: str
    of: Callable[[Period], Sequence[Condition]]
    met: Callable[[Period], Condition] | None = None


def _within(column: sa.ColumnElement[datetime], period: Period) -> Condition:
    return sa.and_(column >= period.starts, column < period.until)


_task, _incident, _household = Task.__table__.c, Incident.__table__.c, Household.__table__.c

NUMBERS = (
    Number(
        "households_confirmed", "信息核实率", "Households looked at",
        "现有住户中，最近一次核实在本期内的户数（之后再次核实的，计入后一期）",
        "Of all households that stand: those whose latest confirmation lies in the period (one "
        "that was confirmed again later counts there)",
        "了解数据新旧，安排走访", "to know how old the data are, and to plan visits",
        Household, "household.list",
        lambda _period: (),
        lambda period: _within(_household.last_confirmed_at, period),
    ),
    Number(
        "tasks_on_time", "任务按时率", "Tasks done in time",
        "本期内到期的任务（已取消、已谢绝的除外）中，按期完成的",
        "Of the tasks that fell due in the period, but for cancelled and declined ones: those "
        "done by then",
        "看期限与人手是否合适", "to see whether time limits and staff fit the work",
        Task, "task.list",
        lambda period: (_within(_task.due_at, period), _task.state.not_in(NOT_ASKED)),
        lambda _period: sa.and_(_task.state.in_(DONE_TASKS), _task.done_at <= _task.due_at),
    ),
    Number(
        "tasks_rework", "任务返工率", "Tasks sent back",
        "本期内反馈的任务中，被退回过的",
        "Of the tasks reported as done in the period: those that were sent back at least once",
        "看交办是否讲清楚", "to see whether tasks are explained well enough",
        Task, "task.list",
        lambda period: (_within(_task.done_at, period),),
        lambda _period: _task.return_reason.is_not(None),
    ),
    Number(
        "tasks_open", "在办任务", "Open tasks",
        "此刻尚未完成的任务", "Tasks that are not done at this moment",
        "看积压", "to see where work piles up",
        Task, "task.list",
        lambda _period: (_task.state.in_(OPEN_TASKS),),
    ),
    Number(
        "incidents_reported", "上报事件", "Incidents reported",
        "本期内上报的事件", "Incidents reported in the period",
        "看工作量", "to see how much there is to deal with",
        Incident, "incident.list",
        lambda period: (_within(_incident.reported_at, period),),
    ),
    Number(
        "incidents_open", "在办事件", "Open incidents",
        "此刻已上报而未了结的事件", "Incidents that are reported and not settled at this moment",
        "看积压", "to see where cases wait",
        Incident, "incident.list",
        lambda _period: (_incident.state.in_(OPEN_INCIDENTS),),
    ),
)  # fmt: skip
BY_CODE = {number.code: number for number in NUMBERS}
