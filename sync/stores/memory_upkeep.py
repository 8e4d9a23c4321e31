"""The upkeep of the store in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sync.edits import Parked, Past, Record
from sync.erasure import bare_edit
from sync.grounds import without
from sync.store import DEL, OUT, PURGE, Batch, ScopeState
from sync.stores.memory import MemoryStore
from sync.unsaying import thinned
from sync.upkeep import STRIPPED, Age, Erasure, Gone, Key, Shown


@dataclass(frozen=True)
class MemoryUpkeep:
    """Upkeep within the one transaction that everything in memory is."""

    store: MemoryStore

    # -- forgetting ---------------------------------------------------------------------------

    def scopes_after(self, last: str, limit: int) -> Sequence[tuple[str, ScopeState]]:
        """Return the next scopes in the order of their names."""
        return sorted((s, state) for s, state in self.store.states.items() if s > last)[:limit]

    def ages(self, scopes: Collection[str]) -> Sequence[Age]:
        """Return all ages noted for these scopes."""
        return [age for age in self.store.ages if age.scope in scopes]

    def note(self, ages: Sequence[Age]) -> None:
        """Note ages."""
        self.store.ages += ages

    def raise_floors(self, floors: Mapping[str, int]) -> None:
        """Raise the floors of scopes; the ages below them are of no more use."""
        for scope, floor in floors.items():
            self.store.states[scope] = self.store.states[scope]._replace(floor=floor)
        self.store.ages = [age for age in self.store.ages if age.ver >= floors.get(age.scope, 0)]

    def forget_tombstones(self, scopes: Collection[str], limit: int) -> int:
        """Delete tombstones at or below the floors of these scopes; return how many."""
        old = [
            (scope, key)
            for scope in sorted(scopes)
            for key, row in self.store.feeds.get(scope, {}).items()
            if row.op in (OUT, DEL) and row.ver <= self.store.states[scope].floor
        ][:limit]
        for scope, key in old:
            del self.store.feeds[scope][key]
        return len(old)

    def strip_ledger(self, after: str, before_ms: int, limit: int) -> tuple[str | None, int]:
        """Take content from ledger rows that arrived before a time."""
        names = self.store.ledger_after(after, limit)
        old = [name for name in self.store.with_content(names)
               if self.store.ledger[name].received_ms < before_ms]  # fmt: skip
        for name in old:
            self._strip(name)
        return (names[-1] if names else None), len(old)

    def _strip(self, name: str) -> None:
        entry = self.store.ledger[name]
        self.store.ledger[name] = replace(
            entry, edit=bare_edit(entry.edit), before={}, after={}, was={}
        )

    def ids_after(self, kind: str, after: str, limit: int) -> Sequence[str]:
        """Return the next ids of a kind."""
        return self.store.ids_after(kind, after, limit)

    def remove(self, kind: str, records: Collection[str]) -> None:
        """Delete the rows of records that no scope shows any more."""
        for name in records:
            del self.store.rows[kind, name]

    # -- erasing ------------------------------------------------------------------------------

    def referring(self, kind: str, field: str, records: Collection[str]) -> Sequence[str]:
        """Return the ids of the records of a kind whose field names one of these records."""
        return sorted(
            name for (of, name), one in self.store.rows.items()
            if of == kind and one.values.get(field) in records
        )  # fmt: skip

    def parked_about(self, records: Collection[str], kinds: Collection[str]) -> Sequence[Parked]:
        """Return all parked edits about these records or of these kinds."""
        return [one for _, one in sorted(self.store.parked.items())
                if one.edit.rec in records or one.waits_for in records
                or one.edit.kind in kinds]  # fmt: skip

    def shown(self, keys: Collection[Key]) -> Sequence[Shown]:
        """Return all rows of the feed about these records."""
        wanted = set(keys)
        return [
            Shown(scope, row.kind, row.record, row.op, row.rv, row.ver)
            for scope, feed in sorted(self.store.feeds.items())
            for key, row in feed.items()
            if key in wanted
        ]

    def scrub_ledger(self, records: Collection[str]) -> int:
        """Take content and digest from all ledger rows about these records; return how many."""
        names = [name for name, one in self.store.ledger.items() if one.edit.rec in records]
        for name in names:
            self._strip(name)
            self.store.ledger[name] = replace(self.store.ledger[name], digest=STRIPPED)
        return len(names)

    def thin_ledger(self, gone: Gone) -> int:
        """Take fields, and the digest, from ledger rows about these records; return how many."""
        thin = 0
        for name, one in self.store.ledger.items():
            names = gone.get(one.edit.rec, ())
            body = {"set": one.edit.set, "before": one.before, "after": one.after, "was": one.was}
            left = thinned(body, names)
            if left is not None:
                edit = without(one.edit, names)
                self.store.ledger[name] = replace(
                    one, edit=edit, digest=STRIPPED, before=left["before"], after=left["after"],
                    was=left["was"],
                )  # fmt: skip
                thin += 1
        return thin

    def scrub_parked(self, parked: Sequence[Parked]) -> None:
        """Write parked edits whose content has been taken out."""
        self.store.parked |= {one.edit.id: one for one in parked}

    def enter_erasures(self, erasures: Sequence[Erasure]) -> None:
        """Enter erasures in the list, unless they stand there."""
        for one in erasures:
            self.store.erased.setdefault(one.key, one)

    def erasures(self) -> Sequence[Erasure]:
        """Return all erasures, the latest first, with the scopes that were told."""
        told = {key: tuple(sorted(scopes)) for key, scopes in self._told().items()}
        found = [replace(one, scopes=told.get(key, ())) for key, one in self.store.erased.items()]
        return sorted(found, key=lambda one: (-one.ms, one.key))

    def _told(self) -> dict[Key, dict[str, int]]:
        """Return for each erased record the scopes that tell so, with the version of each."""
        told: dict[Key, dict[str, int]] = {}
        for row in self.shown(self.store.erased.keys()):
            if row.op == PURGE:
                told.setdefault((row.kind, row.record), {})[row.scope] = row.ver
        return told

    def wiped(self, device: str, scopes: Mapping[str, int], now_ms: int) -> None:
        """Note that a phone has carried out all purges of scopes, up to a version of each."""
        for scope, ver in scopes.items():
            if ver > self.store.wipes.get((device, scope), (-1, 0))[0]:
                self.store.wipes[device, scope] = (ver, now_ms)

    def witnesses(self) -> Mapping[Key, Sequence[tuple[str, int]]]:
        """Return the phones that have wiped each erased record, with the time they said so."""
        found: dict[Key, dict[str, int]] = {}
        for key, scopes in self._told().items():
            for (device, scope), (ver, ms) in self.store.wipes.items():
                if ver >= scopes.get(scope, ver + 1):
                    found.setdefault(key, {})[device] = ms
        return {key: sorted(devices.items()) for key, devices in found.items()}

    # -- looking back -------------------------------------------------------------------------

    def ledger(self) -> Sequence[Past]:
        """Return the whole ledger, for checks."""
        return [Past(replace(one.edit, was=one.was), one.device, one.user, one.received_ms,
                     one.receipt.code) for one in self.store.ledger.values()]  # fmt: skip

    # -- both ---------------------------------------------------------------------------------

    def records(self, keys: Collection[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id)."""
        return self.store.records(keys)

    def rewrite(self, batch: Batch) -> None:
        """Write the records and the feed of a batch that no device has sent."""
        self.store.rewrite(batch)
