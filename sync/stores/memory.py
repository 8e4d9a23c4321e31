"""A store in memory, for tests and simulation; it keeps the same contract as the real one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sync.edits import Device, Known, LedgerEntry, Parked, Receipt, Record
from sync.encoding import dump
from sync.errors import Stale
from sync.parking import OPEN_STATES, PARKING, values_of
from sync.store import PURGE, PUT, Batch, FeedRow, Following, ScopeState, Window
from sync.upkeep import STRIPPED, Age, Erasure

Key = tuple[str, str]


@dataclass
class MemoryStore:
    """Everything in dictionaries; each write is whole, so a transaction needs nothing more."""

    name: str = "epoch-1"
    devices: dict[str, Device] = field(default_factory=dict)
    ledger: dict[str, LedgerEntry] = field(default_factory=dict)
    rows: dict[Key, Record] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    states: dict[str, ScopeState] = field(default_factory=dict)
    feeds: dict[str, dict[Key, FeedRow]] = field(default_factory=dict)
    ages: list[Age] = field(default_factory=list)
    erased: dict[Key, Erasure] = field(default_factory=dict)
    wipes: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """For each phone and scope: up to which version it has wiped, and when it said so."""
    links: dict[str, set[Key]] = field(default_factory=dict)
    """For each text in a record's values, the records that hold it, or did once."""

    def __post_init__(self) -> None:
        self._link(self.rows.values())

    def _link(self, records: Iterable[Record]) -> None:
        for record in records:
            for value in record.values.values():
                if isinstance(value, str):
                    self.links.setdefault(value, set()).add((record.kind, record.id))

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""
        self.devices[device] = Device(device, user)

    def device(self, device: str) -> Device | None:
        """Return a device."""
        return self.devices.get(device)

    def known(self, edits: Iterable[str]) -> Mapping[str, Known]:
        """Return what the ledger knows of these edit ids."""
        found = (self.ledger[name] for name in edits if name in self.ledger)
        return {
            one.edit.id: Known(one.edit.id, one.device, one.edit.n, one.digest or STRIPPED,
                               one.receipt.as_json())
            for one in found
        }  # fmt: skip

    def ledger_after(self, after: str, limit: int) -> Sequence[str]:
        """Return the next edit ids of the ledger, in their order."""
        return sorted(name for name in self.ledger if name > after)[:limit]

    def ids_after(self, kind: str, after: str, limit: int) -> Sequence[str]:
        """Return the next ids of a kind, in their order."""
        return sorted(name for of, name in self.rows if of == kind and name > after)[:limit]

    def with_content(self, names: Sequence[str]) -> list[str]:
        """Return those of these edit ids of which the ledger holds more than what came of them."""
        return [name for name in names if _has_content(self.ledger[name])]

    def records(self, keys: Iterable[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id)."""
        return {key: self.rows[key] for key in keys if key in self.rows}

    def followers(self, asked: Following) -> Mapping[Key, Record]:
        """Return the records, deleted ones too, whose fields hold these ids."""
        found = {
            key: self.rows[key]
            for (kind, name), ids in asked.items()
            for one in ids
            for key in self.links.get(one, set()) & self.rows.keys()
            if key[0] == kind and self.rows[key].values.get(name) == one
        }
        return dict(sorted(found.items()))

    def parked_for(self, records: Iterable[str], edits: Iterable[str]) -> Mapping[str, Parked]:
        """Return open parked edits that wait for these records, and those named."""
        wanted, named = set(records), set(edits)
        return {
            name: one
            for name, one in self.parked.items()
            if name in named
            or (one.state in OPEN_STATES and (one.waits_for in wanted or one.edit.rec in wanted))
        }

    def parked_before(self, ms: int, limit: int) -> Sequence[Parked]:
        """Return edits parked before a moment."""
        found = [one for one in self.parked.values() if one.parked_ms < ms]
        return sorted(found, key=lambda one: one.edit.id)[:limit]

    def clear_parked(self, batch: Batch, gone: Iterable[str], notes: Iterable[Receipt]) -> None:
        """Delete parked edits, and leave notes in the ledger."""
        names = set(gone)
        self.parked = {name: one for name, one in self.parked.items() if name not in names}
        self.parked |= batch.parked
        self.ledger |= {one.id: replace(self.ledger[one.id], receipt=one) for one in notes}
        self._publish(batch)

    def write(self, batch: Batch) -> None:
        """Write all of a batch."""
        self._check(batch)
        self.devices[batch.device.id] = batch.device
        self.rows |= batch.records
        self._link(batch.records.values())
        self.ledger |= {one.edit.id: one for one in batch.ledger}
        for one in batch.amended:
            digest = self.ledger[one.edit.id].digest if one.digest is None else one.digest
            self.ledger[one.edit.id] = replace(one, digest=digest)
        self.parked |= batch.parked
        self._publish(batch)

    def rewrite(self, batch: Batch) -> None:
        """Write the records and the feed of a batch that no device has sent."""
        self._check_records(batch)
        self.rows |= batch.records
        self._publish(batch)

    def _check(self, batch: Batch) -> None:
        if self.devices.get(batch.device.id) != batch.device_before:
            raise Stale
        self._check_records(batch)
        if any(one.edit.id in self.ledger for one in batch.ledger):
            raise Stale
        standing = {key: self.rows[key].rv for key in batch.relied & self.rows.keys()}
        if any(standing.get(key, 0) != batch.seen_rv[key] for key in batch.relied):
            raise Stale
        if any(self.followers(asked).keys() != found for asked, found in batch.followed_asked):
            raise Stale
        found = [self.parked_for(*asked) for asked in batch.parked_asked]
        if {name: one.rv for some in found for name, one in some.items()} != batch.parked_seen:
            raise Stale

    def _check_records(self, batch: Batch) -> None:
        for key, rv in batch.seen_rv.items():
            if key in batch.records and (self.rows[key].rv if key in self.rows else 0) != rv:
                raise Stale

    def _publish(self, batch: Batch) -> None:
        versions = {}
        for scope, (xor, live) in batch.digests.items():
            old = self.states.get(scope, ScopeState(0, 0, 0, 0))
            versions[scope] = old.ver
            count = sum(1 for change in batch.feed if change.scope == scope)
            self.states[scope] = ScopeState(
                old.ver + count, old.digest ^ xor, old.live + live, old.floor
            )
        for change in sorted(batch.feed):
            versions[change.scope] += 1
            self.feeds.setdefault(change.scope, {})[(change.kind, change.record)] = FeedRow(
                change.scope, versions[change.scope], change.rank, change.op, change.kind,
                change.record, change.rv, None,
            )  # fmt: skip

    def epoch(self) -> str:
        """Return the present epoch."""
        return self.name

    def scopes(self, scopes: Iterable[str]) -> Mapping[str, ScopeState]:
        """Return the state of each scope."""
        return {scope: self.states[scope] for scope in scopes if scope in self.states}

    def feed(self, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        """Return rows in the order (turn, rank, scope, ver)."""
        rows = [
            (window.turn, row.rank, row.scope, row.ver, row)
            for window in windows
            for row in self.feeds.get(window.scope, {}).values()
            if window.after < row.ver <= window.until
            and (row.rank, row.ver) > (window.rank, window.position)
        ]
        return [self._with_body(row) for *_, row in sorted(rows)[:limit]]

    def versions(self, scopes: Iterable[str]) -> Mapping[str, int]:
        """Return the version of each scope; for the many of a room full of waiting phones."""
        return {scope: state.ver for scope, state in self.scopes(scopes).items()}

    def shown(self, scope: str) -> Sequence[tuple[str, str, int]]:
        """Return (kind, id, version) of all that a scope shows."""
        rows = self.feeds.get(scope, {}).values()
        return [(row.kind, row.record, row.rv) for row in rows if row.op == PUT]

    def picked(self, scope: str, records: Iterable[str]) -> Sequence[FeedRow]:
        """Return those of these records that a scope shows, with their bodies."""
        wanted = set(records)
        rows = self.feeds.get(scope, {}).values()
        return [self._with_body(one) for one in rows if one.op == PUT and one.record in wanted]

    def purged(self, scope: str, after: int) -> bool:
        """Tell whether anything of a scope has been erased by law since a version."""
        rows = self.feeds.get(scope, {}).values()
        return any(row.op == PURGE and row.ver > after for row in rows)

    def receipts(self, device: str, *, after_n: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the receipts of a device beyond a number, in their order."""
        own = [one for one in self.ledger.values() if one.device == device]
        own.sort(key=lambda one: one.edit.n)
        return [one.receipt.as_json() for one in own if one.edit.n > after_n][:limit]

    def _with_body(self, row: FeedRow) -> FeedRow:
        if row.op != PUT:
            return row
        if row.kind == PARKING.name:
            values, rv = values_of(self.parked[row.record]), self.parked[row.record].rv
        else:
            record = self.rows[(row.kind, row.record)]
            values, rv = dict(record.values), record.rv
        body = dump(values)
        return row._replace(body=body, rv=rv)


def _has_content(entry: LedgerEntry) -> bool:
    return bool(entry.edit.set or entry.edit.at or entry.before or entry.after or entry.was)
