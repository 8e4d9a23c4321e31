"""Planted bugs of copies, lines and healing, each of which the simulation must catch."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import cursor, first_copies, healing, pull, replica_tables, snapshot
from sync.cursor import Cursor
from sync.digest import as_hex, scope_digest
from tests.simulation.sabotage import _instead as instead
from tests.simulation.sabotage import planted

if TYPE_CHECKING:
    from tests.simulation.world import World


@planted
def copy_with_a_cursor_ahead_of_its_rows(world: "World") -> Iterator[None]:
    """Read the rows first and the version of the scope a little later."""
    right = snapshot.make
    older: dict[str, list[str]] = {}

    def wrong(store: Any, scope: str, project: Any) -> Any:
        made = right(store, scope, project)
        *items, tail = gzip.decompress(made.body).decode().split("\n")[:-1]
        rows, older[scope] = older.get(scope, items), items
        shown = [(one["t"], one["id"], one["rv"]) for one in map(json.loads, rows)]
        told = {**json.loads(tail), "digest": as_hex(scope_digest(shown))}
        body = gzip.compress("\n".join([*rows, json.dumps(told), ""]).encode())
        return replace(made, body=body, tag=snapshot.tag_of(body))

    with instead((snapshot, "make", wrong)):
        yield


@planted
def copy_counts_less_than_the_pages_before(world: "World") -> Iterator[None]:
    """Go on from where the pages had come to, although an older copy has been laid over them."""
    right = cursor.joined

    def wrong(own: str | None, copy: str) -> str:
        before, after = cursor.read_cursor(own), cursor.read_cursor(copy)
        if before is None or after is None:
            return right(own, copy)
        return Cursor(before.epoch, {**after.places, **before.places}).write()

    with instead((first_copies, "joined", wrong)):
        yield


@planted
def copy_laid_over_what_was_there(world: "World") -> Iterator[None]:
    """Take a copy without doubting what the phone had of the scope before."""
    right = first_copies.FirstCopies._take

    def wrong(self: Any, scope: str, body: bytes) -> bool:
        kept = replica_tables.Memory.doubt
        with instead((replica_tables.Memory, "doubt", lambda *_: None)):
            taken = right(self, scope, body)
        assert kept is replica_tables.Memory.doubt
        return taken

    with instead((first_copies.FirstCopies, "_take", wrong)):
        yield


@planted
def page_asked_before_the_copy_is_applied(world: "World") -> Iterator[None]:
    """Keep the old cursor when a copy is taken, and add the copy's at the next request only."""
    right = first_copies.FirstCopies._take

    def wrong(self: Any, scope: str, body: bytes) -> bool:
        before = self.memory.recall("cursor")
        taken = right(self, scope, body)
        if taken and before:
            self.memory.keep(cursor=before)
        return taken

    with instead((first_copies.FirstCopies, "_take", wrong)):
        yield


@planted
def cursor_line_before_its_rows(world: "World") -> Iterator[None]:
    """Write the cursor of some rows before the rows."""
    right = pull.Page.as_lines

    def wrong(self: Any, now: str, anchor: str) -> Iterator[str]:
        marks = [(max(0, rows - 1), text) for rows, text in self.marks]
        return right(replace(self, marks=marks), now, anchor)

    with instead((pull.Page, "as_lines", wrong)):
        yield


@planted
def budget_skips_what_is_too_long(world: "World") -> Iterator[None]:
    """Leave out a row that does not fit any more, and go on with the smaller ones behind it."""
    right = pull._rows

    def wrong(store: Any, request: Any, places: Any, states: Any) -> Any:
        rows, exhausted = right(store, request, places, states)
        if exhausted or len(rows) < 2:
            return rows, exhausted
        return [row for row in rows if row is not max(rows[:-1], key=_length)], exhausted

    with instead((pull, "_rows", wrong)):
        yield


def _length(row: Any) -> int:
    return len(row.body or "")


@planted
def nothing_too_much_is_ever_forgotten(world: "World") -> Iterator[None]:
    """Fetch what is missing in a wrong bucket, and leave what should not be there."""
    right = healing.Healing._compared

    def wrong(self: Any, scope: str, buckets: Any) -> list[str]:
        with instead((replica_tables.Memory, "leave", lambda *_: None)):
            return right(self, scope, buckets)

    def settled(self: Any, scope: str, digest: str, missing: list[str]) -> None:
        self._settle(scope)

    with instead((healing.Healing, "_compared", wrong), (healing.Healing, "_note", settled),
                 (healing, "begin_again", lambda memory: None)):  # fmt: skip
        yield


@planted
def packed_cursor_loses_its_last_scope(world: "World") -> Iterator[None]:
    """Cut the text of a long cursor to what some older database column could hold."""
    right = Cursor.write

    def wrong(self: Cursor) -> str:
        places = dict(list(self.places.items())[:1])
        return right(Cursor(self.epoch, places))

    with instead((Cursor, "write", wrong)):
        yield
