"""The invented people: as many as the specification says, the same in each run."""

import re
from collections import Counter
from itertools import islice

from app.demo.people import (
    GIVEN_NAME_CHARACTERS,
    SURNAMES,
    accounts_of,
    households_of,
    name_of,
    phone_of,
    workers_of,
)
from app.demo.plan import city_plan


def test_names_come_from_sixty_surnames_and_a_hundred_and_twenty_characters() -> None:
    assert len(set(SURNAMES)) == len(SURNAMES) == 60
    assert len(set(GIVEN_NAME_CHARACTERS)) == len(GIVEN_NAME_CHARACTERS) == 120
    names = {name_of(str(number)) for number in range(2_000)}
    assert {name[0] for name in names} == set(SURNAMES)
    assert {len(name) for name in names} == {2, 3}


def test_telephones_lie_in_the_range_that_is_given_to_nobody() -> None:
    assert all(re.fullmatch(r"\+86199\d{8}", phone_of(str(number))) for number in range(2_000))


def test_the_accounts_are_those_of_the_specification() -> None:
    accounts = list(accounts_of(city_plan()))
    levels = Counter(account.level for account in accounts)
    assert levels == {"grid": 23_611, "village": 828, "township": 234, "county": 30, "city": 10}
    assert len({account.key for account in accounts}) == len(accounts)


def test_the_first_worker_leads_and_the_others_help_by_the_kind_of_grid() -> None:
    town = next(grid for grid in city_plan().grids if grid.in_town)
    rural = next(grid for grid in city_plan().grids if not grid.in_town)
    assert [worker.duty for worker in islice(workers_of(town), 2)] == ["leader", "building_captain"]
    assert [worker.duty for worker in islice(workers_of(rural), 2)] == ["leader", "group_head"]


def test_a_grid_has_its_households_each_with_its_own_door() -> None:
    for grid in city_plan().grids[::500]:
        households = list(households_of(grid))
        assert len(households) == grid.households
        assert len({household.address for household in households}) == grid.households
        assert len({household.key for household in households}) == grid.households


def test_nobody_is_to_be_reached_where_nobody_lives() -> None:
    grid = city_plan().grids[0]
    reached = [household for household in households_of(grid) if household.contact]
    assert 0 < len(reached) < grid.households
    assert all(household.residents for household in reached)
