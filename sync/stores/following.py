"""Followers in a relational database: find them, and see that none came or left meanwhile."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.edits import Record
from sync.errors import Stale
from sync.store import Batch, Following
from sync.stores.many import among

if TYPE_CHECKING:
    from sync.stores.sql import SqlStore

Key = tuple[str, str]


@cache
def _holding(table: sa.Table, field: str) -> Any:
    """Return the statement that reads and locks the records whose field holds some ids."""
    t = table.c
    return (
        sa.select(t.id, t.rv, t.body, t.marks, t.deleted)
        .where(among(t[field], "ids"))
        .order_by(t.id)
        .with_for_update()
    )


@cache
def _ids_holding(table: sa.Table, field: str) -> Any:
    return sa.select(table.c.id).where(among(table.c[field], "ids"))


def followers(store: "SqlStore", asked: Following) -> Mapping[Key, Record]:
    """Return the records, deleted ones too, whose fields hold these ids; one query each."""
    found: dict[Key, Record] = {}
    for kind, field, ids in _questions(store, asked):
        rows = store.run(_holding(store.kinds[kind].table, field), {"ids": ids})
        found |= {(kind, row[0]): store.record(kind, *row) for row in rows}
    return found


def check(store: "SqlStore", batch: Batch) -> None:
    """See that the followers found are those that there are now.

    Where rows are locked nobody could come between: whoever makes a record follow another one
    must hold the other's lock, which the mover has.

    Raises:
        Stale: somebody came between.
    """
    for asked, found in batch.followed_asked:
        if _present(store, asked) != found:
            raise Stale


def _present(store: "SqlStore", asked: Following) -> frozenset[Key]:
    return frozenset(
        (kind, row[0])
        for kind, field, ids in _questions(store, asked)
        for row in store.run(_ids_holding(store.kinds[kind].table, field), {"ids": ids})
    )


def _questions(store: "SqlStore", asked: Following) -> Iterable[tuple[str, str, list[str]]]:
    for kind, field in sorted(asked):
        if kind in store.kinds:
            yield kind, field, sorted(asked[kind, field])
