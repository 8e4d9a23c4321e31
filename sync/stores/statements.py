"""The statements of the relational store, built once: building one costs more than running it."""

from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sync.parking import OPEN_STATES
from sync.stores.many import ROWS, among, recordset
from sync.stores.tables import EPOCH, SyncTables

AMENDED = ("rv", "schema", "receipt", "body", "digest")
NEW, CHANGED, SEEN = "new", "changed", "seen_rv"
TIMELINE = (
    "CASE WHEN pg_is_in_recovery() THEN "
    "(SELECT lpad(to_hex(timeline_id), 8, '0') FROM pg_control_checkpoint()) "
    "ELSE lower(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)) END"
)


class Write(NamedTuple):
    """Rows for one table: new ones, or changed ones with the version that was seen."""

    table: sa.Table
    way: str
    rows: list[dict[str, Any]]


class Statements:
    """Every statement that the store runs on its own tables, for one dialect."""

    def __init__(self, tables: SyncTables, dialect: str) -> None:
        self.tables = tables
        self.dialect = dialect
        self.insert: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
        self._read()
        self._write()

    def _read(self) -> None:
        t = self.tables
        d, ledger, scope = t.device.c, t.ledger.c, t.scope.c
        self.standing = sa.select(
            d.id, d.user_id, d.last_n, d.last_id, d.last_ms, d.enrolment
        ).where(d.id == sa.bindparam("id"))
        self.device = self.standing.with_for_update()
        self.known = sa.select(
            ledger.edit, ledger.device, ledger.n, ledger.digest, ledger.receipt
        ).where(among(ledger.edit, "edits"))
        self.epoch = sa.select(self._life()).where(t.meta.c.name == EPOCH)
        self.scopes = sa.select(
            scope.scope, scope.ver, scope.digest, scope.live, scope.floor
        ).where(among(scope.scope, "scopes"))
        asked = self._asked()
        self.parked = sa.select(t.parked).where(asked).order_by(t.parked.c.edit).with_for_update()
        self.parked_versions = sa.select(t.parked.c.edit, t.parked.c.rv).where(asked)
        self.overdue = (
            sa.select(t.parked)
            .where(t.parked.c.parked_ms < sa.bindparam("before"))
            .order_by(t.parked.c.edit)
            .limit(sa.bindparam("limit"))
            .with_for_update()
        )
        self.parked_bodies = sa.select(t.parked.c.edit.label("id"), t.parked.c.body).subquery()

    def _life(self) -> sa.ColumnElement[str]:
        """Return the epoch; on PostgreSQL with what no copy of the database shares with it.

        The timeline differs on a standby that was promoted, and the transaction that wrote the
        row in a database that was loaded from a dump. Both are at hand in the same snapshot.
        """
        value = self.tables.meta.c.value
        if self.dialect == "sqlite":
            return value.expression
        return value.concat(sa.literal_column(f"'.' || {self.tables.meta.name}.xmin || '.' || "
                                              + TIMELINE))  # fmt: skip

    def _asked(self) -> sa.ColumnElement[bool]:
        """Return what finds parked edits; the ledger knows what each is about, by an index."""
        t, ledger = self.tables.parked, self.tables.ledger
        about = sa.select(ledger.c.edit).where(among(ledger.c.rec, "about"), ledger.c.rv == 0)
        waiting = sa.or_(among(t.c.waits_for, "records"), t.c.edit.in_(about))
        return sa.or_(waiting & t.c.state.in_(OPEN_STATES), among(t.c.edit, "named"))

    def _write(self) -> None:
        t = self.tables
        changed = ("last_n", "last_id", "last_ms")
        self.advance = (
            sa.update(t.device)
            .where(t.device.c.id == sa.bindparam("key"), t.device.c.last_n == sa.bindparam("seen"))
            .values({name: sa.bindparam(f"new_{name}") for name in changed})
        )
        digest = t.ledger.c.digest
        kept = sa.func.coalesce(sa.bindparam("new_digest", type_=digest.type), digest)
        self.amend = (
            sa.update(t.ledger)
            .where(t.ledger.c.edit == sa.bindparam("key"))
            .values({name: sa.bindparam(f"new_{name}") for name in AMENDED} | {"digest": kept})
        )
        self.unpark = sa.delete(t.parked).where(among(t.parked.c.edit, "gone"))
        self.note = (
            sa.update(t.ledger)
            .where(t.ledger.c.edit == sa.bindparam("key"))
            .values(receipt=sa.bindparam("note"))
        )
        self.park = self._upsert(
            t.parked, ["edit"], ("state", "code", "waits_for", "scope", "rv", "body")
        )
        key = ["scope", "kind", "record"]
        self.publish = self._upsert(t.feed, key, ("ver", "rank", "op", "rv"))
        self.count = self._count()

    def rows_of(self, table: sa.Table) -> Any:
        """Return the insertion of the rows of a batch.

        SQLite runs in this process and is quickest row by row; PostgreSQL takes all rows as one
        parameter, in a statement that it has planned before.
        """
        return self.insert(table) if self.dialect == "sqlite" else _insertion(table, ROWS)

    def _upsert(self, table: sa.Table, key: list[str], changing: tuple[str, ...]) -> Any:
        insert = self.rows_of(table)
        return insert.on_conflict_do_update(
            index_elements=key, set_={name: insert.excluded[name] for name in changing}
        )

    def _count(self) -> Any:
        scope = self.tables.scope
        insert = self.rows_of(scope)
        new = insert.excluded
        # XOR in the words that both engines know
        digest = scope.c.digest.op("|")(new.digest) - scope.c.digest.op("&")(new.digest)
        taken = {"ver": scope.c.ver + new.ver, "digest": digest, "live": scope.c.live + new.live}
        counted = insert.on_conflict_do_update(index_elements=["scope"], set_=taken)
        return counted.returning(scope.c.scope, scope.c.ver)


@cache
def statements(tables: SyncTables, dialect: str) -> Statements:
    """Return the statements for a set of tables."""
    return Statements(tables, dialect)


@cache
def records(kinds: tuple[tuple[str, sa.Table], ...]) -> Any:
    """Return the statement that reads and locks records of some kinds (``ids0, ids1, …``)."""
    locked = [_locked(i, kind, table.c).cte(f"locked{i}") for i, (kind, table) in enumerate(kinds)]
    return sa.union_all(*(sa.select(one) for one in locked))


def _locked(i: int, kind: str, t: Any) -> Any:
    """Return the records of one kind; rows are locked one after the other, by id."""
    return (
        sa.select(_named(kind), t.id, t.rv, t.body, t.marks, t.deleted)
        .where(among(t.id, f"ids{i}"))
        .order_by(t.id)
        .with_for_update()
    )


def _named(kind: str) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{kind}'", sa.String).label("kind")


@cache
def standing(table: sa.Table) -> Any:
    """Return the statement that tells how records of one kind stand now."""
    t = table.c
    return sa.select(t.id, t.rv, t.deleted).where(among(t.id, "ids"))


@cache
def bodies(kinds: tuple[tuple[str, sa.FromClause], ...]) -> Any:
    """Return the statement that reads ready bodies of some kinds (``ids0, ids1, …``)."""
    return sa.union_all(
        *(
            sa.select(_named(kind), table.c.id, table.c.body).where(among(table.c.id, f"ids{i}"))
            for i, (kind, table) in enumerate(kinds)
        )
    )


@cache
def written(table: sa.Table, way: str) -> Any:
    """Return the statement that writes one row unless somebody else has meanwhile (SQLite)."""
    insert = sqlite.insert(table)
    if way == NEW:
        return insert.on_conflict_do_nothing()
    names = [column.name for column in table.columns if not column.primary_key]
    return insert.on_conflict_do_update(
        index_elements=["id"],
        where=table.c.rv == sa.bindparam(SEEN, type_=sa.BigInteger),
        set_={name: insert.excluded[name] for name in names},
    )


@cache
def together(parts: tuple[tuple[sa.Table, str], ...]) -> Any:
    """Return the one statement that writes rows of several tables (PostgreSQL).

    It takes ``rows0, rows1, …`` and returns for each how many were written.
    """
    written = [
        _rows_written(table, way, f"rows{i}").cte(f"written{i}")
        for i, (table, way) in enumerate(parts)
    ]
    counts = (sa.select(sa.func.count()).select_from(one).scalar_subquery() for one in written)
    return sa.select(*counts)


def _rows_written(table: sa.Table, way: str, rows: str) -> Any:
    key = next(iter(table.primary_key))
    if way == NEW:
        return _insertion(table, rows).on_conflict_do_nothing().returning(key)
    new = recordset([*table.columns, sa.Column(SEEN, sa.BigInteger)], rows)
    names = [column.name for column in table.columns if not column.primary_key]
    return (
        sa.update(table)
        .where(key == new.c[key.name], table.c.rv == new.c[SEEN])
        .values({name: new.c[name] for name in names})
        .returning(key)
    )


def _insertion(table: sa.Table, rows: str) -> Any:
    columns = list(table.columns)
    given = recordset(columns, rows)
    names = [column.name for column in columns]
    return postgresql.insert(table).from_select(names, sa.select(*(given.c[n] for n in names)))
