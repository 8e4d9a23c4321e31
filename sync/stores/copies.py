"""The statements by which devices get and check their copies: windows of the feed, receipts.

The windows of a thousand scopes travel as one parameter: as one condition each they would be
more than SQLite takes, and another statement for each number of scopes.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from sync.store import PURGE, PUT, Window
from sync.stores.many import among
from sync.stores.tables import SyncTables

WINDOW_TYPES: Mapping[str, sa.types.TypeEngine[Any]] = {
    name: sa.Text() if name == "scope" else sa.BigInteger() for name in Window._fields
}


@cache
def feed(tables: SyncTables, dialect: str) -> Any:
    """Return the statement that reads rows within ``windows``, at most ``limit``."""
    return _sqlite_feed(tables) if dialect == "sqlite" else _postgresql_feed(tables)


def _sqlite_feed(tables: SyncTables) -> Any:
    each = sa.func.json_each(sa.bindparam("windows", type_=sa.Text)).table_valued("value", name="w")
    window = {
        name: sa.func.json_extract(each.c.value, f"$.{name}", type_=type_)
        for name, type_ in WINDOW_TYPES.items()
    }
    t, inside = tables.feed.c, _inside(tables, window)
    found = _rows(tables).select_from(each.join(tables.feed, inside))
    return found.order_by(window["turn"], t.rank, t.scope, t.ver).limit(sa.bindparam("limit"))


def _postgresql_feed(tables: SyncTables) -> Any:
    """Search window by window: a plain join might read the whole feed to find a few rows."""
    told = sa.cast(sa.bindparam("windows", type_=sa.Text), JSONB)
    columns = [sa.column(name, type_) for name, type_ in WINDOW_TYPES.items()]
    windows = sa.func.jsonb_to_recordset(told).table_valued(*columns, name="w")
    w = windows.render_derived(with_types=True)
    t, limit = tables.feed.c, sa.bindparam("limit", type_=sa.Integer)
    one = _rows(tables).where(_inside(tables, dict(w.c))).order_by(t.rank, t.ver).limit(limit)
    found = one.lateral("found")
    names = (t.scope, t.ver, t.rank, t.op, t.kind, t.record, t.rv)
    return (
        sa.select(*(found.c[column.name] for column in names))
        .select_from(w.join(found, sa.true()))
        .order_by(w.c.turn, found.c.rank, found.c.scope, found.c.ver)
        .limit(limit)
    )


def _inside(tables: SyncTables, window: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    t = tables.feed.c
    here = sa.and_(t.rank == window["rank"], t.ver > window["position"])
    beyond = sa.or_(t.rank > window["rank"], here)
    since = sa.and_(t.ver > window["after"], t.ver <= window["until"])
    return sa.and_(t.scope == window["scope"], since, beyond)


def _rows(tables: SyncTables) -> Any:
    t = tables.feed.c
    return sa.select(t.scope, t.ver, t.rank, t.op, t.kind, t.record, t.rv)


@cache
def versions(tables: SyncTables) -> Any:
    """Return the statement that reads the versions of ``asked`` scopes, however many."""
    t = tables.scope.c
    return sa.select(t.scope, t.ver).where(among(t.scope, "asked"))


@cache
def shown(tables: SyncTables) -> Any:
    """Return the statement that reads what a scope shows."""
    t = tables.feed.c
    return sa.select(t.kind, t.record, t.rv).where(t.scope == sa.bindparam("shown"), t.op == PUT)


@cache
def picked(tables: SyncTables) -> Any:
    """Return the statement that reads some of the rows that a scope shows."""
    t = tables.feed.c
    some = among(t.record, "records")
    return _rows(tables).where(t.scope == sa.bindparam("shown"), t.op == PUT, some)


@cache
def purged(tables: SyncTables) -> Any:
    """Return the statement that finds a row erased since a version."""
    t = tables.feed.c
    since = t.ver > sa.bindparam("after")
    return sa.select(t.ver).where(t.scope == sa.bindparam("shown"), since, t.op == PURGE).limit(1)


@cache
def receipts(tables: SyncTables) -> Any:
    """Return the statement that reads the receipts of a device in their order."""
    t = tables.ledger.c
    return (
        sa.select(t.receipt)
        .where(t.device == sa.bindparam("own"), t.n > sa.bindparam("after_n"))
        .order_by(t.n)
        .limit(sa.bindparam("limit"))
    )
