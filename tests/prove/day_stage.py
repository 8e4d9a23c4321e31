"""The stage of the day: a real township of the demo, its desks, and the phones of its workers."""

import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from app.core.database import Database, Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.demo.load import Demo, load_base, load_township
from app.demo.people import workers_of
from app.demo.plan import CityPlan, PlannedGrid, city_plan, h
from app.demo.shapes import draw_township
from app.demo.stories import Cast
from app.identity import sessions
from app.identity.credentials import RefreshToken
from app.identity.gatehouse import EXTENSION, Gatehouse
from app.identity.models import User
from app.numbers.periods import day_of
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.line import Line
from app.phone.office import Office
from tests.app.phone.network import Network, network_before
from tests.prove.ground import open_app

TOWNSHIP = "620422213"
"""八里湾乡: 80 grids, 264 workers, 3,740 households."""
TOKEN_KEPT_S = 400
"""A desk signs in again before its token ends."""


class DayPhone(Phone):
    """A phone that remembers every edit made on it."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.made: dict[str, tuple[str, str, str]] = {}

    def edit(self, op: str, kind: str, record: str, values: Any) -> str:
        """Keep an edit, and remember what it was."""
        name = super().edit(op, kind, record, values)
        self.made[name] = (op, kind, record)
        return name


@dataclass(eq=False)
class Hand:
    """A worker with a phone.

    Attributes:
        number: which of his grid's workers with a phone he is, from 0.
        away: the hours in which his phone has no network.
    """

    key: str
    grid: PlannedGrid
    area: int
    number: int
    phone: DayPhone
    away: range
    entered: int = 0
    broken: int = 0

    def draw(self, *words: object) -> int:
        """Return a number that stands for what he does at some moment, the same in each run."""
        return h("day", ":".join(map(str, (self.key, *words))))


@dataclass(eq=False)
class Stage:
    """Where the day is played.

    Attributes:
        hands: workers with phones, by grid and then by number.
        faults: what should not have happened.
        sights: what there is to see in each grid, by its code.
    """

    app: Flask
    cast: Cast
    plan: CityPlan
    network: Network
    folder: Path
    seed: int
    grids: list[PlannedGrid]
    shapes: Any
    day: date = field(default_factory=lambda: day_of(datetime.now(UTC)))
    begun: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    hands: list[Hand] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    sights: dict[str, list[Any]] = field(default_factory=dict)
    _desks: dict[str, tuple[float, Office]] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """Return the database."""
        database: Database = self.app.extensions["wangge_database"]
        return database

    @property
    def township(self) -> int:
        """Return the id of the township."""
        return self.cast.areas[TOWNSHIP]

    def of_grid(self, grid: PlannedGrid) -> list[Hand]:
        """Return the workers with phones of a grid."""
        return [hand for hand in self.hands if hand.grid.code == grid.code]

    def desk(self, key: str) -> Office:
        """Return the desk of somebody in an office, signed in."""
        made, desk = self._desks.get(key, (0.0, None))
        if desk is None or time.monotonic() - made > TOKEN_KEPT_S:
            desk = self._signed_in(self.cast.users[key])
            self._desks[key] = (time.monotonic(), desk)
        return desk

    def _signed_in(self, user_id: int) -> Office:
        house: Gatehouse = self.app.extensions[EXTENSION]
        with self.database.transaction(Mode.WRITE) as session:
            user = session.get_one(User, user_id)
            first = RefreshToken(new_id(), 0, secrets.token_bytes(32))
            now = datetime.now(UTC)
            token = sessions.open_session(
                session, house, user, first, enrolment_id=None, now=now
            ).access_token
            return Office(Line(self.network.address), token, user.name)


def told(values: Mapping[str, Any]) -> str:
    """Return how a task or an incident is known in every run: ids differ from run to run."""
    names = ("text", "title", "household", "assignee", "grid")
    return "/".join(str(values.get(name)) for name in names)


@contextmanager
def open_stage(engine: str, seed: int, *, grids: int, phones: int) -> Iterator[Stage]:
    """Load the township with the work of yesterday, and hand out phones in some of its grids.

    Args:
        grids: in how many grids there are phones.
        phones: how many there are for each of these grids at most.
    """
    with ExitStack() as stack:
        app, _ = stack.enter_context(open_app(engine))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wangge-phones-")))
        plan = city_plan().only(TOWNSHIP)
        cast = _load(app, plan)
        network = stack.enter_context(network_before(app))
        shapes = draw_township(city_plan(), plan.of_level("township")[0])
        chosen = sorted(plan.grids, key=lambda grid: h(f"chosen {seed}", grid.code))[:grids]
        stage = Stage(app, cast, plan, network, folder, seed, chosen, shapes)
        for grid in chosen:
            for number, worker in enumerate(list(workers_of(grid))[:phones]):
                stage.hands.append(_hand(stage, grid, worker.key, number))
        _take_away(stage.hands)
        yield stage
        for hand in stage.hands:
            hand.phone.close()


def _load(app: Flask, plan: CityPlan) -> Cast:
    database: Database = app.extensions["wangge_database"]
    engine, now = current_engine(), datetime.now(UTC)
    with database.transaction(Mode.WRITE) as session:
        cast = load_base(session, engine, plan, now)
        demo = Demo(engine, cast, day_of(now) - timedelta(days=1))
        load_township(lambda: nullcontext(session), demo, TOWNSHIP, lambda _households: None)
    return cast


def _hand(stage: Stage, grid: PlannedGrid, key: str, number: int) -> Hand:
    """Enrol a worker's phone with a one-time code from the township's desk, and fill it."""
    user = {"id": stage.cast.users[key]}
    phone = DayPhone(Home(stage.folder / key))
    phone.enrol(stage.desk(f"{TOWNSHIP}s01").code_for(user), stage.network.address)
    phone.sync()
    return Hand(key, grid, stage.cast.areas[grid.code], number, phone, _gap(key, stage.seed))


def _gap(key: str, seed: int) -> range:
    """Return when a phone is without a network: none to nine hours of the day."""
    length = h("gap", f"{key}:{seed}") % 10
    first = 7 + h("gap from", f"{key}:{seed}") % (14 - length)
    return range(first, first + length)


def _take_away(hands: list[Hand]) -> None:
    """Keep one phone in fifty out of reach all day; of a few phones one."""
    lost = sorted(hands, key=lambda hand: h("long gap", hand.key))
    for hand in lost[: -(-len(hands) // 50)]:
        hand.away = range(8, 21)
