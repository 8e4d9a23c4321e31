"""The steps of an incident as data: the rows of data/incident_moves.tsv, read once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parents[2] / "data" / "incident_moves.tsv"
NOWHERE, STAYS, OPEN, NOTHING = "-", "=", "open", "-"
RANKS: Mapping[str, int] = {
    "draft": 0, "reported": 10, "cancelled": 15, "rejected": 20, "appealed": 25, "verified": 30,
    "not_filed": 35, "filed": 40, "returned": 42, "dispatched": 45, "claimed": 50, "rework": 52,
    "in_progress": 55, "hung": 57, "answered": 60, "checked": 65, "merged": 70, "reopened": 80,
    "closed": 90, "followed_up": 95,
}  # fmt: skip
"""How far along each state is, for lists; which step stands is for the table alone to say."""
STATES = tuple(RANKS)
OVER = frozenset({"cancelled", "not_filed", "merged", "closed", "followed_up"})
OPEN_STATES = tuple(state for state in STATES if state not in OVER)


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table, for one state it may start from.

    Attributes:
        here: the state before; None when the record is not there yet.
        there: the state after; None when the record stays where it is.
    """

    act: str
    here: str | None
    there: str | None
    who: tuple[str, ...]
    offline: bool
    guards: tuple[str, ...]
    action: str
    stamps: tuple[str, ...]


@cache
def moves() -> tuple[Move, ...]:
    """Return all rows, each spread over the states it may start from."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return tuple(move for row in rows[1:] for move in _spread(*row))


def _spread(
    act: str, here: str, there: str, who: str, offline: str, guards: str, action: str, stamps: str
) -> Iterator[Move]:
    for state in OPEN_STATES if here == OPEN else here.split(","):
        yield Move(
            act, None if state == NOWHERE else state, None if there == STAYS else there,
            tuple(who.split(",")), offline == "yes", _names(guards), action, _names(stamps),
        )  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return () if text == NOTHING else tuple(text.split(","))


@cache
def steps() -> Mapping[tuple[str | None, str], Move]:
    """Return the rows that lead from one state to another."""
    return {(one.here, one.there): one for one in moves() if one.there is not None}


@cache
def acts() -> Mapping[tuple[str, str], Move]:
    """Return the rows that leave the state as it is, by act and state."""
    return {(one.act, one.here): one for one in moves() if one.there is None and one.here}


@cache
def act_names() -> tuple[str, ...]:
    """Return the acts that leave the state as it is, in the order of the table."""
    return tuple(dict.fromkeys(one.act for one in moves() if one.there is None))


@cache
def action_into(state: str) -> str | None:
    """Return the action of some step into a state: by it a step is judged that the table lacks."""
    return next((one.action for one in moves() if one.there == state and one.here), None)
