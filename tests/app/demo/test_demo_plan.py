"""The planned city is exactly the city of the specification."""

import csv
import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demo.plan import CITY_DIGEST, DATA, CityPlan, allot, city_plan, digest, h

COUNTS = ("synthetic", "grids", "households", "workers")


@pytest.fixture(scope="module")
def plan() -> CityPlan:
    return city_plan()


def test_the_number_of_a_key_is_the_head_of_its_hash() -> None:
    assert h("a", "b") == int(hashlib.sha256(b"a:b").hexdigest()[:16], 16)
    assert h("halton", "白银") == int(hashlib.sha256("halton:白银".encode()).hexdigest()[:16], 16)


def test_the_city_has_the_true_size(plan: CityPlan) -> None:
    levels = Counter(division.level for division in plan.divisions)
    assert levels == {"city": 1, "county": 5, "township": 78, "village": 828}
    units = Counter(unit.kind for unit in plan.of_level("village"))
    assert units == {"village": 707, "community": 121}
    assert len(plan.grids) == 6_093
    assert sum(grid.workers for grid in plan.grids) == 23_611
    assert sum(grid.households for grid in plan.grids) == 551_559


def test_the_digest_of_the_grids_is_the_published_one(plan: CityPlan) -> None:
    assert digest(plan.grids) == CITY_DIGEST
    assert digest(plan.grids[:-1]) != CITY_DIGEST


def test_every_unit_has_the_allotted_grids_households_and_workers(plan: CityPlan) -> None:
    with (DATA / "baiyin_allotment.csv").open(encoding="utf-8", newline="") as lines:
        allotted = list(csv.DictReader(lines))
    assert [_sums(plan, row["code"]) for row in allotted] == [
        {**row, **{name: int(row[name]) for name in COUNTS}} for row in allotted
    ]


def _sums(plan: CityPlan, code: str) -> dict[str, object]:
    unit = next(unit for unit in plan.of_level("village") if unit.code == code)
    grids = plan.grids_of(code)
    return {
        "code": code,
        "name": unit.short_name,
        "kind": unit.kind,
        "parent_code": unit.parent_code,
        "synthetic": int(unit.synthetic),
        "grids": len(grids),
        "households": sum(grid.households for grid in grids),
        "workers": sum(grid.workers for grid in grids),
    }


def test_the_counties_share_the_grids_as_the_table_says(plan: CityPlan) -> None:
    shares = Counter((grid.code[:6], grid.in_town) for grid in plan.grids)
    town = {county: shares[county, True] for county in sorted({code for code, _ in shares})}
    rural = {county: shares[county, False] for county in town}
    assert list(town.values()) == [495, 231, 239, 239, 156]
    assert list(rural.values()) == [205, 404, 1_601, 1_801, 722]


def test_a_grid_is_named_after_its_unit_and_has_groups_of_ten(plan: CityPlan) -> None:
    grid = plan.grids[0]
    assert (grid.code, grid.name) == ("620402001001001", "中心街社区第1网格")
    assert all(10 * (grid.groups - 1) < grid.households <= 10 * grid.groups for grid in plan.grids)


@given(
    st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 1_000), min_size=1),
    st.integers(0, 3),
    st.integers(0, 20),
    st.integers(0, 10_000),
)
def test_a_share_keeps_the_total_and_the_bounds(
    weights: dict[str, int], low: int, room: int, wish: int
) -> None:
    high = low + room
    total = low * len(weights) + wish % (room * len(weights) + 1)
    shares = allot(total, weights, low=low, high=high)
    assert sum(shares.values()) == total
    assert all(low <= share <= high for share in shares.values())


def test_a_share_does_not_depend_on_the_order_of_the_keys() -> None:
    weights = {"a": 3, "b": 5, "c": 5, "d": 9}
    backwards = dict(reversed(weights.items()))
    assert allot(101, weights, low=1) == allot(101, backwards, low=1)


def test_a_township_keeps_what_lies_above_and_below_it(plan: CityPlan) -> None:
    part = plan.only("620402100")
    assert [division.name for division in part.divisions[:3]] == ["白银市", "白银区", "水川镇"]
    assert len(part.of_level("village")) == 14
    assert (len(part.grids), sum(grid.households for grid in part.grids)) == (72, 5_551)
    assert part.grids == tuple(grid for grid in plan.grids if grid.code.startswith("620402100"))
