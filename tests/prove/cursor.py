"""Prove that no cursor skips: 16 pushers write into one grid while followers pull.

Every pusher is a phone with a connection of its own. One follower asks the database, and on
PostgreSQL another asks a streaming standby that lags, and now and then the database. At every
complete page a follower's digest must be the one it was sent, and its cursor may never go back;
at the end it must hold exactly what the feed holds.

    python -m tests.prove.cursor --engine postgresql --seed 1 --seconds 60 [--rows 1000000]
        [--standbys 1] [--sabotage sequence|stale_standby]
"""

import itertools
import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.conflicts import ConflictTable
from app.core.database import Database, Mode, begin_writing
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.core.span import as_house
from app.sync_api.services import Phone, Wish
from sync import pull
from sync.conflicts import CONFLICT
from sync.digest import as_hex, record_digest
from sync.edits import Device, Draft, Edit
from sync.pull import PAGE_BYTES_MAX, Page
from sync.store import Batch
from sync.stores.sql import SqlStore
from tests.app.core.county import household
from tests.app.identity.town import GRID
from tests.prove.cluster import open_cluster, open_standby
from tests.prove.ground import Ground, open_ground, run_as_command

PUSHERS = 16
EDITS_MAX, EDITS_MAX_MANY = 5, 500
STANDBY_DELAY_MS = 150
ASKED_DIRECTLY = 8
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


@contextmanager
def _sequence_planted(engine: Engine) -> Iterator[None]:
    """Take versions from a sequence, before the merge: a smaller one commits after a larger."""
    right = engine.store
    _sequence(engine)
    try:
        yield
    finally:
        engine.store = right  # type: ignore[method-assign]


@contextmanager
def _stale_standby(_engine: Engine) -> Iterator[None]:
    """Let a standby answer that has not seen yet what the phone has."""
    right = pull.is_lost
    pull.is_lost = lambda place, state: False
    try:
        yield
    finally:
        pull.is_lost = right


SHORT = {"engine": "postgresql", "seconds": 6, "seed": 1, "standbys": 1}
Planted = Callable[[Engine], AbstractContextManager[None]]
SABOTAGES: Mapping[str, Planted] = {
    "sequence": _sequence_planted, "stale_standby": _stale_standby,
}  # fmt: skip


@dataclass(frozen=True)
class CountingPhone(Phone):
    """A phone of which one can tell how often a standby has answered it."""

    answers: Counter[str] = field(default_factory=Counter)

    def _ask_standby(self, cursor: str | None, wish: Wish) -> Page | None:
        page = super()._ask_standby(cursor, wish)
        self.answers["standby" if page else "database"] += 1
        return page


@dataclass
class Pusher:
    """A phone that pushes small batches until the time is over or it has made its share."""

    phone: Phone
    random: random.Random
    share: int
    taken: list[str] = field(default_factory=list)
    pushes: int = 0
    n: int = 0

    def run(self, until: float) -> None:
        """Push new households, and now and then a change to one of its own."""
        most = EDITS_MAX_MANY if self.share else EDITS_MAX
        while time.monotonic() < until and not (self.share and len(self.taken) >= self.share):
            drafts = [Draft(self._edit()) for _ in range(self.random.randint(1, most))]
            reply = self.phone.push(drafts)
            assert all(one["status"] == "applied" for one in reply.results), reply.results
            self.taken += [d.edit.rec for d in drafts if d.edit.op == "create"]
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

    phone: CountingPhone
    over: threading.Event
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    cursor: str | None = None
    pulls: int = 0
    digest: int = 0

    def run(self, _until: float) -> None:
        """Pull without rest until nobody pushes any more, and then all that is left."""
        while not self.over.is_set():
            if self.pulls % ASKED_DIRECTLY == 0:
                self.take(self.phone.pull(self.cursor, Wish()))
            else:
                self._pull_anywhere()
        # What is left of a long run is much for one grid, and goes in the largest pages.
        while not self.take(self.phone.pull(self.cursor, Wish(bytes=PAGE_BYTES_MAX))):
            continue

    def _pull_anywhere(self) -> None:
        """Ask whoever can answer; when a standby was behind, wait until it has caught up."""
        before = self.phone.answers["database"]
        self.take(self.phone.pull_anywhere(self.cursor, Wish()))
        if self.phone.database.standby and self.phone.answers["database"] > before:
            time.sleep(2 * STANDBY_DELAY_MS / 1000)

    def take(self, page: Page) -> bool:
        """Take in one page; tell whether nothing more was there."""
        for text in page.items:
            item = json.loads(text)
            if item["s"] == SCOPE:
                self._take((item["t"], item["id"]), item["rv"])
        self.faults["the cursor went back"] += _seen(page.cursor) < _seen(self.cursor)
        self.faults["rows were sent again from the beginning"] += bool(page.reset)
        self.cursor, self.pulls = page.cursor, self.pulls + 1
        if page.complete:
            differs = as_hex(self.digest) != page.digests.get(SCOPE, as_hex(0))
            self.faults["the digest of a complete page differs"] += differs
        return page.complete

    def _take(self, key: tuple[str, str], rv: int) -> None:
        before = self.rows.get(key)
        self.digest ^= record_digest(*key, rv) ^ (record_digest(*key, before) if before else 0)
        self.rows[key] = rv


def _seen(cursor: str | None) -> int:
    """Return the version of the grid that a cursor has seen."""
    read = pull.read_cursor(cursor)
    return read.places[SCOPE].ver if read and SCOPE in read.places else 0


def _phone(ground: Ground, who: str, standby: str | None = None) -> CountingPhone:
    """Return the server's side of a person's enrolled phone."""
    county = ground.county
    synced = county.phone(who)
    claims = county.headers[synced.who]["Authorization"].removeprefix("Bearer ")
    engine: Engine = county.app.extensions["wangge_engine"]
    with ground.database.transaction(Mode.READ) as session:
        actor: Actor = county.app.extensions["wangge_authenticate"](session, claims)
    database = ground.database
    if standby:
        url = database.url.render_as_string(hide_password=False)
        database = Database(url, standby_url=standby)
    return CountingPhone(database, engine, actor, synced.device)


def _together(pushers: list[Pusher], followers: list[Follower], until: float) -> list[str]:
    """Run all at once and return what went wrong in them."""
    faults: list[str] = []
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run(work: Callable[[float], None]) -> None:
        try:
            with app.app_context(), as_house():  # both belong to a thread
                work(until)
        except BaseException as fault:
            faults.append(repr(fault))

    pushing = [threading.Thread(target=run, args=(one.run,)) for one in pushers]
    pulling = [threading.Thread(target=run, args=(one.run,)) for one in followers]
    for thread in [*pulling, *pushing]:
        thread.start()
    for thread in pushing:
        thread.join()
    for one in followers:
        one.over.set()
    for thread in pulling:
        thread.join()
    return faults


def _violations(ground: Ground, follower: Follower, pushers: list[Pusher]) -> list[str]:
    t = sync_tables.feed
    with ground.database.transaction(Mode.READ) as session:
        feed = session.execute(sa.select(t.c.kind, t.c.record, t.c.rv).where(t.c.scope == SCOPE))
        standing = {(row.kind, row.record): row.rv for row in feed}
    missed = {key for key, rv in standing.items() if follower.rows.get(key) != rv}
    lost = {rec for one in pushers for rec in one.taken if ("household", rec) not in standing}
    found = {"missed": len(missed), "too_much": len(follower.rows.keys() - standing.keys()),
             "lost": len(lost), **follower.faults}  # fmt: skip
    return [f"{name}: {count}" for name, count in found.items() if count]


@contextmanager
def _grounds(engine: str, standbys: int) -> Iterator[tuple[Ground, str | None]]:
    """Open a database, and the address of its standby if there shall be one."""
    if not standbys:
        with open_ground(engine) as ground:
            yield ground, None
        return
    assert engine == "postgresql", "only PostgreSQL has standbys"
    with open_cluster() as primary, open_ground(engine, primary.url) as ground:
        with open_standby(primary, delay_ms=STANDBY_DELAY_MS) as standby:
            url = ground.database.url.set(port=standby.port)
            yield ground, url.render_as_string(hide_password=False)


def _followers(ground: Ground, standby: str | None) -> list[Follower]:
    over = threading.Event()
    phones = [_phone(ground, "gw")]
    if standby:
        ground.county.person("beside", "gw", GRID)
        phones.append(_phone(ground, "beside", standby))
    return [Follower(phone, over) for phone in phones]


def prove(
    engine: str,
    seconds: int,
    seed: int,
    sabotage: str | None = None,
    rows: int = 0,
    standbys: int = 0,
) -> dict[str, Any]:
    """Let 16 pushers and the followers run, and tell what the followers missed.

    Args:
        rows: run until so many rows are there, however long it takes; 0 runs for ``seconds``.
    """
    with _grounds(engine, standbys) as (ground, standby):
        for number in range(PUSHERS):
            ground.county.person(f"worker {number}", "gw", GRID)
        phones = [_phone(ground, f"worker {number}") for number in range(PUSHERS)]
        followers = _followers(ground, standby)
        pushers = [
            Pusher(phone, random.Random(f"{seed}/{number}"), rows // PUSHERS)
            for number, phone in enumerate(phones)
        ]
        began = time.monotonic()
        planted = SABOTAGES[sabotage](phones[0].engine) if sabotage else nullcontext()
        with planted:
            until = math.inf if rows else began + seconds
            violations = _together(pushers, followers, until)
        took_s = time.monotonic() - began
        violations += [one for each in followers for one in _violations(ground, each, pushers)]
        answers = sum((one.phone.answers for one in followers), Counter())
        for one in followers[1:]:
            one.phone.database.dispose()
    return {
        "prover": "cursor", "pushes": sum(one.pushes for one in pushers),
        "edits": sum(one.n for one in pushers), "pulls": sum(one.pulls for one in followers),
        "answered_by_standby": answers["standby"], "rows": len(followers[0].rows),
        "took_s": round(took_s, 1), "violations": violations,
    }  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"seconds": 60, "rows": 0, "standbys": 0})
