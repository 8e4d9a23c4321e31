"""The store on a relational database, in SQLAlchemy Core: the only file of the engine that
knows SQL. Every method is a constant number of statements, whatever the size of the batch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from sync.digest import as_signed
from sync.edits import Device, Edit, Known, LedgerEntry, Mark, Parked, Receipt, Record
from sync.encoding import dump, load
from sync.errors import Destroyed, Stale
from sync.parking import PARKING, values_of
from sync.store import ERASED, PUT, Batch, FeedRow, Following, ScopeState, Window
from sync.stores import copies, following, statements
from sync.stores.many import as_rows
from sync.stores.statements import CHANGED, NEW, SEEN, Write
from sync.stores.tables import SyncTables

Key = tuple[str, str]
NOTHING = "{}"


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
        """Return the plain text again, unless its key was destroyed (``Destroyed``)."""


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
        return {row[0]: Known(row[0], row[1], row[2], row[3], load(row[4])) for row in rows}

    def records(self, keys: Iterable[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id), in one query."""
        rows = self._of_kinds(statements.records, keys, self._tables)
        return {(row[0], row[1]): self.record(*row) for row in rows}

    def record(
        self, kind: str, name: str, rv: int, body: str, marks: str, deleted: str | None
    ) -> Record:
        """Return a record from its row; what went with its key counts as erased by law."""
        try:
            values = load(self.seal.open(kind, name, body))
        except Destroyed:
            return Record(kind, name, rv, {}, {}, ERASED)
        units = {unit: Mark(*mark) for unit, mark in load(marks).items()}
        return Record(kind, name, rv, values, units, deleted)

    @cached_property
    def _tables(self) -> Mapping[str, sa.FromClause]:
        return {kind: one.table for kind, one in self.kinds.items()}

    def _of_kinds(
        self,
        statement: Callable[[Any], Any],
        keys: Iterable[Key],
        tables: Mapping[str, sa.FromClause],
    ) -> Iterable[Any]:
        """Run a statement that asks the tables of the kinds for records by their ids."""
        wanted: dict[str, list[str]] = {}
        for kind, record in keys:
            if kind in tables:
                wanted.setdefault(kind, []).append(record)
        if not wanted:
            return ()
        asked = tuple((kind, tables[kind]) for kind in sorted(wanted))
        ids = {f"ids{i}": sorted(wanted[kind]) for i, (kind, _) in enumerate(asked)}
        found: Iterable[Any] = self._run(statement(asked), ids)
        return found

    def followers(self, asked: Following) -> Mapping[Key, Record]:
        """Return the records, deleted ones too, whose fields hold these ids; one query each."""
        return following.followers(self, asked)

    def run(self, statement: Any, parameters: Any) -> Any:
        """Run one statement in the transaction."""
        return self._run(statement, parameters)

    def parked_for(self, records: Iterable[str], edits: Iterable[str]) -> Mapping[str, Parked]:
        """Return open parked edits that wait for these records, and those named."""
        rows = self._run(self.own.parked, _asked(records, edits))
        return {row.edit: self.parked_of(row) for row in rows}

    def parked_before(self, ms: int, limit: int) -> Sequence[Parked]:
        """Return edits parked before a moment, locked in the order of their ids."""
        rows = self._run(self.own.overdue, {"before": ms, "limit": limit})
        return [self.parked_of(row) for row in rows]

    def parked_of(self, row: Any) -> Parked:
        """Return the parked edit of a row of its table."""
        edit, errors = self._parked_edit(row)
        return Parked(edit, row.device, row.user_id, row.code, errors, row.state, row.ms,
                      row.parked_ms, row.waits_for, row.scope, row.rv)  # fmt: skip

    def _parked_edit(self, row: Any) -> tuple[Edit, tuple[Any, ...]]:
        """Return a parked edit and its errors; of what went with its key, only whose it was."""
        try:
            shape = load(self.seal.open("parked", row.edit, row.body))
        except Destroyed:
            return Edit(row.n, row.edit, "update", row.kind, row.waits_for), ()
        return Edit(**shape["edit"]), tuple(shape["errors"])

    def epoch(self) -> str:
        """Return the present epoch."""
        return str(self._run(self.own.epoch, {}).scalar_one())

    def scopes(self, scopes: Iterable[str]) -> Mapping[str, ScopeState]:
        """Return the state of each scope."""
        rows = self._run(self.own.scopes, {"scopes": list(scopes)})
        return {row[0]: ScopeState(*row[1:]) for row in rows}

    def feed(self, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        """Return rows in the order (turn, rank, scope, ver), with the bodies of what is put."""
        told = {"windows": dump([window._asdict() for window in windows]), "limit": limit}
        return self._with_bodies(self._run(copies.feed(self.tables, self._dialect), told).all())

    def versions(self, scopes: Iterable[str]) -> Mapping[str, int]:
        """Return the version of each scope; for the many of a room full of waiting phones."""
        rows = self._run(copies.versions(self.tables), {"asked": list(scopes)})
        return {row[0]: row[1] for row in rows}

    def shown(self, scope: str) -> Sequence[tuple[str, str, int]]:
        """Return (kind, id, version) of all that a scope shows."""
        rows = self._run(copies.shown(self.tables), {"shown": scope})
        return [(row[0], row[1], row[2]) for row in rows]

    def picked(self, scope: str, records: Iterable[str]) -> Sequence[FeedRow]:
        """Return those of these records that a scope shows, with their bodies."""
        told = {"shown": scope, "records": list(records)}
        return self._with_bodies(self._run(copies.picked(self.tables), told).all())

    def purged(self, scope: str, after: int) -> bool:
        """Tell whether anything of a scope has been erased by law since a version."""
        told = {"shown": scope, "after": after}
        return self._run(copies.purged(self.tables), told).first() is not None

    def receipts(self, device: str, *, after_n: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the receipts of a device beyond a number, in their order."""
        told = {"own": device, "after_n": after_n, "limit": limit}
        return [load(row[0]) for row in self._run(copies.receipts(self.tables), told)]

    def _with_bodies(self, rows: Sequence[Any]) -> list[FeedRow]:
        bodies = self._bodies(rows)
        return [
            FeedRow._make((*row, bodies.get((row[4], row[5])) if row[3] == PUT else None))
            for row in rows
        ]

    def _bodies(self, rows: Sequence[Any]) -> dict[Key, str]:
        shown = [(row[4], row[5]) for row in rows if row[3] == PUT]
        tables = {**self._tables, PARKING.name: self.own.parked_bodies}
        found = self._of_kinds(statements.bodies, shown, tables)
        return {(row[0], row[1]): self._opened(*row) for row in found}

    def _opened(self, kind: str, record: str, body: str) -> str:
        """Return a ready body; of what went with its key, an empty one."""
        try:
            return self.seal.open(kind, record, body)
        except Destroyed:
            return NOTHING

    # -- writing ------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Write all of a batch; scope counters and feed last, because they are shared."""
        self.begin_writing(self.session)
        if self._dialect == "sqlite":
            # Elsewhere row locks have held it since it was read.
            self._check_parked(batch)
            self._check_seen(batch)
            following.check(self, batch)
        self._write_device(batch)
        entries = Write(self.tables.ledger, NEW, [self._ledger_row(one) for one in batch.ledger])
        self._write_all([*self._records(batch), entries])
        self._amend_ledger(batch.amended)
        self._write_parked(batch)
        self._write_feed(batch)

    def rewrite(self, batch: Batch) -> None:
        """Write the records and the feed of a batch that no device has sent."""
        self._write_all(self._records(batch))
        self._write_feed(batch)

    def _check_parked(self, batch: Batch) -> None:
        """See that no parked edit has changed since it was read."""
        if not batch.parked_asked:
            return
        versions: dict[str, int] = {}
        for asked in batch.parked_asked:
            rows = self._run(self.own.parked_versions, _asked(*asked))
            versions |= {row[0]: row[1] for row in rows}
        if versions != batch.parked_seen:
            raise Stale

    def _check_seen(self, batch: Batch) -> None:
        """See that what was only read has not been erased, and what others follow not moved."""
        left: dict[str, list[str]] = {}
        for kind, record in batch.seen_rv.keys() - batch.records.keys():
            left.setdefault(kind, []).append(record)
        for kind in sorted(left):
            standing = statements.standing(self.kinds[kind].table)
            for record, rv, deleted in self._run(standing, {"ids": left[kind]}):
                counts = deleted == ERASED or (kind, record) in batch.relied
                if counts and rv != batch.seen_rv[kind, record]:
                    raise Stale

    def _write_device(self, batch: Batch) -> None:
        now = batch.device
        row = {"key": now.id, "seen": batch.device_before.last_n, "new_last_n": now.last_n,
               "new_last_id": now.last_id, "new_last_ms": now.last_ms}  # fmt: skip
        if self._run(self.own.advance, row).rowcount != 1:
            raise Stale

    def _records(self, batch: Batch) -> list[Write]:
        """Return what to write for the records: new ones apart from those that were seen."""
        writes: dict[tuple[str, str], Write] = {}
        for (kind, name), record in sorted(batch.records.items(), key=_key_of):
            seen = batch.seen_rv.get((kind, name), 0)
            way = CHANGED if seen else NEW
            row = self._row(kind, record) | ({SEEN: seen} if seen else {})
            fresh = Write(self.kinds[kind].table, way, [])
            writes.setdefault((kind, way), fresh).rows.append(row)
        return list(writes.values())

    def _write_all(self, writes: Sequence[Write]) -> None:
        """Write rows that nobody else may have written meanwhile.

        Raises:
            Stale: somebody has.
        """
        some = [one for one in writes if one.rows]
        if self._dialect == "sqlite":
            counts = [
                self._execute(statements.written(*one[:2]), one.rows).rowcount for one in some
            ]
        else:
            statement = statements.together(tuple(one[:2] for one in some))
            given = {f"rows{i}": dump(one.rows) for i, one in enumerate(some)}
            counts = list(self._run(statement, given).one()) if some else []
        if counts != [len(one.rows) for one in some]:
            raise Stale

    def _write_rows(self, statement: Any, rows: Sequence[dict[str, Any]]) -> Any:
        """Write rows in one go: as one parameter, or row by row on SQLite."""
        return self._execute(statement, rows if self._dialect == "sqlite" else as_rows(rows))

    def _execute(self, statement: Any, given: Any) -> Any:
        options = {"preserve_rowcount": True}
        return self.session.connection().execute(statement, given, execution_options=options)

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
        body = dump(record.values)
        marks = {unit: list(mark) for unit, mark in record.marks.items()}
        return {
            **self.kinds[kind].row(record),
            "id": record.id, "rv": record.rv, "deleted": record.deleted,
            "body": self.seal.close(kind, record.id, body),
            "marks": dump(marks),
        }  # fmt: skip

    def _ledger_row(self, entry: LedgerEntry) -> dict[str, Any]:
        edit = entry.edit
        shape = {"set": edit.set, "before": entry.before, "base": edit.base, "at": edit.at}
        shape |= {"after": entry.after} if entry.after else {}
        body = dump({**shape, "was": entry.was} if entry.was else shape)
        return {
            "edit": edit.id, "device": entry.device, "n": edit.n, "user_id": entry.user,
            "op": edit.op, "kind": edit.kind, "rec": edit.rec, "rv": entry.receipt.rv,
            "schema": edit.schema, "ms": entry.ms, "received_ms": entry.received_ms,
            "digest": entry.digest, "receipt": dump(entry.receipt.as_json()),
            "body": self.seal.close(edit.kind, edit.id, body),
        }  # fmt: skip

    def _amend_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        if not entries:
            return
        rows = [self._ledger_row(entry) for entry in entries]
        self._run(
            self.own.amend,
            [{"key": row["edit"], **{f"new_{name}": row[name] for name in statements.AMENDED}}
             for row in rows],
        )  # fmt: skip

    def _write_parked(self, batch: Batch) -> None:
        if batch.parked:
            self.park(batch.parked.values())

    def park(self, parked: Iterable[Parked]) -> None:
        """Write parked edits, new or in their new state."""
        self._write_rows(self.own.park, [self._parked_row(one) for one in parked])

    def clear_parked(self, batch: Batch, gone: Iterable[str], notes: Iterable[Receipt]) -> None:
        """Delete parked edits, and leave notes in the ledger."""
        self._run(self.own.unpark, {"gone": list(gone)})
        told = [{"key": one.id, "note": dump(one.as_json())} for one in notes]
        if told:
            self._run(self.own.note, told)
        self._write_parked(batch)
        self._write_feed(batch)

    def _parked_row(self, one: Parked) -> dict[str, Any]:
        return {
            "edit": one.edit.id, "device": one.device, "user_id": one.user, "n": one.edit.n,
            "kind": one.edit.kind, "code": one.code,
            "state": one.state, "ms": one.ms,
            "parked_ms": one.parked_ms, "waits_for": one.waits_for, "scope": one.scope,
            "rv": one.rv,
            "body": self.seal.close("parked", one.edit.id, dump(values_of(one))),
        }  # fmt: skip

    def _write_feed(self, batch: Batch) -> None:
        if not batch.feed:
            return
        versions = self._count_up(batch)
        rows = []
        for change in sorted(batch.feed):
            versions[change.scope] += 1
            rows.append({**change._asdict(), "ver": versions[change.scope]})
        self._write_rows(self.own.publish, rows)

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
        return {scope: ver - counts[scope] for scope, ver in self._write_rows(self.own.count, rows)}


def _key_of(item: tuple[Key, Record]) -> Key:
    return item[0]


def _asked(records: Iterable[str], edits: Iterable[str]) -> dict[str, list[str]]:
    """Return the parameters that ask for parked edits."""
    wanted = list(records)
    return {"records": wanted, "about": wanted, "named": list(edits)}
