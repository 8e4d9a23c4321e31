"""What the chapters of the story share: the desk, the grid, two players, and what happened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.phone.acts import Place
from app.phone.client import Phone
from app.phone.office import Office, Stage
from sync.replica_tables import Row


class Untrue(Exception):
    """Something is not as the story tells it."""


def expect(truth: bool, told: str) -> None:
    """Go on only if it is true.

    Raises:
        Untrue: it is not.
    """
    if not truth:
        raise Untrue(told)


@dataclass(frozen=True, slots=True)
class Player:
    """One worker with a phone."""

    letter: str
    user: dict[str, Any]
    phone: Phone

    @property
    def name(self) -> str:
        """Return letter and name."""
        return f"{self.letter} {self.user['name']}"

    def row(self, kind: str, record: str) -> Row:
        """Return a record as the phone shows it.

        Raises:
            Untrue: it shows none.
        """
        row = self.phone.replica.row(kind, record)
        if row is None:
            raise Untrue(f"{self.name} shows the {kind} {record}")
        return row


@dataclass
class Scene:
    """One performance.

    Attributes:
        title: what the fresh records of this performance are called.
        ids: the records of the story by what they are in it.
        choices: what A and B say of the same home.
    """

    office: Office
    stage: Stage
    a: Player
    b: Player
    tell: Callable[[str], None]
    title: str
    category: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    choices: tuple[str, str] = ("", "")
    place: Place = (0.0, 0.0)

    @property
    def players(self) -> tuple[Player, Player]:
        """Return both."""
        return self.a, self.b

    def say(self, who: str, chinese: str, english: str) -> None:
        """Tell one thing that somebody did."""
        self.tell(f"   {who} {chinese} / {english}")
