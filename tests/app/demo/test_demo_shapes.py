"""The drawn cells cover the real counties, each grid once, without gaps that matter."""

import subprocess
import sys

import shapely

from app.demo.plan import city_plan
from app.demo.shapes import draw_city, draw_counties, draw_outline, draw_township

GAP_SHARE_MAX = 1e-5


def test_the_cells_of_the_whole_city_cover_it_once() -> None:
    plan, counties = city_plan(), draw_counties()
    drawn = {code: shape for _, shapes in draw_city(plan) for code, shape in shapes.items()}
    grids = {grid.code: drawn[grid.code] for grid in plan.grids}
    assert len(drawn) == 78 + 828 + 6_093

    cells = list(grids.values())
    assert shapely.is_valid(list(drawn.values())).all()
    assert not shapely.is_empty(list(drawn.values())).any()

    outline, together = draw_outline(), shapely.union_all(cells)
    assert outline.difference(together).area < GAP_SHARE_MAX * outline.area
    assert shapely.area(cells).sum() - together.area < GAP_SHARE_MAX * outline.area

    for code, cell in grids.items():
        assert counties[code[:6]].contains(cell.point_on_surface())


def test_jingyuan_has_two_parts_with_pingchuan_between_them() -> None:
    counties = draw_counties()
    assert len(counties["620421"].geoms) == 2
    assert [len(counties[code].geoms) for code in ("620402", "620403", "620422", "620423")] == [
        1, 1, 1, 1,
    ]  # fmt: skip


def test_a_township_can_be_drawn_alone() -> None:
    plan = city_plan()
    township = plan.below("620421")[0]
    drawn = draw_township(plan, township)
    units = plan.below(township.code)
    assert set(drawn) == {township.code, *(unit.code for unit in units)} | {
        grid.code for unit in units for grid in plan.grids_of(unit.code)
    }


def test_coordinates_have_six_decimals() -> None:
    plan = city_plan()
    drawn = draw_township(plan, plan.below("620402")[0])
    points = shapely.get_coordinates(list(drawn.values()))
    assert (abs(points * 1e6 - (points * 1e6).round()) < 1e-3).all()


def test_shapely_keeps_its_own_library_beside_the_one_of_spatialite() -> None:
    """In a process of its own: what a library binds to is settled when it is loaded."""
    program = """
from app.core.driver import driver, load_spatialite
connection = driver.connect(":memory:")
load_spatialite(connection)
from app.core.geos import shapely
assert shapely.to_wkt(shapely.box(0, 0, 1, 1), rounding_precision=-1).startswith("POLYGON")
assert connection.execute("SELECT ST_Area(ST_Buffer(MakePoint(0, 0), 1)) > 3").fetchone() == (1,)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
