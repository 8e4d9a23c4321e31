"""Workers for the measurements: each serves a grid of his own and has a day's edits to send."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.areas.models import Area, AreaBorder, AreaVersion
from app.core.actor import Actor
from app.core.database import Mode
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.identity import sessions
from app.identity.credentials import RefreshToken
from app.identity.models import Enrolment, Post, User
from app.sync_api.services import Phone
from sync.edits import Draft, Edit
from tests.app.core.county import household, incident
from tests.app.identity.town import VILLAGE
from tests.prove.ground import Ground

FIRST_GRID = 1001
FIRST_DAY = date(2020, 1, 1)
SIDE = 0.002
WEST, SOUTH = 104.3, 36.6
ROW = 40
ADDRESSES = ("人民路 12 号", "中山西路 8 号院", "五一街 77 号")


@dataclass
class Worker:
    """A worker with an enrolled phone, and what his grid holds."""

    grid: int
    user: int
    device: str
    headers: dict[str, str]
    cursor: str | None = None
    homes: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    @property
    def centre(self) -> list[float]:
        """Return a position in his grid."""
        number = self.grid - FIRST_GRID
        lon, lat = WEST + SIDE * (number % ROW + 0.5), SOUTH + SIDE * (number // ROW + 0.5)
        return [round(lon, 7), round(lat, 7)]


@dataclass
class Crew:
    """The workers, and the village lead who fills their grids."""

    ground: Ground
    lead: Phone
    workers: list[Worker]
    n: int = 0

    @classmethod
    def gather(cls, ground: Ground, count: int) -> "Crew":
        """Draw the grids and enrol a worker for each."""
        with ground.database.transaction(Mode.WRITE) as session:
            for number in range(count):
                _draw_grid(session, FIRST_GRID + number)
            workers = [_enrol(ground, session, FIRST_GRID + number) for number in range(count)]
        return cls(ground, _lead(ground), workers)

    def fill(self) -> None:
        """Write 41 records into every grid: with the 9 that a day adds, a phone pulls 50."""
        for worker in self.workers:
            edits = self._records(worker)
            reply = self.lead.push([Draft(edit) for edit in edits])
            assert all(one["status"] == "applied" for one in reply.results), reply.results

    def _records(self, worker: Worker) -> list[Edit]:
        worker.homes = [new_id() for _ in range(27)]
        worker.tasks = [new_id() for _ in range(4)]
        edits = [self._create("household", home, home_of(worker)) for home in worker.homes]
        edits += [self._create("contact", new_id(), contact_of(home)) for home in worker.homes[:6]]
        edits += [self._create("task", task, _task_of(worker)) for task in worker.tasks]
        edits += [self._create("incident", new_id(), incident_of(worker)) for _ in range(4)]
        return edits

    def _create(self, kind: str, rec: str, values: dict[str, Any]) -> Edit:
        self.n += 1
        return Edit(self.n, new_id(), "create", kind, rec, set=values)


def home_of(worker: Worker) -> dict[str, Any]:
    """Return the fields of a household with its door."""
    door = {"door_point": worker.centre, "door_accuracy_m": 6, "door_source": "gps"}
    people = {"residents_count": 3, "count_0_5": 0, "count_6_13": 1, "count_14_17": 0,
              "count_18_59": 2, "count_60_79": 0, "count_80_up": 0}  # fmt: skip
    address = {"grid": worker.grid, "address_text": secrets.choice(ADDRESSES)}
    return household(**address, **door, **people)


def contact_of(home: str) -> dict[str, Any]:
    """Return the fields of a contact."""
    digits = f"138{secrets.randbelow(10**8):08}"
    return {"household": home, "name": "张三丰", "phone": digits, "relation": "self"}


def incident_of(worker: Worker) -> dict[str, Any]:
    """Return the fields of an incident with its position."""
    place = {"point": worker.centre, "accuracy_m": 9, "point_source": "gps"}
    return incident(grid=None, address_text=None, **place)


def _task_of(worker: Worker) -> dict[str, Any]:
    return {"grid": worker.grid, "task_kind": "visit", "title": "看望独居老人", "state": "assigned",
            "round": 0, "assignee": worker.user, "due_at": "2031-01-01T00:00:00Z"}  # fmt: skip


def edits_of_a_day(worker: Worker) -> list[dict[str, Any]]:
    """Return the 20 edits of a phone: visits, captures, contacts, task steps and reports."""
    steps: Sequence[tuple[str, str, str, int, dict[str, Any]]] = [
        *(("update", "household", home, 1, {"occupancy": "seasonal"}) for home in worker.homes[:7]),
        *(("event", "task", task, 1, {"state": "accepted", "round": 0}) for task in worker.tasks),
        *(("create", "household", new_id(), 0, home_of(worker)) for _ in range(3)),
        *(("create", "contact", new_id(), 0, contact_of(home)) for home in worker.homes[4:7]),
        *(("create", "incident", new_id(), 0, incident_of(worker)) for _ in range(3)),
    ]
    now = int(datetime.now(UTC).timestamp() * 1000)
    return [
        {"n": n, "id": new_id(), "op": op, "kind": kind, "rec": rec, "base": base, "set": values,
         "schema": 1, "at": {"claimed": now, "boot": "1"}}
        for n, (op, kind, rec, base, values) in enumerate(steps, start=1)
    ]  # fmt: skip


def _draw_grid(session: Session, grid: int) -> None:
    column, row = (grid - FIRST_GRID) % ROW, (grid - FIRST_GRID) // ROW
    west, south = WEST + SIDE * column, SOUTH + SIDE * row
    east, north = west + SIDE, south + SIDE
    ring = ((west, south), (east, south), (east, north), (west, north), (west, south))
    text = ", ".join(f"{lon:.6f} {lat:.6f}" for lon, lat in ring)
    session.add(Area(id=grid, level="grid", parent_id=VILLAGE, path=f"1.2.4.7.{grid}.",
                     valid_from=FIRST_DAY))  # fmt: skip
    session.flush()
    session.add(AreaVersion(area_id=grid, valid_from=FIRST_DAY, code=f"62{grid:010}",
                            name=f"grid {grid}", short_name=f"grid {grid}", kind="grid",
                            parent_id=VILLAGE, urban_rural_code="", edition="bench"))  # fmt: skip
    shape = f"SRID=4326;MULTIPOLYGON((({text})))"
    session.add(AreaBorder(area_id=grid, valid_from=FIRST_DAY, accuracy_m=1.0, source="bench",
                           geom=shape, datum_in="wgs84"))  # fmt: skip


def _enrol(ground: Ground, session: Session, grid: int) -> Worker:
    now = datetime.now(UTC)
    user = User(name=f"worker {grid}", login=None, password_hash=None, active=True, created=now)
    session.add(user)
    session.flush()
    session.add(Post(user_id=user.id, role="gw", area_id=grid, starts=now - timedelta(days=9),
                     ends=None, reason="", mode="permanent"))  # fmt: skip
    enrolment = _enrolment(session, user.id, now)
    first = RefreshToken(new_id(), 0, secrets.token_bytes(32))
    tokens = sessions.open_session(session, ground.county.house, user, first,
                                   enrolment_id=enrolment, now=now)  # fmt: skip
    device = new_id()
    session.execute(sync_tables.device.insert().values(
        id=device, user_id=user.id, enrolment=enrolment, last_n=0, last_ms=0, schema=1, made_ms=0,
    ))  # fmt: skip
    return Worker(grid, user.id, device, {"Authorization": f"Bearer {tokens.access_token}"})


def _enrolment(session: Session, user: int, now: datetime) -> str:
    enrolment = Enrolment(id=new_id(), user_id=user, install_id=f"install-{user}",
                          public_key=b"bench", model="bench", app="bench", made=now)  # fmt: skip
    session.add(enrolment)
    session.flush()
    return enrolment.id


def _lead(ground: Ground) -> Phone:
    county = ground.county
    synced = county.phone("vl")
    token = county.headers[synced.who]["Authorization"].removeprefix("Bearer ")
    engine: Engine = county.app.extensions["wangge_engine"]
    with ground.database.transaction(Mode.READ) as session:
        actor: Actor = county.app.extensions["wangge_authenticate"](session, token)
    return Phone(ground.database, engine, actor, synced.device)
