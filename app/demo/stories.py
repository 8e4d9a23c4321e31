"""Tell the past of the demo's records: who wrote what, and when, until they stood as they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from app.core.moments import as_text
from app.demo import cases
from app.demo.bulk import Act, Story, identity_of
from app.demo.day import PlannedIncident, PlannedTask, moment
from app.demo.halton import Place
from app.demo.people import AGE_BANDS, PlannedHousehold, workers_of
from app.demo.plan import PlannedGrid, h
from app.forms.bringing import seed_keys
from app.households.consents import CONTACT, GIVEN, latest_end, notices

BOOKS_OPEN_MS: Final = 1_593_532_800_000
"""2020-07-01 in China: from here on the ids of households count."""
ID_STEP_MS: Final = 1_000
CANVASS_DAYS: Final = 300
TASK_FATES: Final = (
    (30, ()),
    (50, ("accepted",)),
    (60, ("accepted", "started")),
    (88, ("accepted", "started", "done")),
    (97, ("accepted", "started", "done", "verified")),
    (100, ("declined",)),
)  # fmt: skip
REPORT: Final = "已按要求完成，情况正常。"
REPORT_COUNT_MAX: Final = 40
NOT_TODAY: Final = "今日参加乡镇培训，无法前往。"
NO_PHOTO: Final = "示例数据，未附照片。"

Fates = tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """The areas and people of the demo as they stand in the database.

    Attributes:
        areas: area ids by code.
        users: user ids by the key of the account.
    """

    areas: Mapping[str, int]
    users: Mapping[str, int]

    def path(self, grid: PlannedGrid) -> list[tuple[int, str]]:
        """Return the areas that hold a grid with their levels, from the city down to itself."""
        code = grid.code
        codes = (f"{code[:4]}00", code[:6], code[:9], grid.unit_code, code)
        levels = ("city", "county", "township", "village", "grid")
        return [(self.areas[one], level) for one, level in zip(codes, levels, strict=True)]

    def leader(self, grid: PlannedGrid) -> int:
        """Return the first worker of a grid."""
        return self.users[f"{grid.code}w01"]

    def lead(self, grid: PlannedGrid) -> int:
        """Return the lead of the village or community of a grid."""
        return self.users[f"{grid.unit_code}s01"]

    def supervisor(self, grid: PlannedGrid) -> int:
        """Return the first supervisor of the township of a grid."""
        return self.users[f"{grid.code[:9]}s01"]


def household_id(grid: PlannedGrid, number: int) -> str:
    """Return the id of a household by its number in the grid, from 0."""
    ms = BOOKS_OPEN_MS + grid.ordinal * ID_STEP_MS + number
    return identity_of(f"{grid.code}h{number + 1:03d}", ms)


def household_stories(
    cast: Cast, grid: PlannedGrid, number: int, planned: PlannedHousehold, door: Place, day: date
) -> Iterator[Story]:
    """Yield how a household, and its contact, were taken down on the grid's canvass day."""
    canvassed = day - timedelta(days=1 + h("canvass", grid.code) % CANVASS_DAYS)
    ms = _ms(moment(canvassed, 9 * 60)) + number * ID_STEP_MS
    user, area, record = cast.leader(grid), cast.areas[grid.code], household_id(grid, number)
    values = _household(planned, area, door)
    yield Story("household", record, [Act(user, ms, values, {"last_confirmed_at": as_text(ms)})])
    if planned.contact:
        contact = {
            "household": record,
            "name": planned.contact.name,
            "phone": planned.contact.phone,
            "relation": planned.contact.relation,
            "is_emergency": planned.contact.relation == "self",
        }
        contact_id = identity_of(f"{planned.key}c", BOOKS_OPEN_MS + grid.ordinal * ID_STEP_MS)
        consent_id = identity_of(f"{planned.key}k", BOOKS_OPEN_MS + grid.ordinal * ID_STEP_MS)
        yield Story("consent", consent_id, [Act(user, ms + 1, _agreed(record, contact_id, ms),
                                                {"grid": area})])  # fmt: skip
        yield Story("contact", contact_id, [Act(user, ms + 2, contact, {"grid": area})])


def _agreed(household: str, contact: str, ms: int) -> dict[str, Any]:
    """Return how a contact agreed to be reached."""
    given_at = as_text(ms)
    return {
        "household": household, "subject": contact, "purpose": CONTACT, "state": GIVEN,
        "notice_version": max(notices()), "given_by": "self", "method": "on_screen",
        "given_at": given_at, "expires_at": latest_end(CONTACT, given_at),
    }  # fmt: skip


def _household(planned: PlannedHousehold, area: int, door: Place) -> dict[str, Any]:
    """Return what was taken down of a household."""
    return {
        "grid": area,
        "address_text": planned.address,
        "building": planned.building or None,
        "unit_room": planned.room or None,
        "door_point": [round(door[0], 6), round(door[1], 6)],
        "door_accuracy_m": 10,
        "door_source": "map",
        "occupancy": planned.occupancy,
        "residents_count": planned.residents,
        **dict(zip(AGE_BANDS, planned.ages, strict=True)),
    }


def task_story(cast: Cast, grid: PlannedGrid, task: PlannedTask) -> Story:
    """Tell how a task was assigned, and how far the worker has come."""
    worker, lead, start = cast.users[task.worker_key], cast.lead(grid), _ms(task.assigned_at)
    fate = list(_fate(TASK_FATES, task.key))
    values = {
        "grid": cast.areas[grid.code],
        "task_kind": task.kind.code,
        "title": task.kind.name,
        "assignee": worker,
        "due_at": as_text(_ms(task.due_at)),
        "household": _visited(grid, task),
        **_form(task, open_="done" not in fate),
        **_step("assigned"),
    }
    acts = [Act(lead, start, values, {"assigned_by": lead, "pool": False})]
    for number, state in enumerate(fate, start=1):
        ms = start + number * _pause_ms(task.key)
        user = lead if state == "verified" else worker
        derived = {"done_at": as_text(ms), "done_by": user} if state == "done" else {}
        acts.append(Act(user, ms, _step(state) | _task_words(state, task), derived))
    return Story("task", identity_of(task.key, start), acts)


def _form(task: PlannedTask, *, open_: bool) -> dict[str, Any]:
    """Return the form of a task that is still to be done; what is done was done before forms."""
    has = open_ and task.kind.code in seed_keys()
    return {"form": task.kind.code if has else None, "form_version": 1 if has else None}


def _visited(grid: PlannedGrid, task: PlannedTask) -> str | None:
    """Return the household that a task is about, if it is about one."""
    if task.kind.target != "household":
        return None
    return household_id(grid, h("visited", task.key) % grid.households)


def _task_words(state: str, task: PlannedTask) -> dict[str, Any]:
    """Return what the worker says when he takes a task to a state."""
    if state == "declined":
        return {"decline_reason": NOT_TODAY}
    if state != "done":
        return {}
    if task.kind.counts:
        return {"report_text": REPORT, "report_count": 1 + h("count", task.key) % REPORT_COUNT_MAX}
    return {"report_text": REPORT}


def incident_story(
    cast: Cast, grid: PlannedGrid, seen: PlannedIncident, place: Place, until_ms: int
) -> Story:
    """Tell how an incident was reported, and what became of it by the end of the last day."""
    workers = [worker.key for worker in workers_of(grid)]
    reporter = cast.users[workers[h("reporter", seen.key) % len(workers)]]
    start = _ms(seen.seen_at)
    record = identity_of(seen.key, start)
    first = _report(cast, grid, seen, place, reporter)
    scene = cases.Scene(grid, cast.path(grid), cast.users, until_ms)
    return Story("incident", record, list(cases.goes_on(scene, seen.key, record, first)))


def _report(
    cast: Cast, grid: PlannedGrid, seen: PlannedIncident, place: Place, reporter: int
) -> Act:
    """Return the first edit of an incident: the report or the draft of the worker."""
    ms = _ms(seen.seen_at)
    values = {
        "category": seen.category.code,
        "text": seen.text,
        "point": [round(place[0], 6), round(place[1], 6)],
        "accuracy_m": 8,
        "point_source": "gps",
        "seen_at": as_text(ms),
        "no_photo_reason": NO_PHOTO,
        **_step(cases.begins_as(seen.key, seen.category.code)),
    }
    derived = {
        "priority": seen.category.priority,
        "grid": cast.areas[grid.code],
        "grid_distance_m": 0,
        "reporter": reporter,
    }
    return Act(reporter, ms, values, derived)


def _step(state: str) -> dict[str, Any]:
    """Return a state of the first round."""
    return {"state": state, "round": 0}


def _fate(fates: Fates, key: str) -> tuple[str, ...]:
    """Draw what becomes of something."""
    percent = h("fate", key) % 100
    return next(states for limit, states in fates if percent < limit)


def _pause_ms(key: str) -> int:
    """Return how long each step takes: 10 to 70 minutes."""
    return (10 + h("pause", key) % 60) * 60_000


def _ms(moment_: datetime) -> int:
    """Return a moment in ms since 1970."""
    return int(moment_.timestamp() * 1_000)
