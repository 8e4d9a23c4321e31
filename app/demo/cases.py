"""Tell what became of the demo's incidents: the steps of each case, stamped as the server stamps.

Nothing is made up that the rules would write otherwise: levels, due times, counts and results come
from the feature's own functions, fed with the lists that come with the product.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from app.calendar import Calendars
from app.core.actor import Actor
from app.core.moments import as_text
from app.core.records import kind_of
from app.demo.bulk import Act
from app.demo.day import moment
from app.demo.people import SUPERVISORS, name_of, workers_of
from app.demo.plan import DATA, PlannedGrid, h
from app.incidents.duties import Duty
from app.incidents.found import Found, Rules
from app.incidents.models import Incident
from app.incidents.moves import Move, steps
from app.incidents.rules import NEW_ROUND
from app.incidents.stamps import stamps
from app.incidents.step import Step
from sync.clock import ActTime
from sync.edits import Edit, Record
from sync.gate import Work

DUTIES: Final = {
    "": "township", "02": "grid", "03": "grid", "04": "grid", "05": "village", "06": "village",
    "07": "village", "08": "village", "12": "grid",
}  # fmt: skip
"""Who is in charge in each county, by group of categories: the area of this level."""
HANDLED: Final = ("claimed", "in_progress", "answered", "checked", "closed", "followed_up")
TO_UNIT: Final = ("reported", "verified", "filed", "dispatched")
FATES: Final = (
    (5, ("reported",)),
    (9, ("reported", "verified")),
    (13, ("reported", "verified", "filed")),
    (18, TO_UNIT),
    (22, (*TO_UNIT, *HANDLED[:1])),
    (28, (*TO_UNIT, *HANDLED[:2])),
    (30, (*TO_UNIT, *HANDLED[:2], "hung")),
    (34, (*TO_UNIT, *HANDLED[:3])),
    (37, (*TO_UNIT, *HANDLED[:4])),
    (43, (*TO_UNIT, *HANDLED[:5])),
    (77, (*TO_UNIT, *HANDLED)),
    (81, (*TO_UNIT, "returned", "dispatched", *HANDLED)),
    (86, (*TO_UNIT, *HANDLED[:3], "rework", *HANDLED[1:])),
    (88, (*TO_UNIT, *HANDLED[:2], "hung", *HANDLED[1:])),
    (92, ("reported", "rejected")),
    (94, ("reported", "verified", "not_filed")),
    (100, ("draft", "closed")),
)  # fmt: skip
SLOW_ONE_IN, SLOWER = 6, 60
"""Of so many cases one drags on: each of its steps takes so many times as long."""
DAY_MS: Final = 86_400_000
WORDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "rejected": {"state_reason": "同一事项已有人上报。"},
    "not_filed": {"state_reason": "不属受理范围，已告知上报人。"},
    "returned": {"state_reason": "不属本单位职责，请另行派遣。"},
    "answered": {"result_text": "已派人处理完毕，现场恢复正常。"},
    "rework": {"state_reason": "核查时现场仍未清理干净。"},
    "hung": {"state_reason": "等待配件到货。"},
    "closed": {"step_close": "normal"},
}
SETTLED: Final = {"result_text": "已当场处理完毕。"}


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a case lies and who deals with it.

    Attributes:
        path: the ids of the areas that hold it, from the city down to its grid, with their levels.
        users: user ids by the key of the account.
        until_ms: the end of the last day of work: what would come later has not happened yet.
    """

    grid: PlannedGrid
    path: Sequence[tuple[int, str]]
    users: Mapping[str, int]
    until_ms: int


def goes_on(scene: Scene, key: str, rec: str, first: Act) -> Iterator[Act]:
    """Yield the acts of a case: its report with what the server adds, and the steps after it."""
    fate = _fate(key, str(first.values["category"]))
    values: dict[str, Any] = {}
    start, pause = first.ms, _pause_ms(key)
    for number, state in enumerate(fate):
        ms = start + number * pause
        if number and ms > scene.until_ms:
            return
        told = first if number == 0 else Act(0, ms, {})
        said = {**told.values, **_said(state, values, key, ms)}
        who = first.user if number == 0 else scene.users[_author(scene, state, values, first, key)]
        act = _stamped(scene, rec, values, Act(who, ms, said, told.derived))
        values |= {**act.values, **act.derived}
        yield act


def begins_as(key: str, category: str) -> str:
    """Return the state in which an incident is first written down."""
    return _fate(key, category)[0]


def _fate(key: str, category: str) -> tuple[str, ...]:
    percent = h("fate", key) % 100
    fate = next(states for limit, states in FATES if percent < limit)
    known = _lists().categories[category]
    patient = (known["priority"] or 0) >= 3 and not (known["sensitivity"] or
                                                      known["emergency_call"])  # fmt: skip
    return fate if patient or fate[-1] != "closed" or fate[0] != "draft" else FATES[10][1]


def _pause_ms(key: str) -> int:
    """Return how long each step takes: 10 to 70 minutes, or days where a case drags on."""
    pause = (10 + h("pause", key) % 60) * 60_000
    return pause * SLOWER if h("slow", key) % SLOW_ONE_IN == 0 else pause


def _said(state: str, before: Mapping[str, Any], key: str, ms: int) -> dict[str, Any]:
    """Return what is said with a step into a state."""
    round_ = (before.get("round") or 0) + (state in NEW_ROUND)
    words = dict(WORDS.get(state, {}))
    if state == "closed" and before.get("state") == "draft":
        words = dict(SETTLED)
    if state == "hung":
        words["step_until"] = as_text(ms + 7 * DAY_MS)
    if state == "followed_up":
        points = h("points", key)
        words = {"score_service": 3 + points % 3, "score_result": 5 - points // 3 % 8 // 6}
    return {"state": state, "round": round_, **words}


def _author(scene: Scene, state: str, before: Mapping[str, Any], first: Act, key: str) -> str:
    """Return the key of whoever takes a step, by who may take it at the level of the case."""
    grid, level = scene.grid, before.get("level")
    at = level if level in ("county", "city") else "township"
    office = f"{_codes(grid)[at]}s01"
    if state == "closed" and before["state"] == "draft":
        return _key_of(scene, first.user)
    if state in ("verified", "rejected", "followed_up"):
        return f"{grid.unit_code}s01"
    if state in ("claimed", "returned"):
        return _unit(scene, before, key)
    if state in ("answered", "in_progress") and before["state"] != "hung":
        return _key_of(scene, before["handler"])
    if state in ("checked", "rework"):
        return f"{grid.code[:9]}s02"
    return office


def _unit(scene: Scene, before: Mapping[str, Any], key: str) -> str:
    """Return the key of one who serves the area to which a case was dispatched."""
    level = dict(scene.path)[before["unit"]]
    if level == "grid":
        workers = [worker.key for worker in workers_of(scene.grid)]
        return workers[h("handler", key) % len(workers)]
    return f"{_codes(scene.grid)[level]}s01"


def _codes(grid: PlannedGrid) -> dict[str, str]:
    """Return the codes of the areas that hold a grid, by level."""
    code = grid.code
    return {"village": grid.unit_code, "township": code[:9], "county": code[:6],
            "city": f"{code[:4]}00"}  # fmt: skip


def _key_of(scene: Scene, user: int) -> str:
    return next(key for key in _keys(scene) if scene.users.get(key) == user)


def _keys(scene: Scene) -> Iterator[str]:
    """Yield everybody who may have a hand in a case of a grid."""
    yield from (worker.key for worker in workers_of(scene.grid))
    codes = _codes(scene.grid)
    for level, count in SUPERVISORS.items():
        code = codes[level]
        yield from (f"{code}s{number:02d}" for number in range(1, count + 1))


def _stamped(scene: Scene, rec: str, before: Mapping[str, Any], act: Act) -> Act:
    """Return an act with what the server writes with it."""
    here = before.get("state")
    move: Move = steps()[here, act.values["state"]]
    edit = Edit(1, "", "event" if before else "create", Incident.kind, rec, set=act.values)
    record = Record(Incident.kind, rec, 1, dict(before), {}) if before else None
    work = Work(edit, kind_of(Incident), record, ActTime(act.ms, anchored=True, suspect=False))
    actor = Actor(act.user, (), name=name_of(_key_of(scene, act.user)))
    said = {**act.values, **act.derived}
    return Act(act.user, act.ms, act.values,
               {**act.derived, **stamps(Step(work, move, said, _found(scene), actor))})  # fmt: skip


# -- the lists that come with the product -----------------------------------------------------


@dataclass(frozen=True)
class _Lists:
    categories: Mapping[str, Mapping[str, Any]]
    calendars: Calendars


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    with (DATA / "incident_categories.csv").open(encoding="utf-8", newline="") as lines:
        categories = {row["code"]: {name: _typed(name, text) for name, text in row.items()}
                      for row in csv.DictReader(lines) if row["level"] == "2"}  # fmt: skip
    with (DATA / "working_calendar.csv").open(encoding="utf-8", newline="") as lines:
        days = {date.fromisoformat(row["day"]): row["works"] == "1"
                for row in csv.DictReader(lines)}  # fmt: skip
    return _Lists(categories, Calendars(days, {}))


def _typed(name: str, text: str) -> Any:
    numbers = ("priority", "accept_minutes", "handle_hours", "escalate_after_hours", "sensitivity")
    return (int(text) if name in numbers else text) if text else None


def _found(scene: Scene) -> Found:
    """Return what the rules need of a grid, as the database would give it."""
    levels = dict(scene.path)
    county = next(area for area, level in scene.path if level == "county")
    duties = {county: {code: Duty(county, code, None, level) for code, level in DUTIES.items()}}
    grid = scene.path[-1][0]
    path = "".join(f"{area}." for area, _ in scene.path)
    rules = Rules(_lists().calendars, {}, duties, levels)
    return Found(_lists().categories, {}, {grid: path}, levels, rules)


def end_of(day: date) -> int:
    """Return the last moment of a day in China, in ms."""
    return int(moment(day + timedelta(days=1), 0).timestamp() * 1000) - 1
