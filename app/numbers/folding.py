"""Add the counts of grids up to the areas of a table, and find what of it may be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.numbers.counting import GridCounts
from app.numbers.hiding import Cell, hidden_children, is_small, top_shown


@dataclass(frozen=True, slots=True)
class Sums:
    """The counts of an area and of its children: the parts of all numbers, or of one."""

    total: Cell
    children: Mapping[int, Cell]

    def of(self, part: slice) -> "Sums":
        """Return the sums of one number."""
        return Sums(self.total[part], {key: cell[part] for key, cell in self.children.items()})


@dataclass(frozen=True, slots=True)
class Cells:
    """One number of an area and of its children, and what of it may be shown."""

    sums: Sums
    total_shown: bool
    hidden: frozenset[int]


def fold(rows: Sequence[GridCounts], path: str, width: int) -> Sums:
    """Return the sums of the area of a path; a grid has no children."""
    depth = path.count(".")
    total = [0] * width
    children: dict[int, list[int]] = {}
    for row in rows:
        if row.path.startswith(path):
            child = row.path.split(".", depth + 1)[depth]
            into = [total, children.setdefault(int(child), [0] * width)] if child else [total]
            for sums in into:
                sums[:] = map(int.__add__, sums, row.parts)
    return Sums(tuple(total), {child: tuple(sums) for child, sums in children.items()})


def cells_at_top(sums: Sums, *, smallest: int) -> Cells:
    """Return one number of an area above which nobody looks."""
    small = frozenset(key for key, cell in sums.children.items() if is_small(cell, smallest))
    return Cells(sums, top_shown(sums.total, sums.children, smallest=smallest), small)


def cells_below(chain: Sequence[tuple[int, Sums]], *, smallest: int) -> Cells:
    """Return one number of the last area of a chain.

    What an area hides depends on whether it is hidden itself, so the rules are followed from the
    first area of the chain down; everybody follows the same chain and finds the same.

    Args:
        chain: areas with their sums, each the parent of the next.
    """
    shown = not is_small(chain[0][1].total, smallest)
    hidden: frozenset[int] = frozenset()
    for place, (area, sums) in enumerate(chain):
        shown = shown if place == 0 else area not in hidden
        hidden = hidden_children(sums.total, sums.children, smallest=smallest, total_shown=shown)
    return Cells(chain[-1][1], shown, hidden)
