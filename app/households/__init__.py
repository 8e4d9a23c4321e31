"""Households: who is served where, and how they may be reached."""

from app.core.feature import Feature
from app.households.faults import FAULTS
from app.households.policies import ContactPolicy, HouseholdPolicy
from app.households.views import blueprint

feature = Feature(
    name="households",
    blueprints=(blueprint,),
    policies=(HouseholdPolicy(), ContactPolicy()),
    faults=FAULTS,
)
