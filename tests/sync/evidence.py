"""What a store really holds, read past the engine: for tests that compare and count."""

import copy
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from sync.digest import as_hex
from sync.edits import Edit
from sync.store import PUT, Window
from tests.sync.house import Envelope, MemoryStand, SqlStand, Stand

Shown = dict[tuple[str, str], tuple[int, dict[str, Any]]]
EVERYTHING = 100_000


class Taken(NamedTuple):
    """One edit as it once came in."""

    received_ms: int
    device: str
    n: int
    user: int
    edit: Edit


def feed(stand: Stand, scope: str) -> list[Any]:
    """Return all feed rows of a scope in the order of their versions."""
    with stand.open() as store:
        rows = store.feed([Window(scope, 0, 2**60, -1, 0)], EVERYTHING)
    return sorted(rows, key=lambda row: int(row.ver))


def shown(stand: Stand, scope: str) -> Shown:
    """Return what a scope shows: version and values of each record."""
    return {(row.kind, row.record): (row.rv, json.loads(row.body))
            for row in feed(stand, scope) if row.op == PUT}  # fmt: skip


def digest(stand: Stand, scope: str) -> str:
    """Return the digest that the store keeps of a scope."""
    with stand.open() as store:
        state = store.scopes([scope]).get(scope)
    return as_hex(state.digest if state else 0)


def everything(stand: Stand) -> str:
    """Return all that lies in a store, as text; sealed bodies are opened."""
    if isinstance(stand, SqlStand):
        return json.dumps(_rows(stand), default=str, ensure_ascii=False)
    return repr(stand.store)  # type: ignore[attr-defined]


def _rows(stand: SqlStand) -> dict[str, list[list[Any]]]:
    with stand.engine.connect() as connection:
        return {
            name: sorted(
                ([_opened(column, value) for column, value in row._mapping.items()]
                 for row in connection.execute(sa.select(table))), key=str)
            for name, table in sorted(stand.metadata.tables.items())
        }  # fmt: skip


def _opened(column: str, value: Any) -> Any:
    return Envelope().open("", "", value) if column == "body" else value


def ledger(stand: Stand) -> list[Taken]:
    """Return the edits as they came, in the order in which they were taken."""
    found = _from_sql(stand) if isinstance(stand, SqlStand) else _from_memory(stand)
    with stand.open() as store:
        parked = store.parked_for([], [one.edit.id for one in found])
    return sorted(one._replace(edit=dataclasses.replace(parked[one.edit.id].edit, n=one.n))
                  if one.edit.id in parked else one for one in found)  # fmt: skip


def _from_memory(stand: Any) -> list[Taken]:
    return [Taken(one.received_ms, one.device, one.edit.n, one.user, one.edit)
            for one in stand.store.ledger.values()]  # fmt: skip


def _from_sql(stand: SqlStand) -> list[Taken]:
    with stand.engine.connect() as connection:
        rows = connection.execute(sa.select(stand.tables.ledger)).all()
    found = []
    for row in rows:
        body = json.loads(Envelope().open(row.kind, row.edit, row.body))
        edit = Edit(row.n, row.edit, row.op, row.kind, row.rec, body["base"], body["set"],
                    schema=row.schema, at=body["at"])  # fmt: skip
        found.append(Taken(row.received_ms, row.device, row.n, row.user_id, edit))
    return found


def copied(stand: MemoryStand) -> Any:
    """Return a copy of the store in memory, as a backup holds it."""
    return copy.deepcopy(stand.store)


@contextmanager
def statements(stand: SqlStand) -> Iterator[list[str]]:
    """Listen to the statements that a store runs."""
    said: list[str] = []

    def hear(*told: object) -> None:
        said.append(str(told[2]))

    sa.event.listen(stand.engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        sa.event.remove(stand.engine, "before_cursor_execute", hear)
