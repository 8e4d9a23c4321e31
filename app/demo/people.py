"""Invent the people of the demo city: names, telephones, accounts, addresses; nobody is real."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.demo.plan import CityPlan, Division, PlannedGrid, h

SURNAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
    "程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜"
)
GIVEN_NAME_CHARACTERS: Final = (
    "安柏斌波博昌晨成诚春翠丹德栋恩帆芳飞芬峰福刚光桂国海涵浩和荷"
    "恒宏虹华辉慧吉佳嘉坚健江杰洁金锦晶静娟军君凯康兰磊丽莲亮林玲"
    "龙鹿梅美敏明宁培鹏平萍琪清晴庆秋泉荣瑞睿森山尚盛石守淑双爽顺"
    "思松涛田婷万伟文霞贤祥晓欣秀雪雅燕洋宜义银颖勇玉远云泽哲珍志"
)
SUPERVISORS: Final = {"village": 1, "township": 3, "county": 6, "city": 10}
STREETS: Final = ("迎宾路", "建设路", "人民路", "兰州路", "诚信大道", "纺织路", "西山路", "红星街")
LANES: Final = ("东巷", "西巷", "南巷", "北巷", "中巷", "上巷", "下巷", "后巷")
AGE_BANDS: Final = (
    "count_0_5", "count_6_13", "count_14_17", "count_18_59", "count_60_79", "count_80_up",
)  # fmt: skip
ADULTS: Final = (3, 3, 3, 3, 4, 4, 4, 5)
ALL_AGES: Final = (0, 1, 1, 2, 3, 3, 3, 3, 3, 3, 4, 4)
"""Age bands by their place in AGE_BANDS, as often as they are to occur."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person who signs in: a grid worker, or the lead or supervisor of an area."""

    key: str
    name: str
    phone: str
    level: str
    area_code: str
    duty: str


@dataclass(frozen=True, slots=True)
class PlannedHousehold:
    """A household of a grid: where its door is and whom to reach."""

    key: str
    grid_code: str
    address: str
    building: str
    room: str
    occupancy: str
    ages: tuple[int, ...]
    contact: "PlannedContact | None"

    @property
    def residents(self) -> int:
        """Count the people who live there."""
        return sum(self.ages)


@dataclass(frozen=True, slots=True)
class PlannedContact:
    """A person of a household who agreed to be reached."""

    name: str
    phone: str
    relation: str


def name_of(key: str) -> str:
    """Invent the name of a person: a surname and one or two characters."""
    characters = GIVEN_NAME_CHARACTERS
    number = h("giv", key)
    first = characters[number % len(characters)]
    second = number // len(characters) % (len(characters) + 40)
    surname = SURNAMES[h("sur", key) % len(SURNAMES)]
    return surname + first + (characters[second] if second < len(characters) else "")


def phone_of(key: str) -> str:
    """Invent a telephone number of a range that is given to nobody."""
    return f"+86199{h('tel', key) % 100_000_000:08d}"


def workers_of(grid: PlannedGrid) -> Iterator[Account]:
    """Yield the workers of a grid: its leader, then building captains or heads of groups."""
    helper = "building_captain" if grid.in_town else "group_head"
    for number in range(1, grid.workers + 1):
        duty = "leader" if number == 1 else helper
        yield _account(f"{grid.code}w{number:02d}", "grid", grid.code, duty)


def supervisors_of(division: Division) -> Iterator[Account]:
    """Yield the supervisors of an area above the grids."""
    for number in range(1, SUPERVISORS[division.level] + 1):
        key = f"{division.code}s{number:02d}"
        yield _account(key, division.level, division.code, "supervisor")


def accounts_of(plan: CityPlan) -> Iterator[Account]:
    """Yield everybody who signs in: supervisors from the city down, then the workers."""
    for level in SUPERVISORS:
        for division in plan.of_level(level):
            yield from supervisors_of(division)
    for grid in plan.grids:
        yield from workers_of(grid)


def _account(key: str, level: str, area_code: str, duty: str) -> Account:
    """Make the account of a key."""
    return Account(key, name_of(key), phone_of(key), level, area_code, duty)


def households_of(grid: PlannedGrid) -> Iterator[PlannedHousehold]:
    """Yield the households of a grid, door by door."""
    for number in range(grid.households):
        yield (_flat if grid.in_town else _farmhouse)(grid, number)


def _flat(grid: PlannedGrid, number: int) -> PlannedHousehold:
    """Make a household of a town grid: six floors, two doors a floor, three stairways a house."""
    house, door = divmod(number, 36)
    stairway, rest = divmod(door, 12)
    street = STREETS[h("street", grid.unit_code) % len(STREETS)]
    building = f"{house + 1}号楼"
    room = f"{stairway + 1}单元{rest // 2 + 1}0{rest % 2 + 1}室"
    block = h("block", grid.code) % 300 + 1
    return _household(grid, number, f"{street}{block}号院{building}{room}", building, room)


def _farmhouse(grid: PlannedGrid, number: int) -> PlannedHousehold:
    """Make a household of a rural grid: a house on a lane of its natural village."""
    lane = LANES[number // 10 % len(LANES)]
    return _household(grid, number, f"{grid.name}{lane}{number + 1}号", "", "")


def _household(
    grid: PlannedGrid, number: int, address: str, building: str, room: str
) -> PlannedHousehold:
    """Give a door its occupancy, its residents by age and, for one in ten, a contact."""
    key = f"{grid.code}h{number + 1:03d}"
    draw = h("occupancy", key)
    occupancy = _occupancy(draw % 100)
    ages = _ages(draw // 100 if occupancy not in ("empty", "business") else 0)
    contact = _contact(key) if any(ages) and h("contact", key) % 10 == 0 else None
    return PlannedHousehold(key, grid.code, address, building, room, occupancy, ages, contact)


def _ages(draw: int) -> tuple[int, ...]:
    """Count one to five residents by age band from a large number; none from 0."""
    counts = [0] * len(AGE_BANDS)
    draw, residents = divmod(draw, 5)
    for place in range(residents + 1 if draw else 0):
        draw, age = divmod(draw, len(ADULTS if place == 0 else ALL_AGES))
        counts[(ADULTS if place == 0 else ALL_AGES)[age]] += 1
    return tuple(counts)


def _occupancy(percent: int) -> str:
    """Return the occupancy of a household from a number below 100."""
    shares = ((82, "lived_in"), (92, "empty"), (96, "seasonal"), (98, "business"))
    return next((kind for limit, kind in shares if percent < limit), "unknown")


def _contact(key: str) -> PlannedContact:
    """Invent the contact of a household."""
    relation = ("self", "self", "spouse", "child", "parent")[h("relation", key) % 5]
    return PlannedContact(name_of(f"{key}c"), phone_of(f"{key}c"), relation)
