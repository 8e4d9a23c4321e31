"""Prove that no cursor skips: 16 pushers write into one grid while a follower pulls.

Every pusher is a phone with a connection of its own. At the end the follower must hold exactly
what the feed holds, and its digest must be the server's.

    python -m tests.prove.cursor --engine postgresql --seconds 60 --seed 1 [--sabotage sequence]
"""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.conflicts import ConflictTable
from app.core.database import Mode, begin_writing
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.sync_api.services import Phone
from sync.conflicts import CONFLICT
from sync.digest import as_hex, scope_digest
from sync.edits import Device, Draft, Edit
from sync.pull import PAGE_BYTES
from sync.store import Batch
from sync.stores.sql import SqlStore
from tests.app.core.county import household
from tests.app.identity.town import GRID
from tests.prove.ground import Ground, open_ground, run_as_command

PUSHERS = 16
EDITS_MAX = 5
SCOPE = f"grid:{GRID}"
NUMBERS = itertools.count(1)


class SequenceStore(SqlStore):
    """The planted bug: versions come from a sequence, taken before the merge."""

    def device(self, device: str) -> Device | None:
        """Take the numbers first, as a sequence would give them."""
        self.session.info["taken"] = next(NUMBERS) * 1000
        return super().device(device)

    def _count_up(self, batch: Batch) -> dict[str, int]:
        """Raise each counter to the numbers that were taken long ago."""
        super()._count_up(batch)
        first = self.session.info["taken"]
        t = self.tables.scope
        for scope in {change.scope for change in batch.feed}:
            last = first + sum(change.scope == scope for change in batch.feed)
            raised = sa.case((t.c.ver < last, last), else_=t.c.ver)
            self.session.execute(sa.update(t).where(t.c.scope == scope).values(ver=raised))
        return dict.fromkeys({change.scope for change in batch.feed}, first)


def _sequence(engine: Engine) -> None:
    tables = {**engine.tables, CONFLICT.name: ConflictTable()}

    def store(session: Session) -> SqlStore:
        return SequenceStore(session, sync_tables, tables, engine.seal, begin_writing)

    engine.store = store  # type: ignore[method-assign]


SABOTAGES: Mapping[str, Callable[[Engine], None]] = {"sequence": _sequence}


@dataclass
class Pusher:
    """A phone that pushes small batches until it is told to stop."""

    phone: Phone
    random: random.Random
    taken: list[str] = field(default_factory=list)
    pushes: int = 0
    n: int = 0

    def run(self, until: float) -> None:
        """Push new households, and now and then a change to one of its own."""
        while time.monotonic() < until:
            drafts = [Draft(self._edit()) for _ in range(self.random.randint(1, EDITS_MAX))]
            reply = self.phone.push(drafts)
            assert all(one["status"] == "applied" for one in reply.results), reply.results
            self.taken += [draft.edit.rec for draft in drafts]
            self.pushes += 1

    def _edit(self) -> Edit:
        self.n += 1
        if self.taken and self.random.random() < 0.3:
            change = {"occupancy": self.random.choice(("empty", "seasonal"))}
            rec = self.random.choice(self.taken)
            return Edit(self.n, new_id(), "update", "household", rec, base=2**40, set=change)
        return Edit(self.n, new_id(), "create", "household", new_id(), set=household())


@dataclass
class Follower:
    """A phone that only pulls, and remembers the version of every row it was sent."""

    phone: Phone
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    cursor: str | None = None
    pulls: int = 0
    digest: str | None = None

    def run(self, until: float) -> None:
        """Pull without rest."""
        while time.monotonic() < until:
            self.pull()

    def pull(self) -> bool:
        """Pull one page; tell whether nothing more was there."""
        page = self.phone.pull(self.cursor, PAGE_BYTES)
        for text in page.items:
            item = json.loads(text)
            if item["s"] == SCOPE:
                self.rows[(item["t"], item["id"])] = item["rv"]
        self.cursor, self.pulls = page.cursor, self.pulls + 1
        if page.complete:
            self.digest = page.digests.get(SCOPE)
        return page.complete


def _phone(ground: Ground, who: str) -> Phone:
    """Return the server's side of a person's enrolled phone."""
    county = ground.county
    synced = county.phone(who)
    claims = county.headers[synced.who]["Authorization"].removeprefix("Bearer ")
    engine: Engine = county.app.extensions["wangge_engine"]
    with ground.database.transaction(Mode.READ) as session:
        actor: Actor = county.app.extensions["wangge_authenticate"](session, claims)
    return Phone(ground.database, engine, actor, synced.device)


def _together(works: list[Callable[[float], None]], until: float) -> list[BaseException]:
    """Run all works at once and return what went wrong in them."""
    faults: list[BaseException] = []

    def run(work: Callable[[float], None]) -> None:
        try:
            work(until)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def _violations(ground: Ground, follower: Follower, pushers: list[Pusher]) -> list[str]:
    t = sync_tables.feed
    with ground.database.transaction(Mode.READ) as session:
        feed = session.execute(sa.select(t.c.kind, t.c.record, t.c.rv).where(t.c.scope == SCOPE))
        standing = {(row.kind, row.record): row.rv for row in feed}
    missed = {key for key, rv in standing.items() if follower.rows.get(key) != rv}
    lost = {rec for one in pushers for rec in one.taken if ("household", rec) not in standing}
    digest = as_hex(scope_digest((kind, rec, rv) for (kind, rec), rv in follower.rows.items()))
    found = {"missed": len(missed), "too_much": len(follower.rows.keys() - standing.keys()),
             "lost": len(lost), "digest_differs": int(digest != follower.digest)}  # fmt: skip
    return [f"{name}: {count}" for name, count in found.items() if count]


def prove(engine: str, seconds: int, seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Let 16 pushers and a follower run, and tell what the follower missed."""
    with open_ground(engine) as ground:
        for number in range(PUSHERS):
            ground.county.person(f"worker {number}", "gw", GRID)
        phones = [_phone(ground, f"worker {number}") for number in range(PUSHERS)]
        follower = Follower(_phone(ground, "gw"))
        if sabotage:
            SABOTAGES[sabotage](follower.phone.engine)
        pushers = [
            Pusher(phone, random.Random(f"{seed}/{number}")) for number, phone in enumerate(phones)
        ]
        until = time.monotonic() + seconds
        faults = _together([follower.run, *(one.run for one in pushers)], until)
        while not follower.pull():
            continue
        violations = [repr(fault) for fault in faults]
        violations += _violations(ground, follower, pushers)
    return {
        "prover": "cursor", "pushes": sum(one.pushes for one in pushers),
        "edits": sum(one.n for one in pushers), "pulls": follower.pulls,
        "rows": len(follower.rows), "violations": violations,
    }  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"seconds": 60})
