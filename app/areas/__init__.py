"""Areas: divisions and grids with dated names and borders, and who lies where."""

from app.areas import commands, views
from app.areas.heirs import survey
from app.areas.places import AreaAt, areas_at, grid_at
from app.areas.services import area_of_code, areas_of_codes, grids_below, paths_of
from app.core.feature import Feature

feature = Feature(name="areas", blueprints=[views.blueprint], commands=[commands.group])

__all__ = [
    "AreaAt",
    "area_of_code",
    "areas_at",
    "areas_of_codes",
    "feature",
    "grid_at",
    "grids_below",
    "paths_of",
    "survey",
]
