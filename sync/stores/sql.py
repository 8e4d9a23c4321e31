"""The store on a relational database, in SQLAlchemy Core: the only file of the engine that
knows SQL. Every method is a constant number of statements, whatever the size of the batch.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from sync.digest import as_signed
from sync.edits import Device, Edit, Known, LedgerEntry, Mark, Parked, Record
from sync.errors import Stale
from sync.store import PUT, Batch, FeedRow, Following, ScopeState, Window
from sync.stores import following, statements
from sync.stores.tables import SyncTables

Key = tuple[str, str]


class Table(Protocol):
    """Where the records of one kind lie, and how a record becomes a row."""

    @property
    def table(self) -> sa.Table:
        """Return the table."""

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
        row = self._run(self.own.device, {"id": device}).first()
        return Device(*row) if row else None

    def standing(self, device: str) -> Device | None:
        """Return a device as the snapshot shows it, without a lock."""
        row = self._run(self.own.standing, {"id": device}).first()
        return Device(*row) if row else None

    def known(self, edits: Iterable[str]) -> Mapping[str, Known]:
        """Return what the ledger knows of these edit ids."""
        rows = self._run(self.own.known, {"edits": list(edits)})
        return {row[0]: Known(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows}

    def records(self, keys: Iterable[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id); one query per kind."""
        wanted: dict[str, list[str]] = {}
        for kind, record in keys:
            if kind in self.kinds:
                wanted.setdefault(kind, []).append(record)
        found: dict[Key, Record] = {}
        for kind in sorted(wanted):
            statement = statements.records(self.kinds[kind].table)
            rows = self._run(statement, {"ids": sorted(wanted[kind])})
            found |= {(kind, row[0]): self.record(kind, row) for row in rows}
        return found

    def followers(self, asked: Following) -> Mapping[Key, Record]:
        """Return the records, deleted ones too, whose fields hold these ids; one query each."""
        return following.followers(self, asked)

    def run(self, statement: Any, parameters: Any) -> Any:
        """Run one statement in the transaction."""
        return self._run(statement, parameters)

    def record(self, kind: str, row: Any) -> Record:
        """Return a record from its row."""
        body = json.loads(self.seal.open(kind, row[0], row[2]))
        marks = {unit: Mark(*mark) for unit, mark in json.loads(row[3]).items()}
        return Record(kind, row[0], row[1], body, marks, row[4])

    def parked_for(self, records: Iterable[str], edits: Iterable[str]) -> Mapping[str, Parked]:
        """Return open parked edits that wait for these records, and those named."""
        rows = self._run(self.own.parked, _asked(records, edits))
        return {row.edit: self._parked(row) for row in rows}

    def _parked(self, row: Any) -> Parked:
        shape = json.loads(self.seal.open("parked", row.edit, row.body))
        return Parked(Edit(**shape["edit"]), row.device, row.user_id, row.code,
                      tuple(shape["errors"]), row.state, row.ms, row.parked_ms, row.waits_for,
                      row.scope)  # fmt: skip

    def epoch(self) -> str:
        """Return the present epoch."""
        return str(self._run(self.own.epoch, {}).scalar_one())

    def scopes(self, scopes: Iterable[str]) -> Mapping[str, ScopeState]:
        """Return the state of each scope."""
        rows = self._run(self.own.scopes, {"scopes": list(scopes)})
        return {row[0]: ScopeState(*row[1:]) for row in rows}

    def feed(self, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        """Return rows in the order (rank, scope, ver), with the ready bodies of what is put."""
        bounds: dict[str, Any] = {"limit": limit}
        for i, window in enumerate(windows):
            bounds |= {f"{name}{i}": value for name, value in window._asdict().items()}
        rows = self._run(statements.feed(self.tables, len(windows)), bounds).all()
        bodies = self._bodies(rows)
        return [
            FeedRow._make((*row, bodies.get((row[4], row[5])) if row[3] == PUT else None))
            for row in rows
        ]

    def _bodies(self, rows: Sequence[Any]) -> dict[Key, str]:
        wanted: dict[str, list[str]] = {}
        for row in rows:
            if row[3] == PUT and row[4] in self.kinds:
                wanted.setdefault(row[4], []).append(row[5])
        if not wanted:
            return {}
        tables = tuple((kind, self.kinds[kind].table) for kind in sorted(wanted))
        asked = {f"ids{i}": wanted[kind] for i, (kind, _) in enumerate(tables)}
        found = self._run(statements.bodies(tables), asked)
        return {(row[0], row[1]): self.seal.open(*row) for row in found}

    # -- writing ------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Write all of a batch; scope counters and feed last, because they are shared."""
        self.begin_writing(self.session)
        self._check_parked(batch)
        if self._dialect == "sqlite":
            following.check(self, batch)
        self._write_device(batch)
        self._write_records(batch)
        self._write_ledger(batch.ledger)
        self._amend_ledger(batch.amended)
        self._write_parked(batch)
        self._write_feed(batch)

    def _check_parked(self, batch: Batch) -> None:
        """See that no parked edit has changed since it was read; row locks do it elsewhere."""
        if not batch.parked_asked or self._dialect != "sqlite":
            return
        states: dict[str, str] = {}
        for asked in batch.parked_asked:
            rows = self._run(self.own.parked_states, _asked(*asked))
            states |= {row[0]: row[1] for row in rows}
        if states != batch.parked_seen:
            raise Stale

    def _write_device(self, batch: Batch) -> None:
        now = batch.device
        row = {"key": now.id, "seen": batch.device_before.last_n, "new_last_n": now.last_n,
               "new_last_id": now.last_id, "new_last_ms": now.last_ms}  # fmt: skip
        if self._run(self.own.advance, row).rowcount != 1:
            raise Stale

    def _write_records(self, batch: Batch) -> None:
        by_kind: dict[str, list[Record]] = {}
        for (kind, _), record in batch.records.items():
            by_kind.setdefault(kind, []).append(record)
        for kind in sorted(by_kind):
            rows = [self._row(kind, record) for record in sorted(by_kind[kind], key=_id_of)]
            seen = [batch.seen_rv.get((kind, row["id"]), 0) for row in rows]
            if self._write_kind(self.kinds[kind].table, rows, seen) != len(rows):
                raise Stale

    def _write_kind(self, table: sa.Table, rows: list[dict[str, Any]], seen: list[int]) -> int:
        """Write the records of a kind and return how many nobody else had changed."""
        given = [{**row, "seen_rv": rv} for row, rv in zip(rows, seen, strict=True)]
        upsert = statements.record_upsert(self.tables, self._dialect, table)
        if self._dialect == "sqlite":
            return self._count(upsert, given)
        new = [row for row, rv in zip(rows, seen, strict=True) if rv == 0]
        next_ = [row for row, rv in zip(rows, seen, strict=True) if 0 < rv == row["rv"] - 1]
        rest = [row for row in given if 0 < row["seen_rv"] != row["rv"] - 1]
        insert = statements.record_insert(self.tables, self._dialect, table)
        advance = statements.record_advance(self.tables, self._dialect, table)
        return self._count(insert, new) + self._count(advance, next_) + self._count(upsert, rest)

    def _count(self, statement: Any, rows: Sequence[dict[str, Any]]) -> int:
        """Write rows and return how many were touched."""
        if not rows:
            return 0
        options = {"preserve_rowcount": True}
        written = self.session.connection().execute(statement, rows, execution_options=options)
        return len(written.all()) if written.returns_rows else written.rowcount

    def _run(self, statement: Any, parameters: Any) -> Any:
        return self.session.connection().execute(statement, parameters)

    @property
    def _dialect(self) -> str:
        return self.session.get_bind().dialect.name

    @property
    def own(self) -> statements.Statements:
        """Return the statements on the engine's own tables."""
        return statements.statements(self.tables, self._dialect)

    def _row(self, kind: str, record: Record) -> dict[str, Any]:
        body = _dump(record.values)
        marks = {unit: list(mark) for unit, mark in record.marks.items()}
        return {
            **self.kinds[kind].row(record),
            "id": record.id, "rv": record.rv, "deleted": record.deleted,
            "body": self.seal.close(kind, record.id, body),
            "marks": _dump(marks),
        }  # fmt: skip

    def _write_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        rows = [self._ledger_row(entry) for entry in entries]
        if self._count(self.own.enter, rows) != len(rows):
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
        rows = [self._ledger_row(entry) for entry in entries]
        self._run(
            self.own.amend,
            [{"key": row["edit"], "new_rv": row["rv"], "new_receipt": row["receipt"],
              "new_body": row["body"]} for row in rows],
        )  # fmt: skip

    def _write_parked(self, batch: Batch) -> None:
        if batch.parked:
            self._run(self.own.park, [self._parked_row(one) for one in batch.parked.values()])

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
        self._run(self.own.publish, rows)

    def _count_up(self, batch: Batch) -> dict[str, int]:
        """Take the counters, sorted, as late as can be; return each scope's version before."""
        counts: dict[str, int] = {}
        for change in batch.feed:
            counts[change.scope] = counts.get(change.scope, 0) + 1
        rows = [
            {"scope": scope, "ver": counts[scope], "live": batch.digests[scope][1], "floor": 0,
             "digest": as_signed(batch.digests[scope][0])}
            for scope in sorted(counts)
        ]  # fmt: skip
        return {scope: ver - counts[scope] for scope, ver in self._run(self.own.count, rows)}


def _id_of(record: Record) -> str:
    return record.id


def _asked(records: Iterable[str], edits: Iterable[str]) -> dict[str, list[str]]:
    """Return the parameters that ask for parked edits."""
    wanted = list(records)
    return {"records": wanted, "about": wanted, "named": list(edits)}


# one encoder for all rows: json.dumps would make a new one for each
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=dict).encode
