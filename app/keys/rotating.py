"""Seal everything anew with the current key, in portions, while the server serves on.

Nothing remembers how far a run has come: what is left to do is what another key has sealed. So a
run that was killed at any moment is simply run again, and two at once do no harm. A row is read,
sealed anew outside any transaction, and written only if nobody has written it meanwhile; whoever
has, has sealed it with the current key.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core import audit
from app.core.blobs.contract import Missing
from app.core.database import Database, Mode, lost_a_race
from app.core.engine import ATTEMPTS_MAX, Engine
from app.core.key_table import keys_table
from app.core.keyring import SETTLE_MS, KeyRing
from app.keys import looking
from app.keys.registry import Sealed, registry
from app.photos.uploads import Lane
from app.sync_api.cupboard import Cupboard
from sync.errors import Destroyed, Problem

log = logging.getLogger("wangge")

PORTION = 200
BLOBS_PORTION = 20


class Portion(NamedTuple):
    """What one step has done: the last row it looked at, and how many values it sealed anew."""

    last: Any
    values: int


@dataclass(frozen=True)
class Rotation:
    """The sealing anew of everything with the current key."""

    database: Database
    engine: Engine
    lane: Lane
    cupboard: Cupboard

    @property
    def ring(self) -> KeyRing:
        """Return the key ring."""
        return self.engine.cipher.ring

    @cached_property
    def sealed(self) -> Sequence[Sealed]:
        """Return all that is sealed in the database."""
        return registry(self.engine)

    def left(self) -> int:
        """Return how many values and things are still to be sealed anew."""
        with self.database.transaction(Mode.READ) as session:
            found = looking.counts(session, self.sealed)
            things = self.lane.shelf.sealed(session)
        numbers = looking.to_renew(self.ring)
        return looking.left(found, self.ring) + sum(things.get(number, 0) for number in numbers)

    def begin(self) -> int:
        """Note how much there is to do, and return it."""
        left = self.left()
        self._write(lambda session: self._set(session, total=left, done=0))
        return left

    def sweep(self) -> Iterator[int]:
        """Go once through everything; yield after each portion how many values it was."""
        for one in self.sealed:
            last = None
            while (portion := self._portion(one, last)) is not None:
                yield portion.values
                last = portion.last
        yield from self._sweep_things()
        self.cupboard.keep_only(self.ring.current.number)

    def sweep_until(self, enough: Callable[[], bool]) -> bool:
        """Go through everything until it is enough; tell whether it came to the end."""
        return not any(enough() for _ in self.sweep())

    def finish(self, now_ms: int) -> bool:
        """Note that all is done, if it is; tell whether it is.

        A process may go on sealing with the key before for some seconds after another has become
        current, so it is not done before these have passed.
        """
        if self.left() or now_ms < self.settled_ms():
            return False
        number = self.ring.current.number

        def note(session: Session) -> None:
            open_ = keys_table.c.resealed_ms.is_(None)
            this = sa.update(keys_table).where(keys_table.c.number == number, open_)
            changed: Any = session.execute(this.values(resealed_ms=now_ms))
            if changed.rowcount:
                audit.record(session, "key.resealed", user_id=None, subject=f"key:{number}")

        self._write(note)
        return True

    def settled_ms(self) -> int:
        """Return from when on every process seals with the current key."""
        query = sa.select(keys_table.c.made_ms).where(self._this())
        with self.database.transaction(Mode.READ) as session:
            return (session.scalar(query) or -SETTLE_MS) + SETTLE_MS

    # -- columns ------------------------------------------------------------------------------

    def _portion(self, one: Sealed, last: Any) -> Portion | None:
        """Seal the next rows of a table anew; None when there are no more."""
        with self.database.transaction(Mode.READ) as session:
            rows = session.execute(self._next(one, last)).all()
        if not rows:
            return None
        renewed = [new for row in rows if (new := self._renewed(one, row))]
        values = sum(new is not None for row in renewed for new in list(row.values())[2:])
        if renewed:
            self._write(lambda session: self._replace(session, one, renewed, values))
        return Portion(getattr(rows[-1], one.key), values)

    def _next(self, one: Sealed, last: Any) -> sa.Select[Any]:
        t = one.table.c
        names = dict.fromkeys((one.key, one.guard, *one.beside, *one.columns))
        query = sa.select(*(t[name] for name in names))
        query = query.where(looking.sealed_with(one, looking.to_renew(self.ring)))
        if last is not None:
            query = query.where(t[one.key] > last)
        return query.order_by(t[one.key]).limit(PORTION)

    def _renewed(self, one: Sealed, row: Any) -> dict[str, Any] | None:
        """Return the new values of a row; None when it cannot be opened, which is told once."""
        key = getattr(row, one.key)
        try:
            new = one.renew(row)
        except (InvalidTag, Destroyed, ValueError) as error:
            log.error("%s %s cannot be opened: %s", one.table.name, key, type(error).__name__)
            return None
        shape = {f"new_{name}": new[name] for name in (*one.columns, *one.blinds)}
        return {"of": key, "seen": getattr(row, one.guard), **shape}

    def _replace(
        self, session: Session, one: Sealed, rows: Sequence[dict[str, Any]], values: int
    ) -> None:
        """Write rows that nobody has written meanwhile, locked in the order of all writers."""
        t, names = one.table.c, (*one.columns, *one.blinds)
        keys = sa.select(t[one.key]).where(t[one.key].in_([row["of"] for row in rows]))
        session.execute(keys.order_by(t[one.key]).with_for_update())
        same = t[one.guard] == sa.bindparam("seen", type_=t[one.guard].type)
        this = t[one.key] == sa.bindparam("of", type_=t[one.key].type)
        new = {name: sa.bindparam(f"new_{name}", type_=t[name].type) for name in names}
        session.connection().execute(sa.update(one.table).where(this, same).values(new), rows)
        self._count(session, values)

    # -- things -------------------------------------------------------------------------------

    def _sweep_things(self) -> Iterator[int]:
        """Seal anew what lies on the shelf, one thing after the other."""
        shelf, last = self.lane.shelf, ""
        while True:
            with self.database.transaction(Mode.READ) as session:
                things = shelf.left(session, last, BLOBS_PORTION)
            for key, size in things:
                try:
                    shelf.seal_anew(key, size)
                except (Missing, InvalidTag, Destroyed) as error:
                    log.error("blob %s cannot be opened: %s", key, type(error).__name__)
                    continue
                self._write(lambda session: self._count(session, 1))
                yield 1
            if len(things) < BLOBS_PORTION:
                return
            last = things[-1][0]

    # -- how far ------------------------------------------------------------------------------

    def _this(self) -> sa.ColumnElement[bool]:
        return keys_table.c.number == self.ring.current.number

    def _count(self, session: Session, values: int) -> None:
        self._set(session, done=keys_table.c.done + values)

    def _set(self, session: Session, **values: Any) -> None:
        session.execute(sa.update(keys_table).where(self._this()).values(values))

    def _write(self, work: Callable[[Session], object]) -> None:
        """Do something in a transaction of its own; repeat it when somebody was quicker.

        Raises:
            Problem: 503 when others are quicker again and again.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                with self.database.transaction(Mode.WRITE) as session:
                    work(session)
                    return
            except OperationalError as error:
                if not lost_a_race(error):
                    raise
        raise Problem(503, "retry")
