"""Incidents: what workers see and report, with its place."""

from app.core.feature import Feature
from app.core.jobs import Job
from app.incidents.commands import incidents
from app.incidents.duty_views import blueprint as duty_blueprint
from app.incidents.faults import FAULTS
from app.incidents.models import Incident
from app.incidents.policies import IncidentPolicy
from app.incidents.views import blueprint
from app.incidents.watch import run_clock
from app.office.deleting import deed_of

feature = Feature(
    name="incidents",
    blueprints=(blueprint, duty_blueprint),
    policies=(IncidentPolicy(),),
    commands=(incidents,),
    faults=FAULTS,
    deeds=(deed_of(Incident, "incident.delete"),),
    jobs={"incidents.clock": Job(run_clock, every_s=60)},
)
