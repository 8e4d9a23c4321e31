"""What workers do on the day: their rounds, by the hour, on phones that may be out of reach."""

import csv
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from app.core.evidence import FORBIDDEN
from app.demo.day import PlannedIncident, incidents_of
from app.demo.halton import start_of
from app.demo.plan import PlannedGrid, h
from app.demo.shapes import points_in
from app.households.verbs import CORRECT
from app.incidents.commands import CATEGORIES
from app.phone import acts, bulletin, calls, forms, health, lane
from app.phone.line import Away, Refused
from app.phone.story import ALL_WELL
from app.tasks.rules import CONFIRMING
from sync.replica_tables import Row
from tests.app.phone.network import BUSY, CUT, LOST, TORN
from tests.app.photos.camera import picture
from tests.prove.day_stage import Hand, Stage, told

FIRST_HOUR, LAST_HOUR = 7, 20
SEEN_DAYS = 150
"""The incidents of so many days are all seen on this one, so that a few grids have some."""
SEEN_MAX = 3
ARRIVALS_PER_GRID = 6
"""A fifth of 178,564 arrivals in 6,093 grids come in on one day."""
FAULTS = (LOST, BUSY, TORN, CUT)
NO_PHOTO, NO_ANSWERS = "现场无法拍照", "居民不便填写"


@dataclass(frozen=True, slots=True)
class Sight:
    """An incident that somebody comes upon in some hour."""

    seen: PlannedIncident
    hour: int
    place: tuple[float, float]


def sights_of(stage: Stage, grid: PlannedGrid) -> list[Sight]:
    """Return what there is to see in a grid on the day."""
    if grid.code not in stage.sights:
        days = (stage.day - timedelta(days=back) for back in range(SEEN_DAYS))
        seen = (one for day in days for one in incidents_of([grid], day))
        shape = stage.shapes[grid.code]
        stage.sights[grid.code] = [
            Sight(one, _soon(one.seen_at.hour), next(points_in(shape, start_of("place", one.key))))
            for one in islice(seen, SEEN_MAX)
        ]
    return stage.sights[grid.code]


def photos_of(folder: Path, sight: Sight) -> list[Path]:
    """Take one to three photos of two in five incidents."""
    draw, rule = h("photos", sight.seen.key), _photo_rules()[sight.seen.category.code]
    count = 1 + draw // 10 % 3 if draw % 10 < 4 and rule != FORBIDDEN else 0
    paths = [folder / f"{sight.seen.key}-{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(draw % 1_000 + number))
    return paths


def _soon(hour: int) -> int:
    """Move an hour to the first half of the day, so that the second is left for the case."""
    return FIRST_HOUR + (hour - FIRST_HOUR) // 2


@cache
def _photo_rules() -> dict[str, str]:
    with CATEGORIES.open(encoding="utf-8", newline="") as lines:
        return {row["code"]: row["photo"] for row in csv.DictReader(lines)}


def work(stage: Stage, hand: Hand, hour: int) -> None:
    """Do what a worker does in an hour, with or without a network."""
    _report(stage, hand, hour)
    _steps_of_tasks(hand, hour)
    _steps_of_incidents(hand, hour)
    _knock(hand, hour)
    _read_notices(hand)
    _register(hand)


def spoil(stage: Stage, chance: random.Random) -> None:
    """Let one exchange in ten go wrong on its way."""
    if chance.random() < 0.1:
        stage.network.fail("/sync/exchange", chance.choice(FAULTS))


def sync(stage: Stage, hand: Hand, chance: random.Random) -> None:
    """Sync if the network lets it; what breaks now is tried again in the next hour."""
    try:
        hand.phone.sync(want_bytes=chance.choice((8_000, 65_536)))
        forms.fetch(hand.phone)
        lane.send_all(hand.phone)
        health.tell(hand.phone)
    except Away:
        hand.broken += 1
    except Refused as refused:
        stage.faults.append(f"{hand.key} was refused: {refused.code}")
    finally:
        stage.network.faults.clear()


def _report(stage: Stage, hand: Hand, hour: int) -> None:
    crew = len(stage.of_grid(hand.grid))
    for sight in sights_of(stage, hand.grid):
        mine = h("reporter", sight.seen.key) % crew == hand.number
        if mine and sight.hour == hour:
            photos = photos_of(stage.folder, sight)
            acts.report_incident(
                hand.phone, category=sight.seen.category.code, text=sight.seen.text,
                place=sight.place, photos=photos, no_photo_reason=None if photos else NO_PHOTO,
            )  # fmt: skip


# -- tasks ------------------------------------------------------------------------------------


def _steps_of_tasks(hand: Hand, hour: int) -> None:
    claimed = False
    for row in list(hand.phone.replica.rows("task").values()):
        mine = row.values.get("assignee") == hand.phone.user["id"]
        if mine and row.values["state"] in ("assigned", "accepted", "started", "returned"):
            _step_of_task(hand, row, hour)
        elif hour > 9 and not claimed and _wants(hand, row, hour):
            acts.claim(hand.phone, row)
            claimed = True


def _wants(hand: Hand, row: Row, hour: int) -> bool:
    """Tell whether he takes a task out of the pool in this hour."""
    free = row.values.get("assignee") is None and row.values["state"] == "assigned"
    return free and hand.draw("claims", told(row.values), hour) % 4 == 0


def _step_of_task(hand: Hand, row: Row, hour: int) -> None:
    values, draw = row.values, hand.draw(told(row.values), hour)
    state = values["state"]
    if state == "assigned" and draw % 25 == 0:
        acts.step_task(hand.phone, row, "declined", decline_reason="今日参加培训")
    elif _is_unchanged(values) and draw % 3 == 0:
        acts.found_unchanged(hand.phone, row)
    elif state == "assigned":
        acts.step_task(hand.phone, row, "accepted")
    elif state in ("accepted", "returned"):
        acts.step_task(hand.phone, row, "started")
    elif draw % 3:
        _finish(hand, row)


def _is_unchanged(values: Mapping[str, Any]) -> bool:
    return values["task_kind"] in CONFIRMING and bool(values.get("household"))


def _finish(hand: Hand, row: Row) -> None:
    """Report a task as done: with its checklist where that is on the phone, else saying why not."""
    values = row.values
    said: dict[str, Any] = {"report_text": "已按要求完成"}
    if values["task_kind"] == "inspection" and values.get("form"):
        try:
            forms.answer(hand.phone, row, ALL_WELL)
        except forms.NoForm:
            said["no_answers_reason"] = NO_ANSWERS
    elif values.get("form"):
        said["no_answers_reason"] = NO_ANSWERS
    if values["task_kind"] in ("publicity", "fraud_warning"):
        said["report_count"] = 5
    if hand.phone.photo_rule(values["task_kind"]).startswith("须"):
        said["no_photo_reason"] = NO_PHOTO
    acts.step_task(hand.phone, row, "done", **said)


# -- incidents --------------------------------------------------------------------------------


def _steps_of_incidents(hand: Hand, hour: int) -> None:
    me = hand.phone.user["id"]
    for row in list(hand.phone.replica.rows("incident").values()):
        values, draw = row.values, hand.draw(told(row.values), hour)
        if values["state"] == "dispatched" and values.get("unit") == hand.area and draw % 2:
            acts.step_incident(hand.phone, row, "claimed")
        elif values.get("handler") == me:
            _handle(hand, row, draw)
        elif values["state"] == "answered" and values.get("unit") == hand.area and draw % 2:
            acts.step_incident(hand.phone, row, "checked")


def _handle(hand: Hand, row: Row, draw: int) -> None:
    values = row.values
    if values["state"] == "claimed" and draw % 5 == 0 and not values.get("extension"):
        acts.ask_about(hand.phone, row, "ask_extension", "配件未到", "2099-01-01T00:00:00Z")
    elif values["state"] in ("claimed", "rework"):
        acts.step_incident(hand.phone, row, "in_progress")
    elif values["state"] == "in_progress":
        acts.step_incident(hand.phone, row, "answered", result_text="已处置完毕")


# -- homes ------------------------------------------------------------------------------------


def _knock(hand: Hand, hour: int) -> None:
    """Knock at one door an hour, and take down what comes of it."""
    homes = sorted(hand.phone.replica.rows("household"))
    home, draw = homes[hand.draw("door", hour) % len(homes)], hand.draw("deed", hour)
    outcome = ("met", "met", "met", "nobody_home", "declined")[draw % 5]
    calls.visit(hand.phone, home, outcome, place=None)
    if outcome != "met":
        return
    deed = draw // 5 % 6
    if deed == 0:
        acts.change_occupancy(hand.phone, home, ("lived_in", "seasonal", "empty")[hour % 3])
    elif deed == 1:
        number = f"199{hand.draw('tel', hour) % 10**8:08d}"
        acts.add_contact(hand.phone, home, name="安宁", number=number)
    elif deed == 2:
        calls.act(hand.phone, home, CORRECT, changes={"unit_room": f"{hour}-{draw % 90}"})
    elif deed == 3:
        _ask(hand, home)
    elif deed == 4:
        acts.capture_household(hand.phone, hand.area, address=f"新建院{hour}号",
                               occupancy="lived_in")  # fmt: skip
    else:
        _withdraw(hand, home)


def _ask(hand: Hand, home: str) -> None:
    """Ask for what may be asked for now; people say no as well as yes."""
    for question in calls.questions(hand.phone, home):
        if question.ask:
            said = "declined" if hand.draw(home, question.purpose) % 2 else "given"
            acts.take_consent(hand.phone, home, question.purpose, subject=question.subject,
                              state=said)  # fmt: skip
            return


def _withdraw(hand: Hand, home: str) -> None:
    for consent in hand.phone.replica.rows("consent").values():
        if consent.values.get("household") == home and consent.values["state"] == "given":
            calls.withdraw(hand.phone, consent)
            return


# -- notices and orders -----------------------------------------------------------------------


def _read_notices(hand: Hand) -> None:
    for row in list(hand.phone.replica.rows("notice").values()):
        if row.values["state"] == "withdrawn" or not bulletin.is_new(
            hand.phone, row.rec, row.values
        ):
            continue  # fmt: skip
        bulletin.mark_read(hand.phone, row)
        if row.values["urgency"] == "emergency":
            bulletin.acknowledge(hand.phone, row)
        else:
            bulletin.explain(hand.phone, row, hand.area, 1)


def _register(hand: Hand) -> None:
    """Enter one party of arrivals an hour, until the worker's share of the day's is entered."""
    for order in hand.phone.replica.rows("emergency_order").values():
        if order.values["state"] == "open" and hand.entered < ARRIVALS_PER_GRID // 2:
            hand.entered += 1
            bulletin.enter(hand.phone, order, hand.area, {
                "count_arrived": 1 + hand.draw("party", hand.entered) % 3,
                "from_region": "429006", "arrived_on": "2027-01-25",
            })  # fmt: skip
