"""The doors of the sync engine: for phones the exchange, for the office conflicts and parking."""

from app.core.feature import Feature
from app.sync_api.commands import sync
from app.sync_api.office import blueprint as office
from app.sync_api.parked import blueprint as parked
from app.sync_api.views import blueprint

feature = Feature(name="sync_api", blueprints=(blueprint, office, parked), commands=(sync,))
