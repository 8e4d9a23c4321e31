"""Doors for apps built on WatermelonDB or RxDB: other shapes, the same engine behind them."""

from app.core.feature import Feature
from app.faces.views import blueprint

feature = Feature(name="faces", blueprints=(blueprint,))
