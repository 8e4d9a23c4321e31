"""What a feature hands to the house: one value that the factory registers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.deeds import Deed
from app.core.jobs import Beat, Job
from app.core.problems import Words
from app.core.records import Record
from app.core.refusals import Advice
from sync.gate import Work

Values = Mapping[str, Any]


class KindPolicy(Protocol):
    """The rights and rules of one kind of record (a feature's ``policies`` module)."""

    @property
    def model(self) -> type[Record]:
        """Return the record whose policy this is."""

    @property
    def list_action(self) -> str:
        """Return the action that decides how records are listed: whole, masked, or not at all."""

    @property
    def propose_action(self) -> str:
        """Return the action whose holders may propose changes to the office's own fields."""

    def action(self, work: Work, values: Values) -> str:
        """Return the one action of the authorisation table that an edit needs."""

    def prepare(self, session: Session, works: Sequence[Work]) -> Any:
        """Read what the edits of a batch need, in a constant number of statements."""

    def grids(self, work: Work, values: Values, found: Any) -> tuple[int, ...] | None:
        """Return the grids that an edit touches: all must be within the author's right.

        None says that a new record lies nowhere at all; ``derive`` then refuses it.
        """

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the record is the actor's own or assigned to him."""

    def derive(self, work: Work, values: Values, found: Any, actor: Actor) -> Values:
        """Return the values with what the server adds.

        Raises:
            Refusal: a rule of the feature forbids the edit.
        """


@dataclass(frozen=True)
class Feature:
    """A folder of the house, as the factory sees it."""

    name: str
    blueprints: Sequence[Any] = ()
    policies: Sequence[KindPolicy] = ()
    problems: Mapping[str, Words] = field(default_factory=dict)
    faults: Mapping[str, Advice] = field(default_factory=dict)
    commands: Sequence[Any] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    beats: Sequence[Beat] = ()
    deeds: Sequence[Deed] = ()
    init_app: Callable[[Flask], None] | None = None
