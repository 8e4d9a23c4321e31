"""An edition is compared by code with what stands; what the file is silent about stays."""

from dataclasses import replace
from datetime import date

import pytest

from app.areas.divisions import Unit
from app.areas.editions import Plan, StandingUnit, compare
from app.areas.flaws import FlawedFile

BEFORE, DAY, LATER = date(2020, 6, 30), date(2021, 10, 31), date(2022, 10, 31)
CITY = Unit("620400", "白银市", "白银市", "city", "city", "")
COUNTY = Unit("620402", "白银区", "白银区", "county", "district", "620400")
OTHER_COUNTY = Unit("620403", "平川区", "平川区", "county", "district", "620400")
TOWN = Unit("620402100", "水川镇", "水川镇", "township", "town", "620402", "121")
VILLAGE = Unit("620402100208", "金锋村", "金锋村", "village", "village", "620402100", "220")
EVERYTHING = (CITY, COUNTY, OTHER_COUNTY, TOWN, VILLAGE)
PATHS = {"620400": "1.", "620402": "1.2.", "620403": "1.3.", "620402100": "1.2.4.",
         "620402100208": "1.2.4.5."}  # fmt: skip


def standing(*units: Unit, ended: date | None = None) -> list[StandingUnit]:
    return [
        StandingUnit(int(PATHS[one.code].split(".")[-2]), PATHS[one.code], one, BEFORE, ended)
        for one in units
    ]


def changed(plan: Plan) -> dict[str, int]:
    return {name: count for name, count in plan.counts().items() if count}


def test_the_same_edition_again_changes_nothing() -> None:
    assert changed(compare(EVERYTHING, standing(*EVERYTHING), DAY)) == {}


def test_a_first_edition_adds_every_unit() -> None:
    assert changed(compare(EVERYTHING, [], DAY)) == {"added": 5}


def test_a_unit_that_is_no_longer_listed_ends() -> None:
    plan = compare(EVERYTHING[:-1], standing(*EVERYTHING), DAY)
    assert [one.unit.code for one in plan.ended] == [VILLAGE.code]


def test_a_file_of_one_county_says_nothing_about_its_neighbours() -> None:
    plan = compare((COUNTY, TOWN), standing(*EVERYTHING), DAY)
    assert [one.unit.code for one in plan.ended] == [VILLAGE.code]


def test_a_file_of_new_villages_only_ends_nothing() -> None:
    new = replace(VILLAGE, code="620402100299", name="新村")
    assert changed(compare([new], standing(*EVERYTHING), DAY)) == {"added": 1}


def test_another_name_is_a_rename_of_the_same_area() -> None:
    plan = compare([*EVERYTHING[:-1], replace(VILLAGE, name="金峰村")], standing(*EVERYTHING), DAY)
    assert changed(plan) == {"renamed": 1}
    assert plan.revised[0].was.area_id == 5


def test_another_parent_is_a_move_of_the_same_area() -> None:
    moved = replace(TOWN, parent_code="620403")
    plan = compare([CITY, COUNTY, OTHER_COUNTY, moved, VILLAGE], standing(*EVERYTHING), DAY)
    assert changed(plan) == {"moved": 1}


def test_a_previous_code_makes_a_new_code_the_same_area() -> None:
    recoded = replace(TOWN, code="620402199", previous_code=TOWN.code)
    below = replace(VILLAGE, parent_code="620402199")
    plan = compare([CITY, COUNTY, OTHER_COUNTY, recoded, below], standing(*EVERYTHING), DAY)
    assert changed(plan) == {"recoded": 1}
    assert plan.known["620402199"] == 4


def test_two_units_cannot_both_continue_one_area() -> None:
    halves = [replace(VILLAGE, code=f"62040210029{n}", previous_code=VILLAGE.code) for n in (1, 2)]
    plan = compare([CITY, COUNTY, OTHER_COUNTY, TOWN, *halves], standing(*EVERYTHING), DAY)
    assert changed(plan) == {"added": 1, "recoded": 1}


def test_a_list_without_place_classes_keeps_those_that_are_known() -> None:
    units = [replace(one, urban_rural_code="") for one in EVERYTHING]
    assert changed(compare(units, standing(*EVERYTHING), DAY)) == {}


def test_a_unit_that_ended_on_the_day_of_the_edition_is_revived() -> None:
    before = standing(*EVERYTHING[:-1]) + standing(VILLAGE, ended=DAY)
    plan = compare(EVERYTHING, before, DAY)
    assert changed(plan) == {"revived": 1}


def test_a_code_that_comes_back_after_years_is_another_area() -> None:
    before = standing(*EVERYTHING[:-1]) + standing(VILLAGE, ended=DAY)
    assert changed(compare(EVERYTHING, before, LATER)) == {"added": 1}


def test_a_village_whose_township_is_gone_from_the_file_is_named() -> None:
    plan = compare([CITY, COUNTY, replace(VILLAGE, row=3)], standing(*EVERYTHING), DAY)
    assert [(flaw.row, flaw.code) for flaw in plan.flaws] == [(3, "parent_ended")]
    assert changed(plan.without_ends()) == {}


@pytest.mark.parametrize("ended", [None, LATER])
def test_an_edition_older_than_what_stands_is_refused(ended: date | None) -> None:
    before = standing(*EVERYTHING[:-1]) + standing(VILLAGE, ended=ended)
    day = DAY if ended else date(2019, 10, 31)
    with pytest.raises(FlawedFile, match="edition_older"):
        compare(EVERYTHING, before, day)
