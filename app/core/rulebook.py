"""What the office sets seldom and every push asks for: kept in the process, by its version.

Each set of rules has a version, a random word that whoever changes the rules writes anew in the
same transaction. A push reads the version in a statement that it makes anyhow, and what is kept
counts only under that very version: so no process ever judges by rules that another one has
changed, however long it has kept them. What is read under an old version while a new one is being
written is kept under the old one, and read again by whoever sees the new one.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.database import Base, insert_into
from app.core.identifiers import new_id

EXTENSION = "wangge_rulebook"
Rules = TypeVar("Rules")


class RuleVersion(Base):
    """The present version of one set of rules; none has been set where there is no row."""

    __tablename__ = "rule_version"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(36))


def version_of(name: str) -> sa.Label[Any]:
    """Return the version of a set of rules as one more column of a statement."""
    t = RuleVersion.__table__.c
    found = sa.select(t.version).where(t.name == name).scalar_subquery()
    return found.label(f"{name}_version")


def note_change(session: Session, name: str) -> None:
    """Give a set of rules another version, with the change itself; a version never comes back."""
    insert = insert_into(session, RuleVersion.__table__).values(name=name, version=new_id())
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["name"], set_={"version": insert.excluded.version}
        )
    )


def kept(name: str, version: Hashable, read: Callable[[], Rules]) -> Rules:
    """Return the rules of a version: those that this process keeps, or else as they are read.

    Args:
        version: as it was read in this transaction, before what ``read`` will find.
    """
    shelf: dict[str, tuple[Hashable, Any]] = current_app.extensions.setdefault(EXTENSION, {})
    there = shelf.get(name)
    if there is not None and there[0] == version:
        rules: Rules = there[1]
        return rules
    found = read()
    shelf[name] = (version, found)
    return found
