"""What takes two persons: one asks for it, and it is done once another has said yes.

A feature declares a deed for each action that the authorisation table marks with a ``2``. The
house gives all of them one door, ``/api/v1/approvals``; what follows from a yes happens in the
transaction in which it is said.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flask import current_app
from marshmallow import Schema
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.policy import Answer

EXTENSION = "wangge_deeds"
RIGHTS = (Answer.SECOND_PERSON, Answer.YES)
Details = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody has asked for.

    Attributes:
        subject: what it is about, in the feature's own words ("export:<id>").
        details: what else he has said, in JSON.
        asked_by: he who asked, with all his posts.
    """

    id: str
    action: str
    subject: str
    area_id: int
    reason: str
    details: Details
    asked_by: Actor


class Settle(Protocol):
    """What follows from a second person's word."""

    def __call__(
        self, session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
    ) -> None:
        """Do it if it is approved; else note that it will not be done."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that takes two persons.

    Attributes:
        action: its action of the authorisation table.
        settle: does it, or notes that it was refused or taken back.
        place: returns the area of what it is about, or raises a problem if it may not be asked
            for; None when it is asked for at a door of its own.
        details: what else is to be said when it is asked for.
        rights: what the table must answer to both persons.
    """

    action: str
    settle: Settle
    place: Callable[[Session, Actor, str, Details, datetime], int] | None = None
    details: type[Schema] | None = None
    rights: Collection[Answer] = RIGHTS


def current_deeds() -> Mapping[str, Deed]:
    """Return the deeds of the running application, by action."""
    deeds: Mapping[str, Deed] = current_app.extensions[EXTENSION]
    return deeds
