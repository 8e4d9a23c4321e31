"""The upkeep of the relational store; every method is a constant number of statements."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sync.edits import Edit, Parked, Past, Record
from sync.encoding import dump, load
from sync.store import DEL, ERASED, OUT, PURGE, Batch, ScopeState
from sync.stores.sql import SqlStore
from sync.stores.tables import SyncTables
from sync.unsaying import thinned
from sync.upkeep import STRIPPED, Age, Erasure, Gone, Key, Shown


@dataclass(frozen=True)
class SqlUpkeep:
    """Upkeep within the transaction of a store's session, which writes from its beginning."""

    store: SqlStore

    @property
    def _t(self) -> SyncTables:
        return self.store.tables

    def _run(self, statement: Any, rows: Any = None) -> Any:
        return self.store.session.connection().execute(statement, rows)

    def _insert(self, table: sa.Table) -> Any:
        return self.store.own.insert(table)

    # -- forgetting ---------------------------------------------------------------------------

    def scopes_after(self, last: str, limit: int) -> Sequence[tuple[str, ScopeState]]:
        """Return the next scopes in the order of their names, locked in that order."""
        t = self._t.scope.c
        # the order in which pushes lock, whatever the language of the database
        name = t.scope if self.store.own.dialect == "sqlite" else t.scope.collate("C")
        rows = self._run(
            sa.select(t.scope, t.ver, t.digest, t.live, t.floor)
            .where(name > last)
            .order_by(name)
            .limit(limit)
            .with_for_update()
        )
        return [(row[0], ScopeState(*row[1:])) for row in rows]

    def ages(self, scopes: Collection[str]) -> Sequence[Age]:
        """Return all ages noted for these scopes."""
        t = self._t.age.c
        rows = self._run(sa.select(t.scope, t.ver, t.ms).where(t.scope.in_(scopes)))
        return [Age(*row) for row in rows]

    def note(self, ages: Sequence[Age]) -> None:
        """Note ages."""
        if ages:
            insert = self._insert(self._t.age).on_conflict_do_nothing()
            self._run(insert, [age._asdict() for age in ages])

    def raise_floors(self, floors: Mapping[str, int]) -> None:
        """Raise the floors of scopes; the ages below them are of no more use."""
        if not floors:
            return
        scope, age = self._t.scope, self._t.age
        rows = [{"of": one, "to": floors[one]} for one in sorted(floors)]
        self._run(
            sa.update(scope).where(scope.c.scope == sa.bindparam("of"))
            .values(floor=sa.bindparam("to")), rows,
        )  # fmt: skip
        self._run(
            sa.delete(age)
            .where(age.c.scope == sa.bindparam("of"), age.c.ver < sa.bindparam("to")), rows,
        )  # fmt: skip

    def forget_tombstones(self, scopes: Collection[str], limit: int) -> int:
        """Delete tombstones at or below the floors of these scopes; return how many."""
        feed, scope = self._t.feed, self._t.scope
        key = (feed.c.scope, feed.c.kind, feed.c.record)
        old = (
            sa.select(*key)
            .join(scope, scope.c.scope == feed.c.scope)
            .where(feed.c.scope.in_(scopes), feed.c.ver <= scope.c.floor)
            .where(feed.c.op.in_((OUT, DEL)))
            .limit(limit)
        )
        return int(self._run(sa.delete(feed).where(sa.tuple_(*key).in_(old))).rowcount)

    def strip_ledger(self, after: str, before_ms: int, limit: int) -> tuple[str | None, int]:
        """Take content from ledger rows that arrived before a time."""
        t = self._t.ledger
        some = sa.select(t.c.edit).where(t.c.edit > after).order_by(t.c.edit).limit(limit)
        edit = some.subquery().c.edit
        until = self._run(sa.select(edit).order_by(edit.desc()).limit(1)).scalar()
        if until is None:
            return None, 0
        stripped = self._run(
            sa.update(t)
            .where(t.c.edit > after, t.c.edit <= until)
            .where(t.c.received_ms < before_ms, t.c.body != STRIPPED)
            .values(body=STRIPPED)
        )
        return until, int(stripped.rowcount)

    def ids_after(self, kind: str, after: str, limit: int) -> Sequence[str]:
        """Return the next ids of a kind."""
        t = self.store.kinds[kind].table.c
        return list(self._run(sa.select(t.id).where(t.id > after).order_by(t.id).limit(limit))
                    .scalars())  # fmt: skip

    def remove(self, kind: str, records: Collection[str]) -> None:
        """Delete the rows of records that no scope shows any more."""
        if records:
            table = self.store.kinds[kind].table
            self._run(sa.delete(table).where(table.c.id.in_(records)))

    # -- erasing ------------------------------------------------------------------------------

    def referring(self, kind: str, field: str, records: Collection[str]) -> Sequence[str]:
        """Return the ids of the records of a kind whose field names one of these records."""
        t = self.store.kinds[kind].table.c
        query = sa.select(t.id).where(t[field].in_(records), t.deleted.is_distinct_from(ERASED))
        return list(self._run(query.order_by(t.id)).scalars())

    def parked_about(self, records: Collection[str], kinds: Collection[str]) -> Sequence[Parked]:
        """Return all parked edits, in any state, about these records or of these kinds, locked."""
        t, ledger = self._t.parked, self._t.ledger
        about = sa.select(ledger.c.edit).where(ledger.c.rec.in_(records))
        asked = sa.or_(t.c.edit.in_(about), t.c.waits_for.in_(records), t.c.kind.in_(kinds))
        rows = self._run(sa.select(t).where(asked).order_by(t.c.edit).with_for_update())
        return [self.store.parked_of(row) for row in rows]

    def shown(self, keys: Collection[Key]) -> Sequence[Shown]:
        """Return all rows of the feed about these records."""
        t, wanted = self._t.feed.c, set(keys)
        rows = self._run(
            sa.select(t.scope, t.kind, t.record, t.op, t.rv, t.ver)
            .where(t.record.in_({record for _, record in wanted}))
            .order_by(t.scope)
        )
        return [shown for shown in map(Shown._make, rows) if (shown.kind, shown.record) in wanted]

    def scrub_ledger(self, records: Collection[str]) -> int:
        """Take content and digest from all ledger rows about these records; return how many."""
        t = self._t.ledger
        scrub = sa.update(t).where(t.c.rec.in_(records)).values(body=STRIPPED, digest=STRIPPED)
        return int(self._run(scrub).rowcount)

    def thin_ledger(self, gone: Gone) -> int:
        """Take fields, and the digest, from ledger rows about these records; return how many."""
        t, seal = self._t.ledger, self.store.seal
        about = sa.select(t.c.edit, t.c.kind, t.c.rec, t.c.body).where(
            t.c.rec.in_(list(gone)), t.c.body != STRIPPED
        )
        rows = []
        for row in self._run(about):
            body = thinned(load(seal.open(row.kind, row.edit, row.body)), gone[row.rec])
            if body is not None:
                text = seal.close(row.kind, row.edit, dump(body))
                rows.append({"of": row.edit, "left": text, "none": STRIPPED})
        if rows:
            thin = sa.update(t).where(t.c.edit == sa.bindparam("of"))
            self._run(thin.values(body=sa.bindparam("left"), digest=sa.bindparam("none")), rows)
        return len(rows)

    def scrub_parked(self, parked: Sequence[Parked]) -> None:
        """Write parked edits whose content has been taken out."""
        if parked:
            self.store.park(parked)

    def enter_erasures(self, erasures: Sequence[Erasure]) -> None:
        """Enter erasures in the list, unless they stand there."""
        rows = [{"kind": one.kind, "record": one.record, "ms": one.ms, "reason": one.reason,
                 "asked_by": one.by} for one in erasures]  # fmt: skip
        if rows:
            self._run(self._insert(self._t.erasure).on_conflict_do_nothing(), rows)

    def erasures(self) -> Sequence[Erasure]:
        """Return all erasures, the latest first, with the scopes that were told."""
        t = self._t.erasure.c
        told: dict[Key, list[str]] = {}
        for kind, record, scope in self._run(self._purges()):
            told.setdefault((kind, record), []).append(scope)
        rows = self._run(sa.select(t.kind, t.record, t.ms, t.reason, t.asked_by)
                         .order_by(t.ms.desc(), t.kind, t.record))  # fmt: skip
        return [
            Erasure(kind, record, ms, reason, tuple(sorted(told.get((kind, record), ()))), by)
            for kind, record, ms, reason, by in rows
        ]  # fmt: skip

    def _purges(self, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return the question for the feed rows that tell of erasures."""
        feed, erasure = self._t.feed.c, self._t.erasure.c
        same = sa.and_(erasure.kind == feed.kind, erasure.record == feed.record)
        return (
            sa.select(feed.kind, feed.record, feed.scope, *more)
            .select_from(self._t.erasure)
            .join(self._t.feed, same)
            .where(feed.op == PURGE)
        )

    def wiped(self, device: str, scopes: Mapping[str, int], now_ms: int) -> None:
        """Note that a phone has carried out all purges of scopes, up to a version of each."""
        insert = self._insert(self._t.wiped)
        new = insert.excluded
        upsert = insert.on_conflict_do_update(
            index_elements=["device", "scope"], set_={"ver": new.ver, "ms": new.ms},
            where=self._t.wiped.c.ver < new.ver,
        )  # fmt: skip
        self._run(upsert, [{"device": device, "scope": scope, "ver": scopes[scope], "ms": now_ms}
                           for scope in sorted(scopes)])  # fmt: skip

    def witnesses(self) -> Mapping[Key, Sequence[tuple[str, int]]]:
        """Return the phones that have wiped each erased record, with the time they said so."""
        t, feed = self._t.wiped, self._t.feed.c
        done = sa.and_(t.c.scope == feed.scope, t.c.ver >= feed.ver)
        query = self._purges(t.c.device, t.c.ms).join(t, done).order_by(t.c.device)
        found: dict[Key, dict[str, int]] = {}
        for kind, record, _, device, ms in self._run(query):
            found.setdefault((kind, record), {})[device] = ms
        return {key: sorted(devices.items()) for key, devices in found.items()}

    # -- looking back -------------------------------------------------------------------------

    def ledger(self) -> Sequence[Past]:
        """Return the whole ledger, for checks."""
        return [self._past(row) for row in self._run(sa.select(self._t.ledger))]

    def _past(self, row: Any) -> Past:
        body = load(self.store.seal.open(row.kind, row.edit, row.body)) if row.body else {}
        edit = Edit(
            row.n, row.edit, row.op, row.kind, row.rec, body.get("base", 0), body.get("set", {}),
            body.get("was", {}), schema=row.schema, at=body.get("at", {}),
        )  # fmt: skip
        code = load(row.receipt).get("code")
        return Past(edit, row.device, row.user_id, row.received_ms, code)

    # -- both ---------------------------------------------------------------------------------

    def records(self, keys: Collection[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id), locked in the order of their ids."""
        return self.store.records(keys)

    def rewrite(self, batch: Batch) -> None:
        """Write the records and the feed of a batch that no device has sent."""
        self.store.rewrite(batch)
