"""Authorisation is data: read the table of actions by roles, and answer questions from it.

The table is ``data/authorization.tsv``. A cell names the widest area in which a role may act,
and whether the action is masked, for aggregates only, behind a stated reason, or for two people.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from app.core.actor import OFFICE_ROLES, ROLES, Actor, Post

TABLE = Path(__file__).parents[2] / "data" / "authorization.tsv"
DEPTH = {"g": 5, "v": 4, "t": 3}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a scope letter and at most one suffix (``m``, ``s``, ``r``, ``2`` or none)."""

    letter: str
    suffix: str = ""


DENIED = Cell("-")


class Answer(Enum):
    """What the table says to one action on one thing."""

    YES = "yes"
    MASKED = "masked"
    SECOND_PERSON = "second_person_required"
    REASON = "reason_required"
    NO = "not_allowed"
    ABSENT = "not_found"


_BETTER = (Answer.YES, Answer.MASKED, Answer.SECOND_PERSON, Answer.REASON)
_BY_SUFFIX = {"": Answer.YES, "m": Answer.MASKED, "2": Answer.SECOND_PERSON, "r": Answer.REASON}


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and the side of the desk on which the actor sits for it."""

    answer: Answer
    office: bool = False

    @property
    def allowed(self) -> bool:
        """Tell whether the action may go on (masked or not)."""
        return self.answer in (Answer.YES, Answer.MASKED)


@dataclass(frozen=True, slots=True)
class Reach:
    """Within which areas an actor may list.

    Attributes:
        paths: subtrees of areas.
        own: also, or only, what is his own.
        masked: no unmasked cell gives any of it.
    """

    paths: tuple[str, ...] = ()
    own: bool = False
    everything: bool = False
    masked: bool = False


@cache
def table() -> Mapping[str, Mapping[str, Cell]]:
    """Return the cells by action and role."""
    lines = [
        line.split("\t")
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return {
        action: {role: Cell(cell[0], cell[1:]) for role, cell in zip(ROLES, cells, strict=True)}
        for action, *cells in lines
    }


def knows(action: str) -> bool:
    """Tell whether the table has an action."""
    return action in table()


def anchor(post: Post, letter: str) -> str:
    """Return the path below which a cell's letter lets the holder of a post act."""
    depth = DEPTH.get(letter)
    if depth is None:
        return post.path
    parts = post.path.split(".")[:-1]
    return ".".join(parts[:depth]) + "."


def might(actor: Actor, action: str, now_ms: int) -> bool:
    """Tell whether any post of the actor has any right to the action."""
    cells = table()[action]
    return any(cells[post.role].letter != "-" for post in actor.posts_at(now_ms))


def might_have(actor: Actor, action: str, now_ms: int) -> bool:
    """Tell whether any post of the actor, of now or before, has or had a right to the action."""
    cells = table()[action]
    return any(cells[one.role].letter != "-" for one in actor.posts if one.starts_ms <= now_ms)


def decide(actor: Actor, action: str, *, path: str | None, own: bool, at_ms: int) -> Decision:
    """Answer whether the actor may do this to a thing in the area of this path.

    Args:
        path: the path of the thing's area; None when it has none.
        own: the thing is the actor's own, or assigned to him.
        at_ms: the moment whose posts count.
    """
    found: dict[Answer, bool] = {}
    near = False
    for post in actor.posts_at(at_ms):
        cell = table()[action][post.role]
        near = near or own or (path is not None and path.startswith(post.path))
        if _covers(cell, post, path, own=own) and cell.suffix in _BY_SUFFIX:
            answer = _BY_SUFFIX[cell.suffix]
            found[answer] = found.get(answer, False) or post.role in OFFICE_ROLES
    for answer in _BETTER:
        if answer in found:
            return Decision(answer, found[answer])
    return Decision(Answer.NO if near else Answer.ABSENT)


def decide_sums(actor: Actor, action: str, *, path: str | None, at_ms: int) -> Answer | None:
    """Answer whether the actor may see sums over the area of this path.

    Returns:
        YES, MASKED where he may see nothing but sums, or None when the area is not his.
    """
    cells = [
        cell
        for post in actor.posts_at(at_ms)
        if _covers(cell := table()[action][post.role], post, path, own=False)
    ]
    if any(cell.suffix == "" for cell in cells):
        return Answer.YES
    return Answer.MASKED if any(cell.suffix == "s" for cell in cells) else None


def _covers(cell: Cell, post: Post, path: str | None, *, own: bool) -> bool:
    if cell.letter == "-":
        return False
    if cell.letter == "A":
        return True
    if cell.letter == "o":
        return own
    return path is not None and path.startswith(anchor(post, cell.letter))


def paths_of(actor: Actor, action: str, answers: Collection[Answer], at_ms: int) -> tuple[str, ...]:
    """Return the paths below which the actor's posts give him one of some answers."""
    cells = [(table()[action][post.role], post) for post in actor.posts_at(at_ms)]
    return _widest(
        "" if cell.letter == "A" else anchor(post, cell.letter)
        for cell, post in cells
        if cell.letter not in "-o" and _BY_SUFFIX.get(cell.suffix) in answers
    )


def reach(actor: Actor, action: str, now_ms: int) -> Reach:
    """Return where an actor may list things by this action."""
    cells = [(table()[action][post.role], post) for post in actor.posts_at(now_ms)]
    usable = [
        (cell, post) for cell, post in cells if cell.letter != "-" and cell.suffix in ("", "m")
    ]
    return Reach(
        paths=_widest(anchor(post, cell.letter) for cell, post in usable if cell.letter in "gvtc"),
        own=any(cell.letter == "o" for cell, _ in usable),
        everything=any(cell.letter == "A" for cell, _ in usable),
        masked=all(cell.suffix == "m" for cell, _ in usable),
    )


def _widest(paths: Iterable[str]) -> tuple[str, ...]:
    """Drop the paths that lie below another one."""
    kept: list[str] = []
    for path in sorted(set(paths), key=len):
        if not any(path.startswith(other) for other in kept):
            kept.append(path)
    return tuple(kept)
