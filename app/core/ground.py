"""Grids that were split, merged or redrawn: what has become of them, and what they were before."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.orm import Session

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Heir:
    """Ground went from one grid to another at a moment.

    Attributes:
        gone: the former grid stands no longer.
        stands: the later one does.
        main: this one takes what names no place.
    """

    old: int
    new: int
    at_ms: int
    gone: bool
    stands: bool
    main: bool


class Moved(NamedTuple):
    """An area was hung under another one at a moment; until then it had this path."""

    area: int
    at_ms: int
    was_path: str


def _unmoved() -> tuple[Moved, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Ground:
    """What a batch needs to know of the grids it names.

    Attributes:
        placed: the grid in which a position lies now, where that had to be asked.
        moves: asks which areas above the grids have been moved; seldom needed, so asked late.
    """

    paths: Mapping[int, str] = field(default_factory=dict)
    heirs: tuple[Heir, ...] = ()
    placed: Mapping[Place, int] = field(default_factory=dict)
    moves: Callable[[], Sequence[Moved]] = _unmoved

    def path_at(self, grid: int, at_ms: int) -> str | None:
        """Return the path that a grid had at a moment."""
        path = self.paths.get(grid)
        for one in sorted(self.moves(), key=lambda one: -one.at_ms):
            head, found, rest = (path or "").partition(f"{one.area}.")
            if path and found and one.at_ms > at_ms and (not head or head.endswith(".")):
                path = one.was_path + rest
        return path

    def before(self, grid: int, at_ms: int) -> tuple[int, ...]:
        """Return a grid and those out of which it has been made since a moment."""
        made = {one.old for one in self.heirs if one.new == grid and one.at_ms > at_ms}
        return (grid, *sorted(made - {grid}))

    def present(self, grid: int, place: Place | None = None) -> int:
        """Return the grid that now stands for one: by the position, or else the main heir."""
        heirs = [one for one in self.heirs if one.old == grid and one.gone and one.stands]
        here = self.placed.get(place) if place else None
        if here is not None and any(one.new == here for one in heirs):
            return here
        return min(heirs, key=main_first).new if heirs else grid


def main_first(heir: Heir) -> tuple[bool, int, int]:
    """Return the order of heirs of one grid: who is the least of them is the main one."""
    return (not heir.main, -heir.at_ms, heir.new)


Survey = Callable[[Session, Iterable[int], Mapping[int, frozenset[Place]]], Ground]
"""Answers for some grids with their paths, and with the heirs of those named for a new record."""
