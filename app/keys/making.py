"""Make data keys, wrap them anew, and put them out of use."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.algorithms import NONCE_BYTES
from app.core.database import insert_into, lock_rows
from app.core.key_table import FieldKey, enter, keys_table, list_of, read_list, write_list
from app.core.keyring import (
    CURRENT,
    DESTROYED,
    FIRST,
    NUMBER_MAX,
    OLD,
    RETIRED,
    Key,
    KeyEntry,
    KeyRing,
)
from sync.errors import Destroyed, Problem

MATERIAL_BYTES = 32
LEFT = (OLD, RETIRED)


@dataclass(frozen=True)
class Wish:
    """Which key is wanted, by whom.

    Attributes:
        asked: the approval that allows it; the same one makes no second key.
        user_id: None for the operator of the server.
    """

    algorithm: str
    asked: str | None = None
    user_id: int | None = None


@dataclass(frozen=True)
class Keys:
    """The keys of an installation within a writing transaction.

    Attributes:
        place: of the database's companions, where the list lies.
    """

    session: Session
    ring: KeyRing
    place: Path

    def rows(self) -> dict[int, FieldKey]:
        """Return the keys that are written down, the first always among them; locked."""
        if FIRST in self.ring.roots.secrets:
            self._write_first()
        found = self.session.scalars(lock_rows(sa.select(FieldKey).order_by(FieldKey.number)))
        rows = {row.number: row for row in found}
        return {**rows, **self._adopted(rows)}

    def _adopted(self, known: Collection[int]) -> dict[int, FieldKey]:
        """Write down again what only the list knows: the database was put back since."""
        lost = [one for one in read_list(list_of(self.place)) if one.number not in known]
        rows = {
            one.number: FieldKey(
                number=one.number, algorithm=one.algorithm, state=one.state, root=one.root,
                wrapped=one.wrapped, known_by=one.check, made_ms=0, resealed_ms=0,
            )
            for one in lost
        }  # fmt: skip
        self.session.add_all(rows.values())
        self.session.flush()
        return rows

    def _write_first(self) -> None:
        """Write the first key down; it is older than the table, and made of a root key."""
        first = Key(FIRST, self.ring.roots.secrets[FIRST])
        row = {"number": FIRST, "algorithm": first.algorithm, "state": CURRENT, "root": FIRST,
               "known_by": first.check, "made_ms": 0, "resealed_ms": 0}  # fmt: skip
        wish = insert_into(self.session, keys_table).values(row)
        self.session.execute(wish.on_conflict_do_nothing())

    def make(self, wish: Wish, now_ms: int) -> int:
        """Make a key and let it seal from now on; return its number.

        It is in the list, on the disk, before anything can be sealed with it.

        Raises:
            Problem: 409 ``keys_used_up``.
        """
        rows = self.rows()
        made = next((row.number for row in rows.values() if wish.asked and row.asked == wish.asked),
                    None)  # fmt: skip
        if made is not None:
            return made
        number = max((FIRST, *rows)) + 1
        if number > NUMBER_MAX:
            raise Problem(409, "keys_used_up", most=NUMBER_MAX)
        entry = self._fresh(number, wish.algorithm)
        enter(list_of(self.place), replace(entry, state=OLD))
        for row in rows.values():
            row.state = OLD if row.state == CURRENT else row.state
        self.session.add(
            FieldKey(number=number, algorithm=entry.algorithm, state=CURRENT, root=entry.root,
                     wrapped=entry.wrapped, known_by=entry.check, made_ms=now_ms,
                     asked=wish.asked)
        )  # fmt: skip
        self.session.flush()
        self._note("key.made", number, user_id=wish.user_id, algorithm=wish.algorithm)
        return number

    def _fresh(self, number: int, algorithm: str) -> KeyEntry:
        material, roots = os.urandom(MATERIAL_BYTES), self.ring.roots
        check = Key(number, material, algorithm).check
        entry = KeyEntry(number, algorithm, CURRENT, roots.current, None, check)
        return replace(entry, wrapped=roots.wrap(entry, material, os.urandom(NONCE_BYTES)))

    def wrap_anew(self) -> int:
        """Wrap every data key with the current root key; return how many were wrapped.

        Raises:
            UnknownKey: the root key of one of them is not in the environment.
        """
        roots, wrapped = self.ring.roots, 0
        others = [row for row in self.rows().values() if row.wrapped is not None]
        entries = {one.number: one for one in read_list(list_of(self.place))}
        for row in others:
            entry = entry_of(row)
            if entry.root == roots.current:
                continue
            fresh = replace(entry, root=roots.current)
            nonce = os.urandom(NONCE_BYTES)
            fresh = replace(fresh, wrapped=roots.wrap(fresh, roots.material(entry), nonce))
            row.root, row.wrapped = fresh.root, fresh.wrapped
            entries[row.number] = fresh
            wrapped += 1
        if wrapped:
            self.session.flush()
            self._note("key.wrapped", roots.current, user_id=None, keys=wrapped)
            write_list(list_of(self.place), [entries[number] for number in sorted(entries)])
        return wrapped

    def end(self, number: int, state: str, now_ms: int) -> FieldKey:
        """Put a key out of use, for good or for reading only.

        Raises:
            Problem: 404, 409 for the key that seals, 410 for one that was destroyed before.
        """
        row = self.rows().get(number)
        if row is None:
            raise Problem(404, "not_found")
        if row.state == CURRENT:
            raise Problem(409, "key_is_current", key=number)
        if row.state == DESTROYED != state:
            raise Destroyed
        if state == DESTROYED:
            enter(list_of(self.place), replace(entry_of(row), wrapped=None))
            row.wrapped = None
        row.state, row.ended_ms = state, now_ms
        self.session.flush()
        return row

    def _note(self, event: str, number: int, *, user_id: int | None, **details: Any) -> None:
        audit.record(self.session, event, user_id=user_id, subject=f"key:{number}", **details)


def entry_of(row: FieldKey) -> KeyEntry:
    """Return a key as the ring takes it."""
    return KeyEntry(row.number, row.algorithm, row.state, row.root, row.wrapped, row.known_by)
