"""A server with one planted bug in its faces, named by ``FACES_SABOTAGE``."""

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from app.core.moments import now_ms
from app.core.records import sync_tables
from app.faces import rxdb, showing, taking, watermelon
from app.faces.cursors import Numbers, Standing
from app.factory import create_app


def whole_rows() -> None:
    """Take every column of a pushed row for an edit, whatever the client says has changed."""

    def everything(kind: Any, changed: Any, row: Mapping[str, Any], hidden: Any) -> dict[str, Any]:
        known = {one.name for one in kind.fields if one.rule.value != "server"}
        return {name: value for name, value in row.items() if name in known}

    watermelon.whole_units = rxdb.whole_units = everything  # type: ignore[assignment]


def as_created() -> None:
    """Send new rows as created."""
    real = watermelon._changes

    def changes(*told: Any) -> dict[str, Any]:
        tables = real(*told)
        for table in tables.values():
            table["created"] = [row for row in table["updated"] if row["rv"] == 1]
            table["updated"] = [row for row in table["updated"] if row["rv"] != 1]
        return tables

    watermelon._changes = changes


def cursor_by_time() -> None:
    """Keep a time for a cursor, and send what arrived after it."""
    real, ledger = showing.Window.read, sync_tables.ledger

    def read(window: Any, cursor: str | None, **told: Any) -> showing.Shown:
        shown = real(window, None, **told)
        since = int(cursor or 0)
        new = window.session.scalars(
            sa.select(ledger.c.rec).where(ledger.c.received_ms > since).distinct()
        )
        recent = set(new)
        shown.put = {key: found for key, found in shown.put.items() if key[1] in recent}
        shown.cursor = str(now_ms())
        return shown

    showing.Window.read = read  # type: ignore[method-assign, assignment]


def random_ids() -> None:
    """Give each edit a new id and remember nothing."""
    taking.said_before = lambda *_: {}  # type: ignore[assignment]
    real = taking._with_id

    def with_id(*told: Any) -> Any:
        return replace(real(*told), id=str(uuid.uuid4()))

    taking._with_id = with_id  # type: ignore[assignment]


def removals_at_once() -> None:
    """Send removals in the very round in which they are found."""
    watermelon._has_waited = lambda *_: True  # type: ignore[assignment]


def base_is_now() -> None:
    """Believe that every edit rests on what was pulled just before it was pushed."""
    real = taking.change

    def change(device: str, op: str, kind: str, record: Any, values: Any, base: Any) -> Any:
        return real(device, op, kind, record, values, 2**40 if base else base)

    watermelon.change = rxdb.change = change  # type: ignore[assignment]


def refusals_in_silence() -> None:
    """Answer a refused row like one that was taken."""
    taking.Fate.refused = False  # type: ignore[method-assign, assignment]
    rxdb._says_the_same = lambda *_: True  # type: ignore[assignment]


def masks_go_back() -> None:
    """Complete groups of fields with the masks that the phone was shown."""
    watermelon.hidden_of = rxdb.hidden_of = lambda *_: frozenset()  # type: ignore[assignment]


def nothing_again() -> None:
    """Forget that a phone may show something else than the record."""
    real = Numbers.take

    def take(numbers: Numbers, place: Standing, again: Any) -> None:
        real(numbers, place, ())

    Numbers.take = take  # type: ignore[method-assign]


SABOTAGES: Mapping[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        whole_rows, as_created, cursor_by_time, random_ids, removals_at_once, base_is_now,
        refusals_in_silence, masks_go_back, nothing_again,
    )
}  # fmt: skip

if planted := os.environ.get("FACES_SABOTAGE"):
    SABOTAGES[planted]()
    app = create_app()
