"""Workers with real phones, for the provers of time travel: they work, sync, and remember all."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.core.database import Database, Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.households.models import Household
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.line import Away, Refused
from tests.app.core.county import household
from tests.app.identity.town import GRID
from tests.prove.ground import Ground
from tests.prove.server import Server

OCCUPANCIES = ("lived_in", "empty", "seasonal", "business")
SYNCS_MAX = 12


@dataclass
class Member:
    """One worker with a phone in a folder, and his own memory of what he has done."""

    name: str
    phone: Phone
    random: random.Random
    made: dict[str, str] = field(default_factory=dict)
    """All edits he has ever made, with their records."""
    created: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def work(self, edits: int) -> None:
        """Make edits; the network does not matter."""
        for _ in range(edits):
            shown = sorted(self.phone.replica.rows("household"))
            if not shown or self.random.random() < 0.4:
                self._create()
            else:
                self._change(self.random.choice(shown))

    def _create(self) -> None:
        record = new_id()
        values = household(building=str(self.random.randrange(99)))
        self.made[self.phone.edit("create", "household", record, values)] = record
        self.created.add(record)

    def _change(self, record: str) -> None:
        values: dict[str, Any] = {"occupancy": self.random.choice(OCCUPANCIES)}
        self.made[self.phone.edit("update", "household", record, values)] = record

    def sync(self) -> bool:
        """Sync if there is a network; what he has created never disappears from his screen."""
        try:
            self.phone.sync(want_bytes=self.random.choice((2_000, 65_536)))
        except Away:
            return False
        except Refused as refused:
            self.faults.append(f"{self.name} was refused: {refused.code}")
            return False
        finally:
            vanished = self.created - self.phone.replica.rows("household").keys()
            self.faults += (
                [f"{self.name} lost sight of {len(vanished)} records"] if vanished else []
            )
        return True


def crew_of(ground: Ground, server: Server, seed: int, *, size: int) -> list[Member]:
    """Enrol some workers of one grid."""
    members = []
    for number in range(size):
        name = f"worker {number}"
        ground.county.person(name, "gw", GRID)
        phone = Phone(Home(Path(ground.environment["DATA_DIR"]) / name))
        phone.enrol(ground.county.code_for(name), f"http://127.0.0.1:{server.port}")
        members.append(Member(name, phone, random.Random(f"{seed}/{number}")))
    return members


def settle(members: list[Member]) -> None:
    """Let everybody sync until all have seen everything."""
    for _ in range(2):
        for one in members:
            one.sync()


def epoch_of(database: Database) -> str:
    """Return the epoch as phones see it."""
    with database.transaction(Mode.READ) as session:
        return current_engine().store(session).epoch()


def violations(database: Database, members: list[Member]) -> list[str]:
    """Compare what was ever done with what is there: nothing lost, nothing doubled, all equal."""
    found = [fault for one in members for fault in one.faults]
    ledger, rows = _ledger(database), _households(database)
    for one in members:
        lost = one.made.keys() - {edit for edit, _, _ in ledger}
        found += [f"{one.name}: {len(lost)} edits lost"] if lost else []
        gone = one.created - rows.keys()
        found += [f"{one.name}: {len(gone)} records lost"] if gone else []
        found += _apart(one, rows)
    versions: dict[str, set[int]] = {}
    for _, record, rv in ledger:
        versions.setdefault(record, set()).add(rv)
    for record, (rv, _) in rows.items():
        if versions.get(record, set()) - {0} != set(range(1, rv + 1)):
            found.append(f"{record}: version {rv} from {sorted(versions.get(record, ()))}")
    return found


def _apart(one: Member, rows: dict[str, tuple[int, Any]]) -> list[str]:
    """Return what differs between a phone and the server."""
    replica = one.phone.replica
    kept = {name: (row.rv, dict(row.values)) for name, row in replica.rows("household").items()}
    found = [] if kept == rows else [f"{one.name}: the phone differs from the server"]
    found += [f"{one.name}: unsent edits"] if replica.outbox() else []
    healed = replica.memory.recall("healed", 0)
    found += [f"{one.name}: only a wrong digest told that time had gone back"] if healed else []
    return found + ([f"{one.name}: alarm"] if replica.alarms else [])


def _ledger(database: Database) -> list[tuple[str, str, int]]:
    t = sync_tables.ledger.c
    with database.transaction(Mode.READ) as session:
        return [(*row,) for row in session.execute(sa.select(t.edit, t.rec, t.rv))]


def _households(database: Database) -> dict[str, tuple[int, Any]]:
    seal = current_engine().seal
    with database.transaction(Mode.READ) as session:
        rows = session.execute(sa.select(Household.id, Household.rv, Household.body)).all()
    return {
        name: (rv, json.loads(seal.open("household", name, body))) for name, rv, body in rows
    }  # fmt: skip


def parked(database: Database) -> int:
    """Return how many edits wait for a human, because what they change came back after them."""
    with database.transaction(Mode.READ) as session:
        count = sa.select(sa.func.count()).select_from(sync_tables.parked)
        return int(session.execute(count).scalar_one())
