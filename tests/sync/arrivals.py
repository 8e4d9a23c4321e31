"""Histories for the laws of merging: who wrote what, what each had seen, in which order."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from sync import merge
from sync.edits import Edit, Mark, Record
from sync.kinds import Kind
from tests.sync.house import PLOT, name_of

FOUNDER = Mark(1, 0, name_of("founder"), name_of("0"))
START_VALUES: Mapping[str, Any] = {
    **{one.name: None for one in PLOT.fields},
    "grid": 7, "owner": "zero", "lon": 0, "lat": 10, "tags": ["a", "b"], "calls": 10,
}  # fmt: skip
START = Record("plot", name_of(1), 1, START_VALUES, {"*": FOUNDER})


@dataclass(frozen=True)
class Step:
    """One edit of a history, from the version its author had seen."""

    device: str
    op: str
    values: Mapping[str, Any] = field(default_factory=dict)
    was: Mapping[str, Any] = field(default_factory=dict)
    base: int = 1
    gap: int = 0
    office: bool = False


@dataclass
class Arrived:
    """An edit as it was applied: its stamp, its version, and the edits its author had seen."""

    name: str
    step: Step
    ms: int
    rv: int
    seen: frozenset[str]


class History:
    """A record under edits that arrive one after the other."""

    def __init__(self, kind: Kind = PLOT, start: Record = START) -> None:
        self.kind, self.record = kind, start
        self.arrived: list[Arrived] = []
        self.merged: list[merge.Merged] = []

    def arrive(self, name: str, step: Step, ms: int | None = None) -> merge.Merged:
        """Apply one edit with a stamp after all that its author had seen."""
        seen = [
            one for one in self.arrived if one.rv <= step.base or one.step.device == step.device
        ]
        at = max((one.ms for one in seen), default=0) + 1 + step.gap if ms is None else ms
        edit = Edit(len(self.arrived) + 1, name_of(name), step.op, self.kind.name, self.record.id,
                    step.base, step.values, step.was)  # fmt: skip
        author = merge.Author(at, name_of(step.device), step.office)
        result = merge.apply(self.kind, self.record, edit, step.values, author)
        self.record = result.record
        self.merged.append(result)
        rv = result.record.rv
        self.arrived.append(Arrived(name, step, at, rv, frozenset(one.name for one in seen)))
        return result

    @property
    def kept(self) -> list[Any]:
        """Return the values that lost, as the clashes keep them."""
        return [dict(clash.lost) for one in self.merged for clash in one.clashes]


def orders(steps: Sequence[Step]) -> Iterator[list[tuple[int, Step]]]:
    """Return every order of arrival; the edits of one device stay in theirs."""
    for order in itertools.permutations(enumerate(steps)):
        places = [(step.device, number) for number, step in order]
        if all(places[i][0] != places[j][0] or places[i][1] < places[j][1]
               for i, j in itertools.combinations(range(len(places)), 2)):  # fmt: skip
            yield list(order)


def everywhere(
    steps: Sequence[Step], kind: Kind = PLOT, start: Record = START
) -> Iterator[History]:
    """Apply concurrent edits in every order, each with the stamp of its place in the list."""
    for order in orders(steps):
        history = History(kind, start)
        for number, step in order:
            history.arrive(f"e{number}", step, ms=10 + number)
        yield history


def lived(history: History, steps: Sequence[tuple[str, Any, int, int]]) -> History:
    """Live through drawn steps: device, what it does, how far it has seen, how long it took."""
    seen: dict[str, int] = {}
    for number, (device, deed, lag, gap) in enumerate(steps):
        base = max(seen.get(device, 1), history.record.rv - lag)
        seen[device] = base
        op, values, was = deed(history, device, base)
        history.arrive(f"e{number}", Step(device, op, values, was, base, gap))
    return history


def drawn(deeds: Sequence[Any]) -> st.SearchStrategy[list[tuple[str, Any, int, int]]]:
    """Draw the steps of three devices."""
    step = st.tuples(st.sampled_from("abc"), st.sampled_from(deeds),
                     st.integers(0, 6), st.integers(0, 40))  # fmt: skip
    return st.lists(step, min_size=1, max_size=9)
