"""Tasks: what a supervisor asks for, and what a worker did."""

from flask import Flask

from app.core.feature import Feature
from app.core.jobs import Job
from app.office.reveals import register_cases
from app.tasks import many_views, views
from app.tasks.cases import case_at
from app.tasks.commands import tasks
from app.tasks.faults import FAULTS
from app.tasks.policies import TaskPolicy
from app.tasks.problems import PROBLEMS
from app.tasks.task_rules import make_due
from app.tasks.timing import expire, remind


def _expire(_subject: str) -> None:
    expire()


def _remind(_subject: str) -> None:
    remind()


def _make_due(_subject: str) -> None:
    make_due()


JOBS = {
    "tasks.remind": Job(_remind, every_s=300),
    "tasks.recur": Job(_make_due, every_s=900),
    "tasks.expire": Job(_expire, every_s=3_600),
}


def _init_app(app: Flask) -> None:
    register_cases(app, case_at)


feature = Feature(
    name="tasks",
    blueprints=(views.blueprint, many_views.blueprint),
    policies=(TaskPolicy(),),
    problems=PROBLEMS,
    commands=(tasks,),
    faults=FAULTS,
    jobs=JOBS,
    init_app=_init_app,
)
