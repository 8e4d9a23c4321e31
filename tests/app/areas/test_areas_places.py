"""Each position finds its area through the spatial index, the same on both engines."""

import csv
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas import areas_at, grid_at, services
from app.areas.datum import Datum, from_wgs84, to_wgs84
from app.areas.models import AreaBorder
from app.areas.places import AreaAt
from app.core.spatial import in_box, inside
from tests.app.areas.house import (
    DATA,
    EDITION,
    FIRST_VILLAGE,
    SIDE_DEGREES,
    START,
    grid_layer,
    import_counties,
    import_edition,
    import_grid_layer,
)

METRES_PER_DEGREE = 111_195.0


@pytest.fixture
def divided(session: Session) -> Session:
    """A session in which the divisions of 2020 and the county borders stand."""
    import_edition(session, DATA / "baiyin_divisions.csv", EDITION)
    import_counties(session)
    return session


def county_points(kind: str) -> list[tuple[float, float, str]]:
    with (DATA / "county_points.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return [(float(row["lon"]), float(row["lat"]), row["county"]) for row in rows]


def counties_of(session: Session, positions: list[tuple[float, float]]) -> list[str]:
    found: list[AreaAt | None] = []
    for start in range(0, len(positions), 100):
        page = positions[start : start + 100]
        found += areas_at(session, page, level="county", within_m=0.0)
    names = services.names_of(session, {one.area_id for one in found if one})
    return [names[one.area_id].split()[0] if one else "" for one in found]


def test_every_point_lies_in_its_county(divided: Session) -> None:
    points = county_points("plain")
    assert len(points) == 200
    found = counties_of(divided, [(lon, lat) for lon, lat, _ in points])
    assert found == [county for _, _, county in points]


def test_a_shifted_datum_would_put_points_into_the_wrong_county(divided: Session) -> None:
    points = county_points("datum")
    true = [county for _, _, county in points]
    shifted = [from_wgs84(lon, lat, Datum.GCJ02) for lon, lat, _ in points]
    assert all(a != b for a, b in zip(counties_of(divided, shifted), true, strict=True))
    back = [to_wgs84(lon, lat, Datum.GCJ02) for lon, lat in shifted]
    assert counties_of(divided, back) == true


@pytest.fixture
def gridded(divided: Session) -> Session:
    """A session in which the first village has three grids, side by side."""
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 3), EDITION)
    return divided


def grid_ids(session: Session) -> list[int]:
    village = services.area_of_code(session, FIRST_VILLAGE, EDITION)
    assert village is not None
    return services.grids_below(session, village)


def test_a_position_inside_a_grid_finds_it(gridded: Session) -> None:
    first, second, _ = grid_ids(gridded)
    lat = START[1] + 0.005
    assert grid_at(gridded, START[0] + 0.005, lat) == AreaAt(first, 0.0, True)
    assert grid_at(gridded, START[0] + 0.015, lat) == AreaAt(second, 0.0, True)


def test_on_a_shared_border_the_smallest_id_wins(gridded: Session) -> None:
    first, second, _ = grid_ids(gridded)
    lat = START[1] + 0.005
    assert grid_at(gridded, START[0] + SIDE_DEGREES, lat) == AreaAt(first, 0.0, False)
    assert grid_at(gridded, round(START[0] + 2 * SIDE_DEGREES, 6), lat) == AreaAt(
        second, 0.0, False
    )


def test_where_grids_overlap_the_smallest_id_wins(divided: Session) -> None:
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2, wider=0.002), EDITION)
    first, _ = grid_ids(divided)
    place = (START[0] + SIDE_DEGREES + 0.001, START[1] + 0.005)
    assert grid_at(divided, *place) == AreaAt(first, 0.0, True)


def test_the_nearest_grid_is_found_within_the_stated_distance_only(gridded: Session) -> None:
    first, *_ = grid_ids(gridded)
    lon, lat = START[0] + 0.005, START[1] - 0.0003
    found = grid_at(gridded, lon, lat)
    assert found is not None and not found.inside and found.area_id == first
    assert found.distance_m == pytest.approx(0.0003 * METRES_PER_DEGREE, abs=0.1)
    assert grid_at(gridded, lon, lat, within_m=30.0) is None
    assert grid_at(gridded, lon, lat, within_m=0.0) is None


def test_borders_and_areas_that_have_ended_are_not_found(gridded: Session) -> None:
    lat = START[1] + 0.005
    west = START[0] + 0.0001
    assert grid_at(gridded, west, lat) is not None
    day = EDITION + timedelta(days=30)
    moved = grid_layer(FIRST_VILLAGE, 3)
    shapes = [moved.features[1].shape, moved.features[2].shape]
    pair = [type(one)(one.row, one.code, one.name, one.parent_code, shape)
            for one, shape in zip(moved.features[:2], shapes, strict=True)]  # fmt: skip
    import_grid_layer(gridded, type(moved)(tuple(pair), ()), day)
    assert grid_at(gridded, west, lat) is None


def test_a_batch_of_positions_costs_two_statements(gridded: Session, statements: list[str]) -> None:
    ids = grid_ids(gridded)
    statements.clear()
    inside = [(START[0] + 0.005 + SIDE_DEGREES * (n % 3), START[1] + 0.005) for n in range(90)]
    beside = [(START[0] + 0.005, START[1] - 0.0001 * n) for n in range(1, 11)]
    found = areas_at(gridded, inside + beside)
    assert len(statements) == 2
    assert [one.area_id for one in found[:90] if one] == ids * 30
    assert [one is not None for one in found[90:]] == [True] * 4 + [False] * 6


def test_no_positions_cost_no_statement(session: Session, statements: list[str]) -> None:
    assert areas_at(session, []) == []
    assert statements == []


def plan_of(session: Session, statement: sa.Select[Any]) -> str:
    """Return the engine's plan for a statement."""
    dialect = session.get_bind().dialect
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    words = "EXPLAIN QUERY PLAN" if dialect.name == "sqlite" else "EXPLAIN"
    if dialect.name != "sqlite":
        # A handful of rows is read faster without any index, which would prove nothing.
        session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    return "\n".join(str(row) for row in session.execute(sa.text(f"{words} {text}")))


@pytest.mark.parametrize(
    "condition",
    [inside(AreaBorder.geom, *START), in_box(AreaBorder.geom, 104.0, 36.0, 104.1, 36.1)],
)
def test_the_spatial_index_leads_to_the_border(
    gridded: Session, condition: sa.ColumnElement[bool]
) -> None:
    plan = plan_of(gridded, sa.select(AreaBorder.id).where(condition))
    if gridded.get_bind().dialect.name == "sqlite":
        # Named as a mere filter the index would be asked for every row of a scan.
        assert "SEARCH area_border USING INTEGER PRIMARY KEY" in plan
    else:
        assert "idx_area_border_geom" in plan
