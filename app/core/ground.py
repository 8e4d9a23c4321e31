"""Grids that were split, merged or redrawn: what has become of them, and what they were before."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Ground:
    """What a batch needs to know of the grids it names.

    Attributes:
        placed: the grid in which a position lies now, where that had to be asked.
    """

    paths: Mapping[int, str] = field(default_factory=dict)
    heirs: tuple[Heir, ...] = ()
    placed: Mapping[Place, int] = field(default_factory=dict)

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
        return min(heirs, key=_main_first).new if heirs else grid


def _main_first(heir: Heir) -> tuple[bool, int, int]:
    return (not heir.main, -heir.at_ms, heir.new)


Survey = Callable[[Session, Iterable[int], Mapping[int, frozenset[Place]]], Ground]
"""Answers for some grids with their paths, and with the heirs of those named for a new record."""
