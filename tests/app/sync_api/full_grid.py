"""A grid as it really is: 300 households with contacts, tasks and cases, 1,119 rows."""

import random
from typing import Any

from app.core.identifiers import new_id
from tests.app.core.county import GAS_LEAK, County, SyncPhone, household, incident
from tests.app.identity.town import GRID

HOUSEHOLDS, CONTACTS, TASKS, CASES, URGENT = 300, 420, 250, 144, 5
ROWS = HOUSEHOLDS + CONTACTS + TASKS + CASES + URGENT
STREETS = ("人民路", "中山西路", "五一街", "北京路", "兰州巷", "胜利街", "公园路", "四龙路")
NAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂兰"
WORDS = ("路灯不亮", "井盖松动", "垃圾无人清运", "楼道堆物", "邻里噪声", "水管漏水", "占道停车")
BATCH = 100


def fill(county: County) -> None:
    """Fill the first grid through the phones of its worker and of the village lead."""
    rng = random.Random(7)
    worker, lead = county.phone("gw"), county.phone("vl")
    homes = [new_id() for _ in range(HOUSEHOLDS)]
    _push(worker, [worker.edit("create", "household", home, set=_home(rng)) for home in homes])
    _push(worker, [worker.edit("create", "contact", set=_contact(rng, rng.choice(homes)))
                   for _ in range(CONTACTS)])  # fmt: skip
    _push(lead, [lead.edit("create", "task", set=_task(rng, county)) for _ in range(TASKS)])
    _push(worker, [worker.edit("create", "incident", set=incident(text=_words(rng)))
                   for _ in range(CASES)])  # fmt: skip
    _push(worker, [worker.edit("create", "incident", set=incident(category=GAS_LEAK,
                   text=_words(rng))) for _ in range(URGENT)])  # fmt: skip


def _push(phone: SyncPhone, edits: list[dict[str, Any]]) -> None:
    for first in range(0, len(edits), BATCH):
        results = phone.push(*edits[first : first + BATCH])
        assert {one["status"] for one in results} == {"applied"}, results[0]


def _home(rng: random.Random) -> dict[str, Any]:
    address = f"{rng.choice(STREETS)} {rng.randrange(1, 300)} 号"
    point = [round(104.10 + rng.random() * 0.01, 7), round(36.50 + rng.random() * 0.01, 7)]
    return household(
        address_text=address, building=str(rng.randrange(1, 30)),
        unit_room=f"{rng.randrange(1, 5)}-{rng.randrange(101, 2604)}",
        **_people(rng), door_point=point,
        door_accuracy_m=rng.randrange(3, 30), door_source="gps",
    )  # fmt: skip


def _people(rng: random.Random) -> dict[str, int]:
    ages = ("count_0_5", "count_6_13", "count_14_17", "count_18_59", "count_60_79", "count_80_up")
    counts = {age: rng.choice((0, 0, 1, 2)) for age in ages}
    return {**counts, "residents_count": sum(counts.values())}


def _contact(rng: random.Random, home: str) -> dict[str, Any]:
    name = rng.choice(NAMES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2))))
    return {"household": home, "name": name, "phone": f"13{rng.randrange(10**9):09}"}


def _task(rng: random.Random, county: County) -> dict[str, Any]:
    return {"grid": GRID, "task_kind": "visit", "title": f"看望{rng.choice(NAMES)}家老人",
            "state": "assigned", "round": 0, "assignee": county.ids["gw"],
            "due_at": f"2031-0{rng.randrange(1, 10)}-1{rng.randrange(10)}T08:00:00Z"}  # fmt: skip


def _words(rng: random.Random) -> str:
    place = f"{rng.choice(STREETS)} {rng.randrange(1, 300)} 号"
    return f"{place}{rng.choice(WORDS)}，居民{rng.choice(NAMES)}某反映"
