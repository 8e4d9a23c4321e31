"""Lay out the demo city as plain values: units, grids, households and workers by count.

Everything is a function of the division files and of the salt words, so two runs give one city.
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isqrt
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parents[2] / "data"
CITY_DIGEST: Final = "7e1a49f24cca45096a086e6c0f366bd3e9507eb6c0372f17bc3e4c2d3388a581"
WORKERS_TOTAL: Final = 23_611
TOWN_GRIDS_TOTAL: Final = 1_360
RURAL_GRIDS_TOTAL: Final = 4_733
GRIDS_PER_UNIT: Final = {"community": (4, 40), "village": (2, 20)}
WORKERS_PER_GRID: Final = (2, 12)
RESETTLEMENT_COMMUNITIES: Final = 2
RESETTLEMENT_UNITS: Final = 6
POPULATION: Final = {
    "620402": {"community": 310_000, "village": 28_400},
    "620403": {"community": 145_000, "village": 56_000},
    "620421": {"community": 150_000, "village": 221_700},
    "620422": {"community": 150_000, "village": 249_300},
    "620423": {"community": 98_400, "village": 100_100},
}


@dataclass(frozen=True, slots=True)
class Division:
    """One unit of the national division list: a city, county, township, village or community."""

    code: str
    name: str
    short_name: str
    level: str
    kind: str
    parent_code: str
    urban_rural_code: str = ""
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class PlannedGrid:
    """One grid with the number of its households and workers.

    Attributes:
        ordinal: its place among all grids of the city, from 0.
    """

    ordinal: int
    code: str
    name: str
    unit_code: str
    kind: str
    households: int
    workers: int

    @property
    def in_town(self) -> bool:
        """Tell whether the grid belongs to a community."""
        return self.kind == "community"

    @property
    def groups(self) -> int:
        """Count its groups of ten households."""
        return -(-self.households // 10)


@dataclass(frozen=True, eq=False)
class CityPlan:
    """The whole city in code order: its divisions and its grids."""

    divisions: tuple[Division, ...]
    grids: tuple[PlannedGrid, ...]

    def of_level(self, level: str) -> tuple[Division, ...]:
        """Return the divisions of one level, in code order."""
        return tuple(division for division in self.divisions if division.level == level)

    def below(self, code: str) -> tuple[Division, ...]:
        """Return the divisions directly below one, in code order."""
        return tuple(self._children[code])

    def grids_of(self, unit_code: str) -> tuple[PlannedGrid, ...]:
        """Return the grids of a village or community, in code order."""
        return tuple(self._grids[unit_code])

    @property
    def households(self) -> int:
        """Count the households."""
        return sum(grid.households for grid in self.grids)

    @property
    def workers(self) -> int:
        """Count the grid workers."""
        return sum(grid.workers for grid in self.grids)

    def only(self, township_code: str) -> "CityPlan":
        """Return the plan of one township with what lies above and below it."""
        above = {township_code[:6], self.divisions[0].code}
        divisions = tuple(
            division
            for division in self.divisions
            if division.code in above or division.code.startswith(township_code)
        )
        grids = tuple(grid for grid in self.grids if grid.code.startswith(township_code))
        return CityPlan(divisions, grids)

    @cached_property
    def _children(self) -> dict[str, list[Division]]:
        children: dict[str, list[Division]] = defaultdict(list)
        for division in self.divisions:
            children[division.parent_code].append(division)
        return children

    @cached_property
    def _grids(self) -> dict[str, list[PlannedGrid]]:
        grids: dict[str, list[PlannedGrid]] = defaultdict(list)
        for grid in self.grids:
            grids[grid.unit_code].append(grid)
        return grids


def h(salt: str, key: str) -> int:
    """Return the number that stands for a key under a salt: 64 bits of a SHA-256."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{key}".encode()).digest()[:8], "big")


def allot(
    total: int, weights: Mapping[str, int], *, low: int, high: int | None = None
) -> dict[str, int]:
    """Share a total by weight in whole units, each key having at least `low` and at most `high`."""
    has = dict.fromkeys(weights, low)
    cap = total if high is None else high
    left = total - low * len(has)
    assert left >= 0 and total <= cap * len(has), "the bounds leave no way to share the total"
    while left > 0:
        left = _round(left, weights, has, cap)
    return has


def _round(left: int, weights: Mapping[str, int], has: dict[str, int], cap: int) -> int:
    """Give out one round and return what is left."""
    open_keys = [key for key, count in has.items() if count < cap]
    whole = sum(weights[key] for key in open_keys)
    given = 0
    for key in open_keys:
        share = min(left * weights[key] // whole, cap - has[key])
        has[key] += share
        given += share
    if given >= len(open_keys):
        return left - given
    by_remainder = sorted(open_keys, key=lambda key: (-(left * weights[key] % whole), key))
    takers = [key for key in by_remainder if has[key] < cap][: left - given]
    for key in takers:
        has[key] += 1
    return left - given - len(takers)


def read_divisions(path: Path) -> tuple[Division, ...]:
    """Read a division list."""
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Division(
                code=row["code"],
                name=row["name"],
                short_name=row["short_name"],
                level=row["level"],
                kind=row["kind"],
                parent_code=row["parent_code"],
                urban_rural_code=row["urban_rural_code"],
            )
            for row in csv.DictReader(lines)
        )


def with_resettlement(divisions: Sequence[Division]) -> tuple[Division, ...]:
    """Add the six units that were set up for resettlement, in the six towns the hash picks."""
    towns = [division for division in divisions if division.kind == "town"]
    picked = sorted(towns, key=lambda town: (h("resettlement", town.code), town.code))
    added = [_resettled(town, number) for number, town in enumerate(picked[:RESETTLEMENT_UNITS])]
    return tuple(sorted([*divisions, *added], key=lambda division: division.code))


def _resettled(town: Division, number: int) -> Division:
    """Make the resettlement unit of a town: first communities, then villages."""
    in_town = number < RESETTLEMENT_COMMUNITIES
    suffix, kind, ending = (
        ("190", "community", "安置社区") if in_town else ("390", "village", "安置村")
    )
    name = town.name[:-1] + ending
    return Division(town.code + suffix, name, name, "village", kind, town.code, synthetic=True)


def plan_grids(divisions: Iterable[Division]) -> tuple[PlannedGrid, ...]:
    """Plan the grids of all villages and communities, with households and workers."""
    units = [division for division in divisions if division.level == "village"]
    counts = _grids_per_unit(units)
    bare = [
        (f"{unit.code}{number:03d}", f"{unit.short_name}第{number}网格", unit)
        for unit in units
        for number in range(1, counts[unit.code] + 1)
    ]
    households = {code: _households(code, unit.kind) for code, _, unit in bare}
    low, high = WORKERS_PER_GRID
    weights = {code: isqrt(count * 10_000) for code, count in households.items()}
    workers = allot(WORKERS_TOTAL, weights, low=low, high=high)
    return tuple(
        PlannedGrid(ordinal, code, name, unit.code, unit.kind, households[code], workers[code])
        for ordinal, (code, name, unit) in enumerate(bare)
    )


def _grids_per_unit(units: Sequence[Division]) -> dict[str, int]:
    """Share the grids among counties by population, then among the units of each county."""
    weights: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for unit in units:
        weights[unit.kind, unit.code[:6]][unit.code] = 500 + h("grids", unit.code) % 1000
    counts: dict[str, int] = {}
    for kind, total in (("community", TOWN_GRIDS_TOTAL), ("village", RURAL_GRIDS_TOTAL)):
        population = {county: people[kind] for county, people in POPULATION.items()}
        low, high = GRIDS_PER_UNIT[kind]
        for county, grids in allot(total, population, low=0).items():
            counts |= allot(grids, weights[kind, county], low=low, high=high)
    return counts


def _households(grid_code: str, kind: str) -> int:
    """Return how many households a grid has: more in town than in the country."""
    number = h("hh", grid_code)
    return 120 + number % 241 if kind == "community" else 20 + number % 57


def digest(grids: Iterable[PlannedGrid]) -> str:
    """Return the SHA-256 that a plan of the true size must have."""
    lines = (f"{grid.code},{grid.households},{grid.workers}" for grid in grids)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@lru_cache(maxsize=1)
def city_plan() -> CityPlan:
    """Plan the demo city from the division list of 2020 and check it against its digest."""
    divisions = with_resettlement(read_divisions(DATA / "baiyin_divisions.csv"))
    grids = plan_grids(divisions)
    if digest(grids) != CITY_DIGEST:
        raise ValueError("The planned city is not the city of the specification: see data/")
    return CityPlan(divisions, grids)
