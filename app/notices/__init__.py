"""Notices: told once for a whole area, explained as a number, alarms acknowledged by name."""

from app.core.feature import Feature
from app.core.jobs import Job
from app.notices import services
from app.notices.faults import FAULTS
from app.notices.policies import AckPolicy, ExplainedPolicy, NoticePolicy
from app.notices.problems import PROBLEMS
from app.notices.views import blueprint

feature = Feature(
    name="notices",
    blueprints=(blueprint,),
    policies=(NoticePolicy(), ExplainedPolicy(), AckPolicy()),
    problems=PROBLEMS,
    faults=FAULTS,
    jobs={services.TURN: Job(services.turn, every_s=60)},
)
