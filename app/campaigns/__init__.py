"""Emergency campaigns: an order brings notice, tasks and entries, and takes all of it away."""

from app.campaigns import destroying
from app.campaigns.faults import FAULTS
from app.campaigns.policies import EntryPolicy, OrderPolicy
from app.campaigns.views import blueprint
from app.core.feature import Feature
from app.core.jobs import Job

feature = Feature(
    name="campaigns",
    blueprints=(blueprint,),
    policies=(OrderPolicy(), EntryPolicy()),
    faults=FAULTS,
    jobs={
        destroying.LOOK: Job(destroying.look, every_s=600),
        destroying.DESTROY: Job(destroying.destroy),
    },
)
