"""Tasks: what a supervisor asks for, and what a worker did."""

from app.core.feature import Feature
from app.tasks.commands import tasks
from app.tasks.faults import FAULTS
from app.tasks.policies import TaskPolicy
from app.tasks.views import blueprint

feature = Feature(
    name="tasks",
    blueprints=(blueprint,),
    policies=(TaskPolicy(),),
    commands=(tasks,),
    faults=FAULTS,
)
