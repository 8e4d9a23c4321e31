"""Numbers of work: how it stands with areas, never with persons."""

from app.core.feature import Feature
from app.numbers.commands import group
from app.numbers.faults import FAULTS
from app.numbers.views import blueprint, health

feature = Feature(name="numbers", blueprints=(blueprint, health), commands=(group,), faults=FAULTS)
