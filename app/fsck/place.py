"""What a check sees: one snapshot of the database, and the engine that knows its kinds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.conflicts import ConflictRow
from app.core.engine import Engine

FETCH = 1_000
CONFLICT = "conflict"


@dataclass(frozen=True)
class Place:
    """The snapshot within which all checks look."""

    session: Session
    engine: Engine
    extensions: Mapping[str, Any]
    photos: bool = False

    def rows(self, statement: Any) -> Iterator[Any]:
        """Yield rows as they come, never all at once."""
        yield from self.session.execute(statement.execution_options(yield_per=FETCH))

    @property
    def tables(self) -> Mapping[str, sa.Table]:
        """Return the tables of all kinds of record, conflicts too."""
        conflicts: Any = ConflictRow.__table__
        return {**{kind: one.table for kind, one in self.engine.tables.items()},
                CONFLICT: conflicts}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Attributes:
        name: stable, for scripts.
        shows: the invariants that it shows a part of.
        look: yields what breaks it: ids, never values.
        only_with_photos: reads every photo, which takes long.
    """

    name: str
    shows: tuple[int, ...]
    zh: str
    en: str
    look: Callable[[Place], Iterable[str]]
    only_with_photos: bool = False
