"""Which numbers are too small to be shown, and which others would give them away.

A *cell* is the count of one area: how many are met, and how many are not (a plain count has one
part only). The rule, the same for everybody who looks:

1. A cell one of whose parts is 1 to ``smallest - 1`` is *small* and is not shown.
2. Where a table shows its total, the hidden children together must be ``smallest`` or more in
   every part in which one of them is small; else the next larger child is hidden too. So what is
   missing to the total is never the small cell alone.
3. A hidden area has a table of its own: there its total is not shown, and so many of its children
   are hidden that the others do not add up to it.
4. At the top, where nothing lies above, the total is hidden instead of a second child.
"""

from collections.abc import Collection, Mapping, Sequence

SMALLEST = 5
SMALLEST_FOR_SUMS_ONLY = 10

Cell = tuple[int, ...]
"""The parts of a count: met and not met, or the plain count alone."""


def is_small(cell: Cell, smallest: int) -> bool:
    """Tell whether a cell may not be shown for its own sake."""
    return any(0 < part < smallest for part in cell)


def hidden_children(
    total: Cell, children: Mapping[int, Cell], *, smallest: int, total_shown: bool
) -> frozenset[int]:
    """Return the children of one table, by area, that are not shown (rules 1 to 3)."""
    hidden = {key for key, cell in children.items() if is_small(cell, smallest)}
    by_size = sorted(children, key=lambda key: (sum(children[key]), key))
    small = [children[key] for key in hidden]
    for part, whole in enumerate(total):
        needed = _needed(part, small, smallest) if total_shown else min(smallest, whole)
        for key in by_size:
            if _together(children, hidden, part) >= needed:
                break
            if children[key][part]:
                hidden.add(key)
    return frozenset(hidden)


def top_shown(total: Cell, children: Mapping[int, Cell], *, smallest: int) -> bool:
    """Tell whether the topmost total may be shown beside its children (rule 4)."""
    if is_small(total, smallest):
        return False
    small = [key for key, cell in children.items() if is_small(cell, smallest)]
    cells = [children[key] for key in small]
    return all(
        _together(children, small, part) >= _needed(part, cells, smallest)
        for part in range(len(total))
    )


def _needed(part: int, small: Sequence[Cell], smallest: int) -> int:
    """Return how much must be hidden in a part, for the sake of those that are small in it."""
    return smallest if any(0 < cell[part] < smallest for cell in small) else 0


def _together(children: Mapping[int, Cell], keys: Collection[int], part: int) -> int:
    return sum(children[key][part] for key in keys)
