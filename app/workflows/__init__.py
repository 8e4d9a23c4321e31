"""What spans several features: grids that are split, merged and redrawn, households that move."""

from app.core.feature import Feature
from app.workflows import commands, dissolving, views
from app.workflows.faults import FAULTS
from app.workflows.problems import PROBLEMS

feature = Feature(
    name="workflows",
    blueprints=[views.grids, views.transfers],
    problems=PROBLEMS,
    commands=[commands.group],
    faults=FAULTS,
    deeds=(dissolving.DEED,),
)
