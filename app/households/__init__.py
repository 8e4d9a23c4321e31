"""Households: who is served where, and how they may be reached."""

from app.core.feature import Feature
from app.core.jobs import Job
from app.households import act_views, duplicate_views, reveal_views, service_views, views
from app.households.act_policies import HouseholdActPolicy
from app.households.faults import FAULTS
from app.households.lapsing import EVERY_S, lapse
from app.households.models import Household
from app.households.opening import DEEDS as OPENING
from app.households.policies import ContactPolicy, HouseholdPolicy
from app.households.service_models import ServicePerson
from app.households.service_policies import ConsentPolicy, ServicePersonPolicy, VisitPolicy
from app.office.deleting import deed_of


def _lapse(_subject: str) -> None:
    lapse()


feature = Feature(
    name="households",
    blueprints=(
        views.blueprint,
        service_views.blueprint,
        act_views.blueprint,
        duplicate_views.blueprint,
        reveal_views.blueprint,
    ),
    policies=(
        HouseholdPolicy(),
        ConsentPolicy(),
        ContactPolicy(),
        ServicePersonPolicy(),
        VisitPolicy(),
        HouseholdActPolicy(),
    ),
    faults=FAULTS,
    deeds=(
        *OPENING,
        deed_of(Household, "household.delete"),
        deed_of(ServicePerson, "resident.delete"),
    ),
    jobs={"households.lapse": Job(_lapse, every_s=EVERY_S)},
)
