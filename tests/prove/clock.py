"""Prove that no clock of a phone, and no lie about one, decides what only time may decide.

Phones whose clocks are 30 days or 50 years wrong, are set to and fro, restart, or lie about
anchors and elapsed time, write the same fields offline and send them late, in any order. The
prover knows when each edit was truly made and compares: bounds, growth, flags, and who won.

    python -m tests.prove.clock --engine sqlite --rounds 200 --seed 1 [--sabotage believed]
"""

import random
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core.driver import driver
from sync import clock, push, reading
from sync.clock import AHEAD_MS_MAX, SUSPECT_MS, ActTime
from sync.replica import Instant, Replica
from tests.prove.ground import run_as_command
from tests.sync.conftest import postgres_engine, sqlite_engine
from tests.sync.house import ALL_KINDS, NOW_MS, SqlStand, name_of
from tests.sync.server import Server

PHONES = 6
MINUTE_MS, DAY_MS = 60_000, 86_400_000
SKEWS_MS = (0, 20_000, -90_000, 30 * DAY_MS, -30 * DAY_MS, 50 * 365 * DAY_MS, -50 * 365 * DAY_MS)
SLACK_MS = 2_000
BELIEVED, FORGED, ENDLESS = "believed", "forged", "endless"
SABOTAGES = (BELIEVED, FORGED, ENDLESS)
PLOT, GRID = name_of("plot"), "grid:7"


@dataclass
class Wristwatch:
    """A phone in the hand of somebody who sets its clock, restarts it, or makes it lie."""

    number: int
    random: random.Random
    skew_ms: int = 0
    booted_ms: int = NOW_MS - DAY_MS
    boot: int = 0
    lies: bool = False
    truth: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.device = name_of(f"phone {self.number}")
        self.phone = Replica(driver.connect(":memory:"))

    def instant(self, now_ms: int) -> Instant:
        """Return what its clocks say."""
        return Instant(now_ms + self.skew_ms, now_ms - self.booted_ms, f"boot {self.boot}")

    def meddle(self, now_ms: int) -> None:
        """Set the clock, restart, begin or cease to lie; or leave it alone."""
        deed = self.random.choice(("set", "set", "restart", "lie", "", "", ""))
        if deed == "set":
            self.skew_ms = self.random.choice(SKEWS_MS)
        elif deed == "restart":
            self.boot, self.booted_ms = self.boot + 1, now_ms
        self.lies = deed == "lie"

    def write(self, now_ms: int) -> None:
        """Note an owner, and remember when that was."""
        edit = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        self.phone.edit("update", "plot", PLOT, {"owner": edit}, edit_id=edit,
                        now=self.instant(now_ms))  # fmt: skip
        self.truth[edit] = now_ms

    def request(self) -> dict[str, Any]:
        """Return the next request, with its lies."""
        request = self.phone.request(want_bytes=10**6)
        if self.lies:
            request["edits"] = [{**one, "at": self._lie(one["at"])} for one in request["edits"]]
        return request

    def _lie(self, at: Mapping[str, Any]) -> dict[str, Any]:
        anchor = str(at.get("anchor", "A" * 20))
        return self.random.choice((
            {**at, "anchor": anchor[:3] + ("B" if anchor[3] != "B" else "C") + anchor[4:],
             "elapsed_ms": 10 * DAY_MS},
            {**at, "elapsed_ms": 10**15},
            {"claimed": 2**52},
        ))  # fmt: skip


@dataclass
class Trial:
    """One server, its phones, and the true time."""

    stand: SqlStand
    random: random.Random
    now_ms: int = NOW_MS
    edits: int = 0
    contests: int = 0
    violations: list[str] = field(default_factory=list)
    honest: dict[str, int] = field(default_factory=dict)
    """The anchored edits of phones that did not lie, with the time of each."""

    def __post_init__(self) -> None:
        self.server = Server(self.stand)
        self.phones = [Wristwatch(n, random.Random(self.random.random())) for n in range(PHONES)]
        for one in self.phones:
            self.stand.enrol(one.device, one.number)
            one.phone.take_device(one.device)

    def exchange(self, one: Wristwatch) -> None:
        """Exchange once, and check every receipt."""
        before = self.now_ms
        self.now_ms += self.random.randint(20, 1500)
        request = one.request()
        reply = self.server.exchange(request, user=one.number, scopes=(GRID,), now_ms=self.now_ms)
        one.phone.receive(request, reply, sent=one.instant(before), now=one.instant(self.now_ms))
        told = {shape["id"]: shape for shape in request["edits"]}
        for receipt in reply["push"]["results"]:
            self.edits += 1
            self._flagged(one, told[receipt["id"]]["at"], receipt)

    def _flagged(self, one: Wristwatch, at: Mapping[str, Any], receipt: Mapping[str, Any]) -> None:
        true_ms = one.truth.get(receipt["id"])
        if one.lies or true_ms is None or "elapsed_ms" not in at:
            return
        self.honest[receipt["id"]] = true_ms
        wrong_ms, flagged = (
            abs(at["claimed"] - true_ms),
            "clock_suspect" in receipt.get("flags", ()),
        )
        if wrong_ms > SUSPECT_MS + SLACK_MS and not flagged:
            self.violations.append(f"a clock wrong by {wrong_ms} ms was not flagged")

    def round(self) -> None:
        """Let everybody see the plot, meddle, write offline, and send late, in any order."""
        for _ in range(2):
            for one in self.phones:
                one.lies = False
                self.exchange(one)
        writers = self.random.sample(self.phones, self.random.randint(2, PHONES))
        for one in writers:
            self.now_ms += self.random.randint(5_000, 90 * MINUTE_MS)
            one.meddle(self.now_ms)
            one.write(self.now_ms)
        written = [list(one.truth)[-1] for one in writers]
        self.now_ms += self.random.randint(MINUTE_MS, 3 * DAY_MS)
        for one in self.random.sample(writers, len(writers)):
            self.exchange(one)
        self._won(written)

    def _won(self, written: list[str]) -> None:
        """Among honest phones the last to write has won, whatever their clocks said."""
        if not all(edit in self.honest for edit in written):
            return
        self.contests += 1
        last = max(written, key=self.honest.__getitem__)
        with self.stand.open() as store:
            stands = store.records([("plot", PLOT)])["plot", PLOT].values["owner"]
        if stands != last:
            self.violations.append("an earlier edit has won over a later one")

    def ledger(self) -> None:
        """Check every stamp that was ever given: bounded, growing, and near the truth."""
        t = self.stand.tables.ledger.c
        with self.stand.engine.connect() as connection:
            rows = connection.execute(
                sa.select(t.edit, t.device, t.ms, t.received_ms).order_by(t.device, t.n)
            ).all()
        last: dict[str, int] = {}
        for edit, device, ms, received_ms in rows:
            if ms > received_ms + AHEAD_MS_MAX:
                self.violations.append(f"a stamp {ms - received_ms} ms after its arrival")
            if ms <= last.get(device, 0):
                self.violations.append("the stamps of a device do not grow")
            if edit in self.honest and ms < self.honest[edit] - SLACK_MS:
                self.violations.append(f"a stamp {self.honest[edit] - ms} ms before its act")
            last[device] = ms


def prove(engine: str, rounds: int, seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Let phones with wrong clocks compete as often as told, and tell what went wrong."""
    began = time.monotonic()
    opened = sqlite_engine() if engine == "sqlite" else postgres_engine()
    trial = Trial(SqlStand(opened, ALL_KINDS), random.Random(seed))
    with _planted(sabotage):
        first = trial.phones[0]
        first.phone.edit("create", "plot", PLOT, {"grid": 7}, edit_id=name_of(f"first {seed}"),
                         now=first.instant(NOW_MS))  # fmt: skip
        for _ in range(rounds):
            trial.round()
            if trial.violations:
                break
        trial.ledger()
    if engine == "postgresql":
        trial.stand.metadata.drop_all(opened)
    opened.dispose()
    return {"prover": "clock", "edits": trial.edits, "anchored": len(trial.honest),
            "contests": trial.contests,
            "took_s": round(time.monotonic() - began, 1),
            "violations": trial.violations[:10]}  # fmt: skip


@contextmanager
def _planted(sabotage: str | None) -> Iterator[None]:
    """Believe clocks, anchors or elapsed times that nobody should believe."""
    right, stamp, read = reading.act_time, push.effective_stamp, clock.Anchors.read

    def believed(at: Mapping[str, Any], *, received_ms: int, **_: Any) -> ActTime:
        return ActTime(int(at.get("claimed", received_ms)), anchored=True, suspect=False)

    def unbounded(act: ActTime, *, base_ms: int, device_ms: int, **_: Any) -> int:
        return max(act.ms, base_ms + 1, device_ms + 1)

    def forged(at: Mapping[str, Any], *, received_ms: int, **more: Any) -> ActTime:
        act = right(at, received_ms=received_ms, **more)
        genuine = read(more["anchors"], at.get("anchor"), at.get("device", more["device"]))
        told = "anchor" in at and "elapsed_ms" in at and genuine is None
        return ActTime(received_ms + DAY_MS, True, False) if told else act

    def endless(at: Mapping[str, Any], *, received_ms: int, **more: Any) -> ActTime:
        act = right(at, received_ms=received_ms, **more)
        elapsed = at.get("elapsed_ms", 0)
        return ActTime(received_ms + elapsed, True, False) if elapsed >= 10**15 else act

    if sabotage == BELIEVED:
        reading.act_time, push.effective_stamp = believed, unbounded
    elif sabotage == FORGED:
        reading.act_time, push.effective_stamp = forged, unbounded
    elif sabotage == ENDLESS:
        reading.act_time, push.effective_stamp = endless, unbounded
    try:
        yield
    finally:
        reading.act_time, push.effective_stamp = right, stamp


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"rounds": 200})
