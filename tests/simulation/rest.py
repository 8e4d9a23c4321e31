"""The invariants that hold when the simulated world has come to rest."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sync.digest import as_hex, as_signed, scope_digest
from sync.edits import Record
from sync.encoding import dump
from sync.parking import OPEN_STATES, PARKING, REPAIRED, as_record
from sync.store import ERASED, ScopeState
from tests.simulation.gone import Gone
from tests.simulation.phone_checks import PhoneChecks, Wanted
from tests.simulation.stands import Line
from tests.sync.house import KINDS

if TYPE_CHECKING:
    from tests.simulation.world import World

WRITING_OPS = ("create", "update", "event")
JOINED = ("tags", "calls")
"""What is joined has no loser; the oracles reckon it."""
CLEAN = {"applied", "merged", "conflict", "noop"}
Key = tuple[str, str]


class RestChecks(PhoneChecks):
    """What is checked at rest."""

    world: "World"

    # -- at rest ------------------------------------------------------------------------------

    def at_rest(self) -> None:
        """Check what must hold when nothing moves any more."""
        records, lines = self.world.stand.records(), self.world.stand.ledger()
        self._ledger_whole(records, lines)
        self._digests_agree(records)
        self._latest_stands(records, lines)
        seen = {**records, **self._parked()}
        self._repaired_for_good(lines)
        Gone(self).at_rest(records, lines)
        self._lie_together(records)
        states, known = self.world.stand.states(), {line.edit for line in lines}
        for handset in self.world.handsets:
            # The phone of somebody who has left holds nothing, not even what was parked of his.
            scopes = () if handset.wiped else self.world.granted(handset.user)
            here = {key: one for key, one in seen.items()
                    if not set(scopes).isdisjoint(scopes_of(one))}  # fmt: skip
            self.phone_equals(handset, self._wanted(scopes, here, states))
            self.nothing_lost(handset, known)

    def _parked(self) -> dict[Key, Record]:
        """Return the parked edits as the records that phones see, as JSON brings them."""
        shown = [as_record(one) for one in self.world.stand.parked().values()]
        return {
            (one.kind, one.id): replace(one, values=json.loads(json.dumps(one.values)))
            for one in shown if one
        }  # fmt: skip

    def _repaired_for_good(self, lines: Sequence[Line]) -> None:
        """What counts as repaired has had its effect."""
        receipts = {line.edit: line.receipt for line in lines}
        for name, parked in self.world.stand.parked().items():
            if parked.state == REPAIRED:
                status = receipts[name]["status"]
                self.demand("repaired_for_good", status not in OPEN_STATES, (parked, status))

    def _ledger_whole(self, records: Mapping[Key, Record], lines: Sequence[Line]) -> None:
        """Effect, ledger, feed and digest were committed together."""
        known = Counter(line.edit for line in lines)
        self.demand("one_effect", not known or max(known.values()) == 1, known.most_common(1))
        for record in records.values():
            if record.deleted == ERASED:
                continue
            strange = {mark.edit for mark in record.marks.values() if mark.edit not in known}
            self.demand("all_or_nothing", not strange, (record, strange))
        for line in lines:
            there = (line.kind, line.rec) in records
            made = line.op == "create" and line.receipt["status"] == "applied"
            self.demand("all_or_nothing", there or not made, line)

    def _digests_agree(self, records: Mapping[Key, Record]) -> None:
        """The digest of a scope is that of its feed, and that of its records."""
        shown = self.world.stand.shown()
        truth: dict[str, list[tuple[str, str, int]]] = {}
        for record in [*records.values(), *self._parked().values()]:
            for scope in scopes_of(record):
                truth.setdefault(scope, []).append((record.kind, record.id, record.rv))
        states = self.world.stand.states()
        for scope in truth.keys() | states.keys():
            state = states.get(scope)
            wanted = sorted(truth.get(scope, []))
            self.demand("feed_shows_records", sorted(shown.get(scope, [])) == wanted, scope)
            digest, live = (state.digest, state.live) if state else (0, 0)
            held = as_signed(digest) == as_signed(scope_digest(wanted)) and live == len(wanted)
            self.demand("digests_agree", held, (scope, state))

    def _lie_together(self, records: Mapping[Key, Record]) -> None:
        """Conflicts and parked edits of a record are seen where the record is seen."""
        for (kind, _), one in records.items():
            if kind == "conflict" and not one.deleted:
                target = records[one.values["kind"], one.values["record"]]
                there = tuple(one.values["scopes"]) == values_scopes(target)
                self.demand("conflicts_lie_with_their_record", there, (one, target))
        with self.world.stand.open() as store:
            waiting = store.parked_for([], self.world.stand.waiting())
        for parked in waiting.values():
            about = records.get((parked.edit.kind, parked.edit.rec))
            if about is None or parked.code == "unknown_record":
                continue
            there = parked.scope in values_scopes(about) or self.world.regrid.ever
            self.demand("parked_edits_lie_with_their_record", there, (parked, about))

    def _latest_stands(self, records: Mapping[Key, Record], lines: Sequence[Line]) -> None:
        """A joinable field ends with the latest stamp, in whatever order the edits came."""
        if any(line.op == "resolve" and ("conflict", line.rec) not in records for line in lines):
            return
        by_record: dict[str, list[Line]] = {}
        for line in lines:
            by_record.setdefault(line.rec, []).append(line)
        chosen = {
            records["conflict", line.rec].values["record"]
            for line in lines if line.op == "resolve" and ("conflict", line.rec) in records
        }  # fmt: skip
        for (kind, name), record in records.items():
            found = by_record.get(name, [])
            plain = all(
                line.op in WRITING_OPS
                and line.receipt["status"] in CLEAN
                and "repaired" not in line.receipt.get("flags", ())
                and line.values
                for line in found
            )
            if kind != "plot" or name in chosen or not plain or record.deleted == ERASED:
                continue
            setting = [line for line in found if "owner" in line.values]
            last = max(setting, key=lambda line: (line.ms, line.device, line.edit))
            stands = record.values["owner"] == last.values["owner"]
            self.demand("order_does_not_matter", stands, (record, last))

    def _wanted(
        self, scopes: Collection[str], here: Mapping[Key, Record], states: Mapping[str, ScopeState]
    ) -> Wanted:
        """Return what a phone with some scopes ought to hold, by the records that lie in them."""
        return Wanted(
            {key: (one.rv, self._text(key, one)) for key, one in here.items()},
            {name for (_, name), one in here.items() if _waits(one)},
            {s: as_hex(states[s].digest) if s in states else None for s in scopes},
        )

    def _text(self, _key: Key, record: Record) -> str:
        """Return the values of a record as text."""
        return dump(record.values)


def _waits(record: Record) -> bool:
    """Tell whether a record is a parked edit that a human has still to look at."""
    return record.kind == PARKING.name and record.values["state"] in OPEN_STATES


def scopes_of(record: Record) -> tuple[str, ...]:
    if record.deleted:
        return ()
    if record.kind == "conflict":
        return tuple(record.values["scopes"])
    if record.kind == PARKING.name:
        return PARKING.scopes(record.values)
    kind = KINDS.get(record.kind)
    return kind.scopes(record.values) if kind else ()


def values_scopes(record: Record) -> tuple[str, ...]:
    """Return the scopes of a record's values, whether it lives or not."""
    return scopes_of(replace(record, deleted=None))
