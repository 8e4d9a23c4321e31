"""The table of steps in words, as docs/incidents.md shows it."""

from collections.abc import Iterable
from pathlib import Path

from app.incidents.moves import OPEN_STATES, Move, moves

PAGE = Path(__file__).parents[2] / "docs" / "incidents.md"
BEGINS, ENDS = "<!-- steps: flask incidents table --write -->\n", "<!-- end of steps -->\n"
HEAD = (
    "| step or act | from | to | who | a phone may ask offline | must hold | action "
    "| the server writes |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
Row = tuple[str, str | None, tuple[str, ...], bool, tuple[str, ...], str, tuple[str, ...]]


def as_table() -> str:
    """Write the steps as a table, the states they may start from in one line."""
    rows: dict[Row, list[str | None]] = {}
    for one in moves():
        rows.setdefault(_row(one), []).append(one.here)
    return HEAD + "".join(_line(row, here) for row, here in rows.items())


def with_table(text: str) -> str:
    """Return the page with the present table in its place."""
    before, _, rest = text.partition(BEGINS)
    after = rest.partition(ENDS)[2]
    return before + BEGINS + as_table() + ENDS + after


def _row(one: Move) -> Row:
    return (one.act, one.there, one.who, one.offline, one.guards, one.action, one.stamps)


def _line(row: Row, here: list[str | None]) -> str:
    act, there, who, offline, guards, action, stamps = row
    origin = "any open" if len(here) == len(OPEN_STATES) else _words(one or "–" for one in here)
    cells = (act, origin, there or "stays", _words(who), "yes" if offline else "no",
             _words(guards) or "–", f"`{action}`", _words(stamps) or "–")  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _words(names: Iterable[str]) -> str:
    return ", ".join(names)
