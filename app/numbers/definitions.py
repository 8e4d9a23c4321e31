"""The one table of numbers: what each counts, of what, and why. Docs and API show this table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core.records import Record
from app.households.models import Household
from app.incidents.models import Incident
from app.incidents.moves import OVER
from app.numbers.periods import Period
from app.tasks.models import Task
from app.tasks.rules import OPEN_STATES as OPEN_TASKS

Condition = sa.ColumnElement[bool]
DONE_TASKS = ("done", "verified")
NOT_ASKED = ("cancelled", "declined")
"""Tasks that were taken back, or that a worker could say no to: nobody waits for them."""
NOT_WAITING = ("draft", "rejected", *sorted(OVER))
"""Incidents that nobody need deal with: not reported yet, turned down, or over."""
TAKEN_BACK = ("cancelled", "merged", "not_filed")
CONTENT_FROM = 4
"""Of five points, for the service and for the result."""


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
        lambda _period: _task.rework_count > 0,
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
        lambda _period: (_incident.state.not_in(NOT_WAITING),),
    ),
    Number(
        "incidents_on_time", "事件按时办结率", "Incidents answered in time",
        "本期内到期的事件（作废、合并、不予立案的除外）中，按期反馈或办结的",
        "Of the incidents that fell due in the period, but for those taken back: those answered, "
        "or closed, by then",
        "看期限与力量是否合适", "to see whether time limits and staff fit the work",
        Incident, "incident.list",
        lambda period: (_within(_incident.due_at, period), _incident.state.not_in(TAKEN_BACK)),
        lambda _period: (
            sa.func.coalesce(_incident.answered_at, _incident.closed_at) <= _incident.due_at
        ),
    ),
    Number(
        "incidents_returned", "事件退单率", "Incidents sent back by a unit",
        "本期内派遣的事件中，被承办单位退回过的",
        "Of the incidents dispatched in the period: those that a unit has sent back at least once",
        "看派遣是否准确", "to see whether cases reach the right unit",
        Incident, "incident.list",
        lambda period: (_within(_incident.dispatched_at, period),),
        lambda _period: _incident.return_count > 0,
    ),
    Number(
        "incidents_rework", "事件返工率", "Incidents done again",
        "本期内反馈的事件中，经核查返工过的",
        "Of the incidents answered in the period: those that a check has sent back at least once",
        "看办理质量", "to see whether cases are dealt with for good",
        Incident, "incident.list",
        lambda period: (_within(_incident.answered_at, period),),
        lambda _period: _incident.rework_count > 0,
    ),
    Number(
        "residents_content", "群众满意率", "Residents content",
        "本期内办结并已回访的事件中，服务与结果两项评分均在 4 分以上的",
        "Of the incidents closed in the period whose reporter was called back: those with 4 or 5 "
        "points for the service and for the result",
        "听取群众意见", "to hear how people find the service",
        Incident, "incident.list",
        lambda period: (_within(_incident.closed_at, period), _incident.score_result.is_not(None)),
        lambda _period: sa.and_(
            _incident.score_service >= CONTENT_FROM, _incident.score_result >= CONTENT_FROM
        ),
    ),
)  # fmt: skip
BY_CODE = {number.code: number for number in NUMBERS}
