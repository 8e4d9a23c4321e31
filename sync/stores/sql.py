"""The store on a relational database, in SQLAlchemy Core: the only file of the engine that
knows SQL. Every method is a constant number of statements, whatever the size of the batch.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sync.digest import as_signed
from sync.edits import Device, Edit, Known, LedgerEntry, Mark, Parked, Record
from sync.errors import Stale
from sync.parking import OPEN_STATES
from sync.store import PUT, Batch, FeedRow, ScopeState, Window
from sync.stores.tables import EPOCH, SyncTables

Key = tuple[str, str]


class Table(Protocol):
    """Where the records of one kind lie, and how a record becomes a row."""

    table: sa.Table

    def row(self, record: Record) -> dict[str, Any]:
        """Return the typed columns of a record."""


class Seal(Protocol):
    """How bodies lie in the database."""

    def close(self, kind: str, record: str, text: str) -> str:
        """Return the text sealed, if this kind demands it."""

    def open(self, kind: str, record: str, text: str) -> str:
        """Return the plain text again."""


@dataclass(frozen=True)
class SqlStore:
    """The store within the transaction of one session.

    Attributes:
        begin_writing: ends the reading half of the transaction, where the engine wants that.
    """

    session: Session
    tables: SyncTables
    kinds: Mapping[str, Table]
    seal: Seal
    begin_writing: Callable[[Session], None]

    # -- reading ------------------------------------------------------------------------------

    def device(self, device: str) -> Device | None:
        """Return a device, its row locked on PostgreSQL."""
        t = self.tables.device
        row = self.session.execute(
            sa.select(t.c.id, t.c.user_id, t.c.last_n, t.c.last_id, t.c.last_ms)
            .where(t.c.id == device)
            .with_for_update()
        ).first()
        return Device(*row) if row else None

    def known(self, edits: Iterable[str]) -> Mapping[str, Known]:
        """Return what the ledger knows of these edit ids."""
        t = self.tables.ledger
        rows = self.session.execute(
            sa.select(t.c.edit, t.c.device, t.c.n, t.c.digest, t.c.receipt).where(
                t.c.edit.in_(list(edits))
            )
        )
        return {row[0]: Known(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows}

    def records(self, keys: Iterable[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id); one query per kind."""
        wanted: dict[str, list[str]] = {}
        for kind, record in keys:
            if kind in self.kinds:
                wanted.setdefault(kind, []).append(record)
        found: dict[Key, Record] = {}
        for kind in sorted(wanted):
            t = self.kinds[kind].table
            rows = self.session.execute(
                sa.select(t.c.id, t.c.rv, t.c.body, t.c.marks, t.c.deleted)
                .where(t.c.id.in_(sorted(wanted[kind])))
                .order_by(t.c.id)
                .with_for_update()
            )
            found |= {(kind, row[0]): self._record(kind, row) for row in rows}
        return found

    def _record(self, kind: str, row: Any) -> Record:
        body = json.loads(self.seal.open(kind, row[0], row[2]))
        marks = {unit: Mark(*mark) for unit, mark in json.loads(row[3]).items()}
        return Record(kind, row[0], row[1], body, marks, row[4])

    def parked_for(self, records: Iterable[str], edits: Iterable[str]) -> Mapping[str, Parked]:
        """Return open parked edits that wait for these records, and those named."""
        t = self.tables.parked
        statement = sa.select(t).where(self._asked(records, edits))
        rows = self.session.execute(statement.order_by(t.c.edit).with_for_update())
        return {row.edit: self._parked(row) for row in rows}

    def _asked(self, records: Iterable[str], edits: Iterable[str]) -> sa.ColumnElement[bool]:
        """Return what finds parked edits; the ledger knows what each is about, by an index."""
        t, ledger = self.tables.parked, self.tables.ledger
        wanted, named = list(records), list(edits)
        about = sa.select(ledger.c.edit).where(ledger.c.rec.in_(wanted), ledger.c.rv == 0)
        waiting = sa.or_(t.c.waits_for.in_(wanted), t.c.edit.in_(about))
        waiting &= t.c.state.in_(OPEN_STATES)
        return sa.or_(waiting, t.c.edit.in_(named)) if named else waiting

    def _parked(self, row: Any) -> Parked:
        shape = json.loads(self.seal.open("parked", row.edit, row.body))
        return Parked(Edit(**shape["edit"]), row.device, row.user_id, row.code,
                      tuple(shape["errors"]), row.state, row.ms, row.parked_ms, row.waits_for,
                      row.scope)  # fmt: skip

    def epoch(self) -> str:
        """Return the present epoch."""
        t = self.tables.meta
        return str(self.session.execute(sa.select(t.c.value).where(t.c.name == EPOCH)).scalar_one())

    def scopes(self, scopes: Iterable[str]) -> Mapping[str, ScopeState]:
        """Return the state of each scope."""
        t = self.tables.scope
        rows = self.session.execute(
            sa.select(t.c.scope, t.c.ver, t.c.digest, t.c.live, t.c.floor).where(
                t.c.scope.in_(list(scopes))
            )
        )
        return {row[0]: ScopeState(*row[1:]) for row in rows}

    def feed(self, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        """Return rows in the order (rank, scope, ver), with the ready bodies of what is put."""
        t = self.tables.feed
        rows = self.session.execute(
            sa.select(t.c.scope, t.c.ver, t.c.rank, t.c.op, t.c.kind, t.c.record, t.c.rv)
            .where(sa.or_(*(self._within(window) for window in windows)))
            .order_by(t.c.rank, t.c.scope, t.c.ver)
            .limit(limit)
        ).all()
        bodies = self._bodies(rows)
        return [FeedRow(*row, bodies.get((row[4], row[5])) if row[3] == PUT else None)
                for row in rows]  # fmt: skip

    def _within(self, window: Window) -> sa.ColumnElement[bool]:
        t = self.tables.feed
        inside = sa.and_(t.c.scope == window.scope, t.c.ver > window.after, t.c.ver <= window.until)
        if window.rank < 0:
            return inside
        beyond = sa.or_(
            t.c.rank > window.rank,
            sa.and_(t.c.rank == window.rank, t.c.ver > window.position),
        )
        return sa.and_(inside, beyond)

    def _bodies(self, rows: Sequence[Any]) -> dict[Key, str]:
        wanted: dict[str, list[str]] = {}
        for row in rows:
            if row[3] == PUT and row[4] in self.kinds:
                wanted.setdefault(row[4], []).append(row[5])
        bodies: dict[Key, str] = {}
        for kind, ids in wanted.items():
            t = self.kinds[kind].table
            found = self.session.execute(sa.select(t.c.id, t.c.body).where(t.c.id.in_(ids)))
            bodies |= {(kind, row[0]): self.seal.open(kind, row[0], row[1]) for row in found}
        return bodies

    # -- writing ------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Write all of a batch; scope counters and feed last, because they are shared."""
        self.begin_writing(self.session)
        self._check_parked(batch)
        self._write_device(batch)
        self._write_records(batch)
        self._write_ledger(batch.ledger)
        self._amend_ledger(batch.amended)
        self._write_parked(batch)
        self._write_feed(batch)

    def _check_parked(self, batch: Batch) -> None:
        """See that no parked edit has changed since it was read; row locks do it elsewhere."""
        if not batch.parked_asked or self.session.get_bind().dialect.name != "sqlite":
            return
        t = self.tables.parked
        asked = sa.or_(*(self._asked(*one) for one in batch.parked_asked))
        rows = self.session.execute(sa.select(t.c.edit, t.c.state).where(asked))
        if {row[0]: row[1] for row in rows} != batch.parked_seen:
            raise Stale

    def _write_device(self, batch: Batch) -> None:
        t, now, before = self.tables.device, batch.device, batch.device_before
        result = self.session.execute(
            sa.update(t)
            .where(t.c.id == now.id, t.c.last_n == before.last_n)
            .values(last_n=now.last_n, last_id=now.last_id, last_ms=now.last_ms)
        )
        if result.rowcount != 1:  # type: ignore[attr-defined]
            raise Stale

    def _write_records(self, batch: Batch) -> None:
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for (kind, _), record in batch.records.items():
            row = self._row(kind, record)
            row["seen_rv"] = batch.seen_rv.get((kind, record.id), 0)
            by_kind.setdefault(kind, []).append(row)
        for kind in sorted(by_kind):
            rows = sorted(by_kind[kind], key=lambda row: str(row["id"]))
            if self._count(_upsert(self.session, self.kinds[kind]), rows) != len(rows):
                raise Stale

    def _count(self, statement: Any, rows: Sequence[dict[str, Any]]) -> int:
        """Write rows and return how many were touched."""
        options = {"preserve_rowcount": True}
        written = self.session.connection().execute(statement, rows, execution_options=options)
        return written.rowcount

    def _row(self, kind: str, record: Record) -> dict[str, Any]:
        body = json.dumps(dict(record.values), ensure_ascii=False, separators=(",", ":"))
        marks = {unit: list(mark) for unit, mark in record.marks.items()}
        return {
            **self.kinds[kind].row(record),
            "id": record.id, "rv": record.rv, "deleted": record.deleted,
            "body": self.seal.close(kind, record.id, body),
            "marks": json.dumps(marks, separators=(",", ":")),
        }  # fmt: skip

    def _write_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        statement = _insert(self.session)(self.tables.ledger).on_conflict_do_nothing()
        rows = [self._ledger_row(entry) for entry in entries]
        if not rows:
            return
        if self._count(statement, rows) != len(rows):
            raise Stale

    def _ledger_row(self, entry: LedgerEntry) -> dict[str, Any]:
        edit = entry.edit
        body = _dump({"set": edit.set, "before": entry.before, "base": edit.base, "at": edit.at})
        return {
            "edit": edit.id, "device": entry.device, "n": edit.n, "user_id": entry.user,
            "op": edit.op, "kind": edit.kind, "rec": edit.rec, "rv": entry.receipt.rv,
            "schema": edit.schema, "ms": entry.ms, "received_ms": entry.received_ms,
            "digest": entry.digest, "receipt": _dump(entry.receipt.as_json()),
            "body": self.seal.close(edit.kind, edit.id, body),
        }  # fmt: skip

    def _amend_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        if not entries:
            return
        t = self.tables.ledger
        changing = ("rv", "receipt", "body")
        statement = (
            sa.update(t)
            .where(t.c.edit == sa.bindparam("key"))
            .values({name: sa.bindparam(f"new_{name}") for name in changing})
        )
        rows = [self._ledger_row(entry) for entry in entries]
        self.session.connection().execute(
            statement,
            [{"key": row["edit"], **{f"new_{name}": row[name] for name in changing}}
             for row in rows],
        )  # fmt: skip

    def _write_parked(self, batch: Batch) -> None:
        if not batch.parked:
            return
        insert = _insert(self.session)(self.tables.parked)
        changing = ("state", "code", "waits_for", "body")
        statement = insert.on_conflict_do_update(
            index_elements=["edit"], set_={name: insert.excluded[name] for name in changing}
        )
        rows = [self._parked_row(one) for one in batch.parked.values()]
        self.session.connection().execute(statement, rows)

    def _parked_row(self, one: Parked) -> dict[str, Any]:
        body = _dump({"edit": one.edit.as_json(), "errors": one.errors})
        return {
            "edit": one.edit.id, "device": one.device, "user_id": one.user, "n": one.edit.n,
            "kind": one.edit.kind, "code": one.code,
            "state": one.state, "ms": one.ms,
            "parked_ms": one.parked_ms, "waits_for": one.waits_for, "scope": one.scope,
            "body": self.seal.close("parked", one.edit.id, body),
        }  # fmt: skip

    def _write_feed(self, batch: Batch) -> None:
        if not batch.feed:
            return
        versions = self._count_up(batch)
        rows = []
        for change in sorted(batch.feed):
            versions[change.scope] += 1
            rows.append({**change._asdict(), "ver": versions[change.scope]})
        insert = _insert(self.session)(self.tables.feed)
        changing = ("ver", "rank", "op", "rv")
        statement = insert.on_conflict_do_update(
            index_elements=["scope", "kind", "record"],
            set_={name: insert.excluded[name] for name in changing},
        )
        self.session.connection().execute(statement, rows)

    def _count_up(self, batch: Batch) -> dict[str, int]:
        """Take the counters, sorted, as late as can be; return each scope's version before."""
        counts: dict[str, int] = {}
        for change in batch.feed:
            counts[change.scope] = counts.get(change.scope, 0) + 1
        t = self.tables.scope
        insert = _insert(self.session)(t)
        new = insert.excluded
        statement = insert.on_conflict_do_update(
            index_elements=["scope"],
            set_={
                "ver": t.c.ver + new.ver,
                # XOR in the words that both engines know
                "digest": t.c.digest.op("|")(new.digest) - t.c.digest.op("&")(new.digest),
                "live": t.c.live + new.live,
            },
        ).returning(t.c.scope, t.c.ver)
        rows = [
            {"scope": scope, "ver": counts[scope], "live": batch.digests[scope][1], "floor": 0,
             "digest": as_signed(batch.digests[scope][0])}
            for scope in sorted(counts)
        ]  # fmt: skip
        taken = self.session.connection().execute(statement, rows)
        return {scope: ver - counts[scope] for scope, ver in taken}


def _insert(session: Session) -> Any:
    return sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)


_UPSERTS: dict[tuple[str, str], Any] = {}


def _upsert(session: Session, table: Table) -> Any:
    """Return the statement that writes a record if nobody else has meanwhile; built once."""
    dialect = session.get_bind().dialect.name
    key = (dialect, table.table.name)
    if key not in _UPSERTS:
        insert = _insert(session)(table.table)
        changing = [column.name for column in table.table.columns if not column.primary_key]
        _UPSERTS[key] = insert.on_conflict_do_update(
            index_elements=["id"],
            set_={name: insert.excluded[name] for name in changing},
            where=table.table.c.rv == sa.bindparam("seen_rv", type_=sa.BigInteger),
        )
    return _UPSERTS[key]
