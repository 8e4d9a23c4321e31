"""All doors in one list: the principal ones, by which `make test` asks, and the whole."""

from collections.abc import Callable

from tests.cells.lists import ask_features, ask_lists
from tests.cells.phones import ask_copies, ask_edits, ask_pulls
from tests.cells.rows import ask_rows
from tests.cells.run import Cells, ask_doors
from tests.cells.table import ask_guards, ask_table
from tests.cells.world import World

Ask = Callable[[Cells], None]
READING: tuple[Ask, ...] = (
    ask_table, ask_lists, ask_features, ask_pulls, ask_copies, ask_rows,
)  # fmt: skip
PRINCIPAL: tuple[Ask, ...] = (*READING, ask_edits)
WHOLE: tuple[Ask, ...] = (*READING, ask_guards, ask_doors, ask_edits)


def ask(world: World, doors: tuple[Ask, ...] = WHOLE) -> Cells:
    """Ask every cell at these doors; lists and pulls first, while the world is as it was made."""
    cells = Cells(world)
    for one in doors:
        one(cells)
    return cells
