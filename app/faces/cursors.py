"""Numbers for cursors: each is handed out once per device and face, and stands for one cursor.

A number says nothing about time. An unknown one (of a server restored since, or too old) stands
for nothing, and its phone is sent everything anew.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.faces.models import FaceCursor

Key = tuple[str, str]
KEPT = 8
NUMBER_MAX = 2**53 - 1
_table: sa.Table = FaceCursor.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a phone stands by its number; see ``FaceCursor`` for the words."""

    number: int
    cursor: str | None = None
    handed_ms: int = 0
    seen_ms: int = 0
    held: int = 0
    pushed: bool = False
    again: tuple[Key, ...] = ()

    def moved(self, cursor: str | None, now_ms: int, *, held: int) -> "Standing":
        """Return the place after a pull, not numbered yet."""
        again = self.again if held else ()
        return replace(self, cursor=cursor, handed_ms=now_ms, held=held, pushed=False, again=again)


@dataclass(frozen=True)
class Numbers:
    """The numbers of one device at one face."""

    session: Session
    device: str
    face: str

    def find(self, number: int | None) -> Standing | None:
        """Return what a number stands for, None when it is unknown or there is none."""
        if number is None:
            return None
        row = self.session.execute(sa.select(_table).where(*self._mine(number))).first()
        if row is None:
            return None
        again = tuple((kind, record) for kind, record in json.loads(row.again))
        return Standing(row.number, row.cursor, row.handed_ms, row.seen_ms, row.held, row.pushed,
                        again)  # fmt: skip

    def issue(self, place: Standing) -> int:
        """Number a place, higher than whatever this device has had, and forget its oldest numbers.

        The caller has locked the device.
        """
        last = self.session.scalar(
            sa.select(sa.func.max(_table.c.number)).where(*self._mine())
        )  # fmt: skip
        number = max(last or 0, place.number) + 1
        self.session.execute(
            sa.insert(_table).values(
                device=self.device, face=self.face, number=number, cursor=place.cursor,
                handed_ms=place.handed_ms, seen_ms=place.seen_ms, held=place.held, pushed=False,
                again=json.dumps(place.again),
            )
        )  # fmt: skip
        self.session.execute(
            sa.delete(_table).where(*self._mine(), _table.c.number <= number - KEPT)
        )
        return number

    def see(self, place: Standing) -> None:
        """Note that unsent work rests on this very number from now on."""
        self._set(place.number, seen_ms=place.handed_ms)

    def take(self, place: Standing, again: Iterable[Key]) -> None:
        """Note that a push has come with a number, and what must be sent once more after it."""
        wanted = dict.fromkeys((*place.again, *again))
        self._set(place.number, pushed=True, again=json.dumps(list(wanted)))

    def _set(self, number: int, **values: object) -> None:
        self.session.execute(sa.update(_table).where(*self._mine(number)).values(**values))

    def _mine(self, number: int | None = None) -> list[sa.ColumnElement[bool]]:
        mine = [_table.c.device == self.device, _table.c.face == self.face]
        return [*mine, _table.c.number == number] if number is not None else mine
