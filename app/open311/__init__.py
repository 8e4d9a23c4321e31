"""What citizens report by Open311 GeoReport v2: off unless it is turned on (docs/open311.md)."""

from app.core.feature import Feature
from app.open311.views import blueprint

feature = Feature(name="open311", blueprints=(blueprint,))
