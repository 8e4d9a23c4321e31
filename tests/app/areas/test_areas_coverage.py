"""Gaps, overlaps and parts outside are found with their size and a place to look at."""

import math

import pytest
import shapely

from app.areas.coverage import area_m2, gaps, outside, overlaps
from app.areas.rules import metres_to_border

WEST = shapely.box(104.0, 36.0, 104.1, 36.1)
EAST = shapely.box(104.1, 36.0, 104.2, 36.1)
WHOLE = shapely.box(104.0, 36.0, 104.2, 36.1)
# A tenth of a degree squared at 36 degrees north: 9.01 by 11.10 km.
SQUARE_M2 = 99_988_000.0


def test_areas_are_those_of_the_ellipsoid() -> None:
    assert area_m2(WEST) == pytest.approx(SQUARE_M2, rel=1e-3)
    earth = shapely.box(-180, -90, 180, 90)
    assert area_m2(earth) == pytest.approx(510_065_621.7e6, rel=1e-9)


def test_neighbours_that_share_a_line_have_no_fault() -> None:
    shapes = {1: WEST, 2: EAST}
    assert [*overlaps(shapes), *gaps(shapes, WHOLE), *outside(shapes, WHOLE)] == []


def test_an_overlap_names_both_areas_its_size_and_a_place() -> None:
    (one,) = overlaps({2: EAST, 1: shapely.box(104.0, 36.0, 104.101, 36.1)})
    assert (one.kind, one.area_ids) == ("overlap", (1, 2))
    assert one.area_m2 == pytest.approx(SQUARE_M2 / 100, rel=1e-3)
    assert 104.1 < one.lon < 104.101 and 36.0 < one.lat < 36.1


def test_a_gap_within_the_border_above_is_found() -> None:
    (one,) = gaps({1: WEST}, WHOLE)
    assert (one.kind, one.area_ids) == ("gap", ())
    assert one.area_m2 == pytest.approx(SQUARE_M2, rel=1e-3)


def test_without_a_border_above_only_an_enclosed_gap_counts() -> None:
    hole = shapely.box(104.04, 36.04, 104.06, 36.06)
    ring = shapely.difference(WEST, hole)
    (one,) = gaps({1: ring}, None)
    assert hole.contains(shapely.Point(one.lon, one.lat))
    assert list(gaps({1: ring, 2: hole}, None)) == []
    assert list(gaps({1: WEST}, None)) == []


def test_what_lies_beyond_the_border_above_is_found() -> None:
    (one,) = outside({1: WEST, 2: EAST}, shapely.box(104.0, 36.0, 104.15, 36.1))
    assert (one.kind, one.area_ids) == ("outside", (2,))


def test_faults_smaller_than_the_threshold_are_left_out() -> None:
    shapes = {1: shapely.box(104.0, 36.0, 104.1000001, 36.1), 2: EAST}
    assert list(overlaps(shapes)) == []
    (one,) = overlaps(shapes, smallest_m2=1.0)
    assert 50 < one.area_m2 < 150


@pytest.mark.parametrize("order", [0, 1])
def test_the_distance_to_a_border_is_good_to_a_decimetre(order: int) -> None:
    wkb = shapely.to_wkb(shapely.MultiPolygon([WEST, EAST]), byte_order=order)
    north = metres_to_border(wkb, 104.05, 36.1003)
    assert north == pytest.approx(0.0003 * 111_195, abs=0.1)
    east = metres_to_border(wkb, 104.2003, 36.05)
    assert east == pytest.approx(0.0003 * 111_195 * math.cos(math.radians(36.05)), abs=0.1)
    corner = metres_to_border(wkb, 104.2003, 36.1003)
    assert corner == pytest.approx(math.hypot(north, east), abs=0.1)
    assert metres_to_border(wkb, 104.1, 36.05) == 0.0
