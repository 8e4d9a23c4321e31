"""The statements of the relational store, built once: building one costs more than running it."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sync.parking import OPEN_STATES
from sync.stores.tables import EPOCH, SyncTables


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
        ).where(ledger.edit.in_(_many("edits")))
        self.epoch = sa.select(t.meta.c.value).where(t.meta.c.name == EPOCH)
        self.scopes = sa.select(
            scope.scope, scope.ver, scope.digest, scope.live, scope.floor
        ).where(scope.scope.in_(_many("scopes")))
        asked = self._asked()
        self.parked = sa.select(t.parked).where(asked).order_by(t.parked.c.edit).with_for_update()
        self.parked_states = sa.select(t.parked.c.edit, t.parked.c.state).where(asked)

    def _asked(self) -> sa.ColumnElement[bool]:
        """Return what finds parked edits; the ledger knows what each is about, by an index."""
        t, ledger = self.tables.parked, self.tables.ledger
        about = sa.select(ledger.c.edit).where(ledger.c.rec.in_(_many("about")), ledger.c.rv == 0)
        waiting = sa.or_(t.c.waits_for.in_(_many("records")), t.c.edit.in_(about))
        return sa.or_(waiting & t.c.state.in_(OPEN_STATES), t.c.edit.in_(_many("named")))

    def _write(self) -> None:
        t = self.tables
        changed = ("last_n", "last_id", "last_ms")
        self.advance = (
            sa.update(t.device)
            .where(t.device.c.id == sa.bindparam("key"), t.device.c.last_n == sa.bindparam("seen"))
            .values({name: sa.bindparam(f"new_{name}") for name in changed})
        )
        self.enter = self.told(self.insert(t.ledger).on_conflict_do_nothing(), t.ledger.c.edit)
        self.amend = (
            sa.update(t.ledger)
            .where(t.ledger.c.edit == sa.bindparam("key"))
            .values({name: sa.bindparam(f"new_{name}") for name in ("rv", "receipt", "body")})
        )
        self.park = self._upsert(
            t.parked, ["edit"], ("state", "code", "waits_for", "scope", "body")
        )
        key = ["scope", "kind", "record"]
        self.publish = self.told(
            self._upsert(t.feed, key, ("ver", "rank", "op", "rv")), t.feed.c.ver
        )
        self.count = self._count()

    def told(self, statement: Any, column: sa.Column[Any]) -> Any:
        """Let a statement name the rows it wrote, where that sends all rows at once.

        PostgreSQL takes the rows of a batch in one statement when it returns something, and one
        after the other when it does not; SQLite is quickest one after the other.
        """
        return statement if self.dialect == "sqlite" else statement.returning(column)

    def _upsert(self, table: sa.Table, key: list[str], changing: tuple[str, ...]) -> Any:
        insert = self.insert(table)
        return insert.on_conflict_do_update(
            index_elements=key, set_={name: insert.excluded[name] for name in changing}
        )

    def _count(self) -> Any:
        scope = self.tables.scope
        insert = self.insert(scope)
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
def feed(tables: SyncTables, windows: int) -> Any:
    """Return the statement that reads some windows of the feed (``scope0, after0, …``)."""
    t = tables.feed.c
    inside = [
        sa.and_(
            t.scope == sa.bindparam(f"scope{i}"),
            t.ver > sa.bindparam(f"after{i}"),
            t.ver <= sa.bindparam(f"until{i}"),
            sa.or_(
                t.rank > sa.bindparam(f"rank{i}"),
                sa.and_(t.rank == sa.bindparam(f"rank{i}"), t.ver > sa.bindparam(f"position{i}")),
            ),
        )
        for i in range(windows)
    ]
    return (
        sa.select(t.scope, t.ver, t.rank, t.op, t.kind, t.record, t.rv)
        .where(sa.or_(*inside))
        .order_by(t.rank, t.scope, t.ver)
        .limit(sa.bindparam("limit"))
    )


@cache
def records(table: sa.Table) -> Any:
    """Return the statement that reads and locks records of one kind by their ids."""
    t = table.c
    return (
        sa.select(t.id, t.rv, t.body, t.marks, t.deleted)
        .where(t.id.in_(_many("ids")))
        .order_by(t.id)
        .with_for_update()
    )


@cache
def bodies(kinds: tuple[tuple[str, sa.Table], ...]) -> Any:
    """Return the statement that reads ready bodies of some kinds (``ids0, ids1, …``)."""
    return sa.union_all(
        *(
            sa.select(sa.literal_column(f"'{kind}'"), table.c.id, table.c.body).where(
                table.c.id.in_(_many(f"ids{i}"))
            )
            for i, (kind, table) in enumerate(kinds)
        )
    )


@cache
def record_upsert(tables: SyncTables, dialect: str, table: sa.Table) -> Any:
    """Return the statement that writes a record if nobody else has meanwhile (``seen_rv``)."""
    seen = table.c.rv == sa.bindparam("seen_rv", type_=sa.BigInteger)
    return _overwrite(statements(tables, dialect).insert(table), table, seen)


@cache
def record_insert(tables: SyncTables, dialect: str, table: sa.Table) -> Any:
    """Return the statement that writes new records, and leaves out those that are there."""
    own = statements(tables, dialect)
    return own.told(own.insert(table).on_conflict_do_nothing(), table.c.id)


@cache
def record_advance(tables: SyncTables, dialect: str, table: sa.Table) -> Any:
    """Return the statement that takes records one version on, if nobody else has meanwhile."""
    own = statements(tables, dialect)
    insert = own.insert(table)
    return own.told(_overwrite(insert, table, table.c.rv == insert.excluded.rv - 1), table.c.id)


def _overwrite(insert: Any, table: sa.Table, when: sa.ColumnElement[bool]) -> Any:
    changing = [column.name for column in table.columns if not column.primary_key]
    return insert.on_conflict_do_update(
        index_elements=["id"], where=when, set_={name: insert.excluded[name] for name in changing}
    )


def _many(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, expanding=True)
