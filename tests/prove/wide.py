"""The parts of the simulated world that must stay quick when there are a million edits.

The rules are those of ``tests.simulation``: every class here finds the same things by an index.
"""

import bisect
import itertools
import operator
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

from sync.edits import Parked
from sync.parking import OPEN_STATES, PARKING
from sync.store import PUT, Batch, FeedRow, Window
from sync.stores.memory import MemoryStore
from sync.upkeep import FIRST_ID
from tests.simulation.gate import Grants
from tests.simulation.stands import Crash, MemorySim, Watched

Key = tuple[str, str]
BODIES_MAX = 400_000
SPARSE = 2
DERIVED = ("in_order", "passing", "bodies", "lines")


@dataclass
class WideStore(MemoryStore):
    """The store in memory, with indexes of what is parked and of the feeds."""

    about: dict[str, dict[str, None]] = field(default_factory=dict)
    """For a record, the parked edits that are about it or wait for it."""

    full: set[str] | None = None
    """Ids of the ledger that may still have content; None until somebody asks."""
    in_order: list[str] = field(default_factory=list)
    """They, in their order, as they were when somebody began to go through them."""
    passing: tuple[str, list[str]] = field(default_factory=lambda: ("", []))
    """A kind, and the ids that it had when somebody began to go through them."""
    bodies: dict[Key, tuple[object, FeedRow, FeedRow]] = field(default_factory=dict)
    """What was sent last: the record or parked edit, its row of the feed, and that with a body."""
    lines: dict[str, "Lines"] = field(default_factory=dict)
    """The rows of each feed in the order in which they are sent."""

    def ledger_after(self, after: str, limit: int) -> Sequence[str]:
        """Go only through what was not found without content before."""
        if self.full is None:
            self.full = set(self.ledger)
        if after == FIRST_ID:
            self.in_order = sorted(self.full)
        first = bisect.bisect_right(self.in_order, after)
        return self.in_order[first : first + limit]

    def with_content(self, names: Sequence[str]) -> list[str]:
        """Remember what was found without content."""
        found = super().with_content(names)
        if self.full is not None:
            self.full.difference_update(set(names).difference(found))
        return found

    def ids_after(self, kind: str, after: str, limit: int) -> Sequence[str]:
        """Sort the ids of a kind only for whoever begins to go through them."""
        if after == FIRST_ID or self.passing[0] != kind:
            self.passing = (kind, sorted(name for of, name in self.rows if of == kind))
        first = bisect.bisect_right(self.passing[1], after)
        return self.passing[1][first : first + limit]

    def _with_body(self, row: FeedRow) -> FeedRow:
        """Write each version of a record only once for a scope."""
        if row.op != PUT:
            return super()._with_body(row)
        key = (row.kind, row.record)
        parked = row.kind == PARKING.name
        held: Any = self.parked.get(row.record) if parked else self.rows.get(key)
        known = self.bodies.get(key)
        if known and known[0] is held and known[1] is row:
            return known[2]
        full = super()._with_body(row)
        self.bodies = self.bodies if len(self.bodies) < BODIES_MAX else {}
        self.bodies[key] = (held, row, full)
        return full

    def parked_for(self, records: Iterable[str], edits: Iterable[str]) -> Mapping[str, Parked]:
        """Ask only those parked edits that can be the answer."""
        wanted, named = list(records), list(edits)
        names = {name for name in named if name in self.parked}
        names |= {name for record in wanted for name in self.about.get(record, ())}
        few = SimpleNamespace(parked={name: self.parked[name] for name in sorted(names)})
        return MemoryStore.parked_for(few, wanted, named)  # type: ignore[arg-type]

    def write(self, batch: Batch) -> None:
        """Write, and keep the index."""
        super().write(batch)
        if self.full is not None:
            self.full.update(one.edit.id for one in (*batch.ledger, *batch.amended))
        for name, one in batch.parked.items():
            for record in {one.waits_for, one.edit.rec}:
                if one.state in OPEN_STATES:
                    self.about.setdefault(record, {})[name] = None
                else:
                    self.about.get(record, {}).pop(name, None)

    def _publish(self, batch: Batch) -> None:
        """Publish, and keep those lines that have been made."""
        super()._publish(batch)
        for change in batch.feed:
            lines, present = self.lines.get(change.scope), self.feeds[change.scope]
            if lines is None:
                continue
            lines.append(present[change.kind, change.record])
            if lines.count > SPARSE * len(present):
                del self.lines[change.scope]

    def feed(self, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        """Go through the rows in the order of the answer, and no further than it goes."""
        return Found(itertools.islice(self._bare_feed(windows), limit), self._with_body)

    def _bare_feed(self, windows: Sequence[Window]) -> Iterator[FeedRow]:
        for _, same in itertools.groupby(sorted(windows, key=_turn), key=lambda one: one.turn):
            group = [(window, self._lines(window.scope)) for window in same]
            for rank in sorted({rank for _, lines in group for rank in lines.ranks}):
                for window, lines in group:
                    yield from lines.within(window, rank, self.feeds.get(window.scope, {}))

    def _lines(self, scope: str) -> "Lines":
        if scope not in self.lines:
            self.lines[scope] = Lines.of(self.feeds.get(scope, {}).values())
        return self.lines[scope]


@dataclass
class Found(Sequence[FeedRow]):
    """Rows of a feed, found and filled when they are looked at: a page seldom takes all."""

    left: Iterator[FeedRow]
    fill: Callable[[FeedRow], FeedRow]
    rows: list[FeedRow] = field(default_factory=list)

    def __iter__(self) -> Iterator[FeedRow]:
        """Yield the rows that were looked at before, then those that are left."""
        yield from self.rows
        for row in self.left:
            self.rows.append(self.fill(row))
            yield self.rows[-1]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, place: Any) -> Any:
        """Return a row."""
        return list(self)[place]


_version = operator.attrgetter("ver")


def _turn(window: Window) -> tuple[int, str]:
    return window.turn, window.scope


@dataclass
class Lines:
    """The rows of one feed by rank, each rank in the order of versions.

    Rows that have been written anew or taken out stay where they stand: whoever reads asks the
    feed whether a row is still there. When most are gone, the lines are made again.
    """

    ranks: dict[int, list[FeedRow]] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def of(cls, rows: Iterable[FeedRow]) -> "Lines":
        """Return the lines of the rows of a feed."""
        lines = cls()
        for row in sorted(rows, key=_version):
            lines.append(row)
        return lines

    def append(self, row: FeedRow) -> None:
        """Add a row with the highest version."""
        line = self.ranks.setdefault(row.rank, [])
        line.append(row)
        self.count += 1
        if len(line) > 1 and line[-2].ver > row.ver:
            line.sort(key=_version)

    def within(
        self, window: Window, rank: int, present: Mapping[Key, FeedRow]
    ) -> Iterable[FeedRow]:
        """Return the rows of one rank that a window still wants."""
        line = self.ranks.get(rank, ())
        if rank < window.rank or not line:
            return ()
        after = max(window.after, window.position if rank == window.rank else 0)
        start = bisect.bisect_right(line, after, key=_version)
        rest = itertools.islice(line, start, None)
        newer = itertools.takewhile(lambda row: row.ver <= window.until, rest)
        return (row for row in newer if present.get((row.kind, row.record)) is row)


def _copied(store: WideStore) -> WideStore:
    """Copy the containers, down to those within; what lies in them never changes."""
    copy = WideStore()
    for one in fields(store):
        if one.name not in DERIVED:
            setattr(copy, one.name, _copy_of(getattr(store, one.name)))
    return copy


def _copy_of(value: Any) -> Any:
    if isinstance(value, dict):
        nested = isinstance(next(iter(value.values()), None), dict)
        return {k: dict(v) for k, v in value.items()} if nested else dict(value)
    return value.copy() if isinstance(value, list | set) else value


@dataclass
class WideWatched(Watched):
    """A store that dies before its write reaches the disk: nothing has to be undone."""

    torn: bool = False

    def write(self, batch: Batch) -> None:
        """Write a batch, or die."""
        if self.dies and not self.torn:
            raise Crash
        super().write(batch)


@dataclass
class WideSim(MemorySim):
    """The store in memory for a large world: what a dying server wrote is never kept."""

    store: MemoryStore = field(default_factory=WideStore)

    @contextmanager
    def open(self, *, dies: bool = False) -> Iterator[Watched]:
        """Open the store."""
        yield WideWatched(self.store, dies, torn=self.keeps_torn_writes)

    def backup(self) -> MemoryStore:
        """Return a copy."""
        assert isinstance(self.store, WideStore)
        return _copied(self.store)

    def restore(self, copy: Any, epoch: str) -> None:
        """Go back to a copy."""
        self.store = _copied(copy)
        self.store.name = epoch

    def shown(self) -> Mapping[str, list[tuple[str, str, int]]]:
        """Return what the feed shows."""
        return {
            scope: [(row.kind, row.record, row.rv) for row in feed.values() if row.op == PUT]
            for scope, feed in self.store.feeds.items()
        }


@dataclass
class WideGrants(Grants):
    """Dated grants, kept apart for each user."""

    of: dict[int, Grants] = field(default_factory=dict)

    def _of(self, user: int) -> Grants:
        return self.of.setdefault(user, Grants())

    def give(self, user: int, grid: int, now_ms: int) -> None:
        """Put somebody in charge."""
        self._of(user).give(user, grid, now_ms)

    def end(self, user: int, grid: int, now_ms: int) -> None:
        """End a charge now."""
        self._of(user).end(user, grid, now_ms)

    def in_charge(self, user: int, grid: int, at_ms: int) -> bool:
        """Tell whether somebody was in charge of a grid at a moment."""
        return self._of(user).in_charge(user, grid, at_ms)

    def steady(self, user: int, grid: int, *, around_ms: int, slack_ms: int) -> bool | None:
        """Return the one answer for the whole time around a moment, None when it changed."""
        return self._of(user).steady(user, grid, around_ms=around_ms, slack_ms=slack_ms)

    def scopes(self, user: int, now_ms: int) -> list[str]:
        """Return the scopes that somebody sees now."""
        return self._of(user).scopes(user, now_ms)


def changed(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[Any]:
    """Return the keys under which something else lies now, or nothing any more, or anew.

    What has not been written is the same object: nothing need be compared.
    """
    gone = [key for key in before if key not in after]
    return gone + [key for key, one in after.items() if before.get(key) is not one]


@dataclass
class Bag:
    """Things of which one can be drawn at random, in a time that does not grow with their number.

    The order depends on what was put in and taken out, never on hashes.
    """

    things: list[Any] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)

    def put(self, thing: Any) -> None:
        """Put a thing in, unless it is there."""
        if thing not in self.places:
            self.places[thing] = len(self.things)
            self.things.append(thing)

    def take(self, thing: Any) -> None:
        """Take a thing out, if it is there; the last takes its place."""
        place = self.places.pop(thing, None)
        if place is None:
            return
        last = self.things.pop()
        if place < len(self.things):
            self.things[place] = last
            self.places[last] = place

    def draw(self, rng: random.Random) -> Any:
        """Return one of the things, None when there is none."""
        return rng.choice(self.things) if self.things else None

    def __len__(self) -> int:
        return len(self.things)
