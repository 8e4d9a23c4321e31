"""Prove that both engines give the same answers: one trace of edits, replayed on each.

The simulated country of the prover ``sim`` lives on the store in memory; every push and pull,
with the bytes of its answer, becomes a line of the trace. Then SQLite and PostgreSQL answer the
same lines: receipts and pages must be equal to the byte, and at the end records, ledger, parked
edits, feeds and digests of all scopes.

    python -m tests.prove.twin --seed 1 [--edits 200000] [--sabotage scopes_sorted_naturally]
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sync.compaction import Keeping
from sync.edits import Draft
from sync.errors import Problem
from sync.pull import Page, Pull, pull
from sync.push import Push, push
from sync.store import FeedRow, Window
from tests.prove.country import Country, Plan
from tests.prove.engines import EngineSim, PlainEpochs, open_schema
from tests.prove.plan import look_for_no_garbage, on_stderr, silent
from tests.prove.wide import WideSim
from tests.simulation import upkeep
from tests.simulation.gate import DatedGate
from tests.simulation.serving import ANCHORS, OFFICE_USER
from tests.simulation.world import World
from tests.sync.conftest import sqlite_engine
from tests.sync.house import KINDS, Envelope
from tests.sync.server import moment

PHONES_MIN, PHONES_PER_EDIT = 40, 1 / 1000
DIFFERENCES_MAX = 3
TELL_EVERY = 10_000


class Line(NamedTuple):
    """One thing asked of the server, and what it answered."""

    op: str
    at_ms: int
    asked: Any
    answer: str = ""


class Pushed(NamedTuple):
    """Who pushed what."""

    device: str
    user: int
    drafts: Sequence[Draft]


class Pulled(NamedTuple):
    """Who pulled what."""

    device: str
    scopes: Sequence[str]
    cursor: str | None
    want_bytes: int
    brief: bool


@dataclasses.dataclass
class RecordedSim(WideSim):
    """The store in memory, which writes down what is done to it from outside."""

    trace: list[Line] = dataclasses.field(default_factory=list)

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""
        super().enrol(device, user)
        self.trace.append(Line("enrol", 0, (device, user)))


class Recorded(Country):
    """A country of which every request to the server is written down."""

    stand: RecordedSim
    tombstones_ms = World.tombstones_ms
    portions = (1, 2, 99)

    def _night(self) -> None:
        super()._night()
        self.compact()

    def _forget(self, keeping: Keeping, portions: int) -> bool:
        self.stand.trace.append(Line("compact", self.now_ms, (keeping, portions)))
        return super()._forget(keeping, portions)

    def _push(
        self, device: str, drafts: list[Draft], user: int, *, dies: bool = False
    ) -> Mapping[str, Any]:
        asked = Pushed(device, user, drafts)
        try:
            answer = super()._push(device, drafts, user, dies=dies)
        except Problem as problem:
            self.stand.trace.append(Line("push", self.now_ms, asked, _refused(problem)))
            raise
        self.stand.trace.append(Line("push", self.now_ms, asked, _text(answer)))
        return answer

    def _pull(self, request: Mapping[str, Any], user: int, marks: int) -> Page:
        page = super()._pull(request, user, marks)
        asked = Pulled(request["device"], self.granted(user),
                       request["cursor"], request["want_bytes"],
                       request.get("brief", False))  # fmt: skip
        told = page.as_json(moment(self.now_ms), ANCHORS.issue(self.now_ms, request["device"]))
        self.stand.trace.append(Line("pull", self.now_ms, asked, told))
        return page


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=dict)


def _refused(problem: Problem) -> str:
    return _text({"problem": problem.code, **problem.extra})


# -- planted bugs: one engine does something in a way of its own ----------------------------------


@contextmanager
def scopes_sorted_naturally(stand: EngineSim) -> Iterator[None]:
    """Sort grid 10 after grid 9, as a collation for people does."""
    right = PlainEpochs.feed

    def wrong(self: Any, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        turns = {one.scope: one.turn for one in windows}
        return sorted(right(self, windows, limit), key=lambda row: (
            turns[row.scope], row.rank, len(row.scope), row.scope, row.ver))  # fmt: skip

    PlainEpochs.feed = wrong  # type: ignore[method-assign]
    try:
        yield
    finally:
        PlainEpochs.feed = right  # type: ignore[method-assign]


class _Rounding(Envelope):
    """Keeps a number the way a column of single precision does."""

    def close(self, kind: str, record: str, text: str) -> str:
        values = json.loads(text, parse_float=lambda word: round(float(word), 6))
        rounded = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        return super().close(kind, record, rounded)


@contextmanager
def numbers_rounded(stand: EngineSim) -> Iterator[None]:
    """Lose the last figures of a position."""
    stand.seal = _Rounding()
    yield


@contextmanager
def tombstones_forgotten_alone(stand: EngineSim) -> Iterator[None]:
    """Forget no tombstones on one engine."""
    right = upkeep.compact
    upkeep.compact = lambda *_told, **_more: False
    try:
        yield
    finally:
        upkeep.compact = right


SABOTAGES = {
    one.__name__: one
    for one in (scopes_sorted_naturally, numbers_rounded, tombstones_forgotten_alone)
}


SHORT = {"seed": 1, "edits": 1500}

# -- replaying ---------------------------------------------------------------------------------


@dataclasses.dataclass
class Replay:
    """The trace on one engine."""

    stand: EngineSim
    grants: Any
    tell: Callable[[str], None] = silent
    hash: Any = dataclasses.field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    differing: list[str] = dataclasses.field(default_factory=list)

    def run(self, trace: Sequence[Line]) -> None:
        """Ask everything again and compare the answers."""
        for number, line in enumerate(trace):
            answer = getattr(self, line.op)(line)
            self.hash.update(answer.encode())
            if answer != line.answer:
                self.differing.append(f"line {number} {line.op}: {_apart(line.answer, answer)}")
            if len(self.differing) >= DIFFERENCES_MAX:
                return
            if number % TELL_EVERY == 0:
                self.tell(f"{number} of {len(trace)} lines asked")

    def enrol(self, line: Line) -> str:
        """Add a device."""
        self.stand.enrol(*line.asked)
        return ""

    def compact(self, line: Line) -> str:
        """Forget what is old."""
        keeping, portions = line.asked
        upkeep.compact(self.stand, line.at_ms, keeping, portions)
        return ""

    def push(self, line: Line) -> str:
        """Push, judged by the same dated grants."""
        device, user, drafts = line.asked
        gate = DatedGate(self.grants, user, line.at_ms, user == OFFICE_USER)
        context = Push(device, user, line.at_ms, ANCHORS, gate, KINDS)
        try:
            with self.stand.open() as store:
                reply = push(store, drafts, context)
        except Problem as problem:
            return _refused(problem)
        return _text({"expected": reply.expected, "last_id": reply.last_id,
                      "results": reply.results})  # fmt: skip

    def pull(self, line: Line) -> str:
        """Pull one page; time and anchor are those of the trace."""
        with self.stand.open() as store:
            device = store.device(line.asked.device)
            asked = Pull(line.asked.scopes, line.asked.cursor, device, line.asked.want_bytes,
                         brief=line.asked.brief)  # fmt: skip
            page = pull(store, asked)
        told = json.loads(line.answer)
        return page.as_json(told["now"], told["anchor"])


def _apart(one: str, other: str) -> str:
    """Show where two answers part."""
    pairs = enumerate(zip(one, other, strict=False))
    here = next((i for i, pair in pairs if pair[0] != pair[1]), 0)
    return f"…{one[max(0, here - 60) : here + 60]} ≠ …{other[max(0, here - 60) : here + 60]}"


def _state(stand: Any) -> dict[str, str]:
    """Return the hash of each part of what a store holds."""
    parts: dict[str, Any] = {
        "records": [dataclasses.astuple(one) for _, one in sorted(stand.records().items())],
        "ledger": sorted(stand.ledger()),
        "parked": stand.waiting(),
        "feeds": sorted((s, sorted(rows)) for s, rows in stand.shown().items() if rows),
        "digests": sorted(stand.states().items()),
    }
    return {
        name: _hash(json.dumps(part, sort_keys=True, default=dict)) for name, part in parts.items()
    }


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _recorded(seed: int, edits: int, tell: Callable[[str], None]) -> Recorded:
    phones = max(PHONES_MIN, int(edits * PHONES_PER_EDIT))
    plan = Plan(phones=phones, edits=edits, days=max(3, edits * 365 // 1_000_000), restores=0)
    world = Recorded(seed, RecordedSim(), plan, tell)
    world.run()
    return world


def prove(
    seed: int, edits: int, sabotage: str | None = None, tell: Callable[[str], None] = silent
) -> dict[str, Any]:
    """Record a trace, replay it on both engines, and tell where they differ."""
    began = time.monotonic()
    world = _recorded(seed, edits, tell)
    trace, wanted = world.stand.trace, _state(world.stand)
    violations: list[str] = []
    hashes: dict[str, str] = {}
    with open_schema("twin") as postgres:
        for name, engine in (("sqlite", sqlite_engine()), ("postgresql", postgres)):
            tell(f"asking {name}")
            replay = Replay(EngineSim(engine), world.grants, tell)
            planted = SABOTAGES[sabotage] if sabotage and name == "postgresql" else None
            with planted(replay.stand) if planted else contextlib.nullcontext():
                replay.run(trace)
                found = _state(replay.stand)
            hashes[name] = replay.hash.hexdigest()
            violations += [f"{name} {one}" for one in replay.differing]
            violations += [
                f"{name}: other {part}" for part in wanted if found[part] != wanted[part]
            ]
    world.close()
    if len(set(hashes.values())) > 1:
        violations.append("the answers of the engines differ")
    return {
        "prover": "twin", "lines": len(trace), "pushes": sum(one.op == "push" for one in trace),
        "pulls": sum(one.op == "pull" for one in trace),
        "took_s": round(time.monotonic() - began, 1),
        "written": world.figures["edits"], "answers": hashes, "state": wanted,
        "violations": violations,
    }  # fmt: skip


def main() -> int:
    """Run from the command line: print one line of JSON, fail on a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.twin", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=200_000)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="plant a known bug")
    told = vars(parser.parse_args())
    look_for_no_garbage()
    found = prove(**told, tell=on_stderr)
    print(json.dumps({**told, **found}, ensure_ascii=False))
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
