"""The invariants of the protocol, each under its name, checked while the world turns."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync.clock import AHEAD_MS_MAX
from sync.digest import as_hex, as_signed, scope_digest
from sync.edits import JOIN_OPS, Edit, LedgerEntry, Record
from sync.handover import former_scopes
from sync.kinds import Kind
from sync.merge import DELETION
from sync.parking import OPEN_STATES, PARKING, REPAIRED, as_record
from sync.store import ERASED, Batch
from tests.simulation.deeds import PLACE_STEP
from tests.simulation.gone import Gone
from tests.simulation.handset import Handset, Made
from tests.simulation.oracles import Oracles
from tests.simulation.stands import Line
from tests.sync.house import JOB, KINDS

if TYPE_CHECKING:
    from tests.simulation.world import World

SLACK_MS = 61_000
ALL = ("plot", "person", "job", "conflict", "parked")
WRITING_OPS = ("create", "update", "event")
JOINED = ("tags", "calls")
"""What is joined has no loser; the oracles reckon it."""
CLEAN = {"applied", "merged", "conflict", "noop"}
Key = tuple[str, str]


class Violation(AssertionError):
    """An invariant does not hold."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


class Checks:
    """All checks of one world."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.done: Counter[str] = Counter()
        self.effects: set[str] = set()
        self.refused: set[str] = set()
        self.shadow: dict[Key, Record] = {}
        self.last_ms = 0
        self.oracles = Oracles(self)

    def fail(self, name: str, detail: str) -> None:
        """Report a violation.

        Raises:
            Violation: always.
        """
        raise Violation(name, detail)

    def demand(self, name: str, truth: object, detail: object = "") -> None:
        """Check one thing."""
        self.done[name] += 1
        if not truth:
            self.fail(name, str(detail))

    # -- at each commit -----------------------------------------------------------------------

    def committed(self, batch: Batch, *, user: int) -> None:
        """Check what one push has written."""
        self.last_ms = self.world.now_ms
        self._in_order(batch)
        self.oracles.committed(batch, self.shadow)
        for entry in batch.ledger:
            self.demand("one_effect", entry.edit.id not in self.effects, entry.edit)
            self.effects.add(entry.edit.id)
            self.refused |= {entry.edit.rec} if entry.receipt.code == ERASED else set()
            self._bounded(entry)
            self._as_made(entry)
            self._findable(entry, batch)
            self._authority(entry, user)
        for entry in batch.amended:
            if entry.user == user:
                self._authority(entry, user)
        self._goes_along(batch)
        for key, record in batch.records.items():
            self._whole(record)
            self._deleted_rightly(key, record, batch)
            self._moved_up(key, record, batch)
            self._later_stands(key, record, batch)
            self.shadow[key] = record

    def restored(self) -> None:
        """Take up the state of a restored server."""
        self.effects = {line.edit for line in self.world.stand.ledger()}
        self.replaced()

    def replaced(self) -> None:
        """Take up records that no edit has changed."""
        self.shadow = dict(self.world.stand.records())
        self.oracles.restored(self.shadow)

    @property
    def gone(self) -> set[str]:
        """Return the ids of all that has been erased."""
        return self.refused | {one.record for one in self.world.erasures}

    def _in_order(self, batch: Batch) -> None:
        """Effects of a device are in the order of its numbers, and its stamps grow."""
        numbers = [entry.edit.n for entry in batch.ledger]
        stamps = [batch.device_before.last_ms, *(entry.ms for entry in batch.ledger)]
        self.demand("effects_in_order", numbers == sorted(set(numbers)), numbers)
        self.demand("effects_in_order", all(n > batch.device_before.last_n for n in numbers))
        self.demand("stamps_grow", stamps == sorted(set(stamps)), stamps)

    def _goes_along(self, batch: Batch) -> None:
        """What follows a record that moves is where the record is."""
        for key, after in batch.records.items():
            before = self.shadow.get(key)
            if before is None or before.values.get("grid") == after.values.get("grid"):
                continue
            for one in self.world.stand.records().values():
                if key[0] in ("plot", "person") and one.values.get(key[0]) == key[1]:
                    there = one.values["grid"] == after.values["grid"]
                    self.demand("followers_go_along", there, (after, one))

    def _bounded(self, entry: LedgerEntry) -> None:
        latest = self.world.now_ms + AHEAD_MS_MAX
        self.demand("stamps_bounded", entry.ms <= latest, (entry.ms, latest))

    def _as_made(self, entry: LedgerEntry) -> None:
        """An edit is about the record that the phone has named, and says what it said there."""
        made = self._made(entry)
        if made:
            edit = entry.edit
            same = (made.op, made.kind, made.rec) == (edit.op, edit.kind, edit.rec)
            self.demand("edits_as_made", same, (made, edit))

    def _findable(self, entry: LedgerEntry, batch: Batch) -> None:
        """Each value that was set stands, lies in a conflict, is parked, or was set again."""
        edit = entry.edit
        if edit.op not in WRITING_OPS or entry.receipt.code == ERASED:
            return
        parked = batch.parked.get(edit.id)
        if parked:
            self.demand("every_value_findable", parked.edit.set == edit.set, edit)
            return
        record = batch.records.get((edit.kind, edit.rec)) or self.shadow.get((edit.kind, edit.rec))
        pairs = list(record.values.items()) if record else []
        for (kind, _), one in batch.records.items():
            if kind == "conflict" and one.values["record"] == edit.rec:
                for side in ("won", "lost"):
                    pairs += one.values[side]["values"].items()
        for later in batch.ledger:
            if later.edit.rec == edit.rec and later.edit.n > edit.n:
                pairs += [(name, edit.set.get(name)) for name in later.edit.set]
        story = str(record.values.get("story") if record else "").split("\n")
        # A new record is put where what it follows lies; an ended grid means its heir.
        grid = edit.set.get("grid")
        renamed = edit.op == "create" or self.world.regrid.is_ended(grid)
        pairs += [("grid", grid)] if renamed else []
        left = [pair for pair in edit.set.items() if pair not in pairs and pair[0] not in JOINED]
        lost = [pair for pair in left if not _woven_in(edit, pair, story)]
        resolved = any(one.edit.op in ("resolve", "delete") for one in batch.ledger)
        self.demand("every_value_findable", not lost or resolved, (edit, lost))

    def _authority(self, entry: LedgerEntry, user: int) -> None:
        """Who was in charge when he acted is believed; who was not never gets through."""
        made = self._made(entry)
        edit = entry.edit
        if made is None or "elapsed_ms" not in edit.at or edit.op not in (*WRITING_OPS, "delete"):
            return
        kind = KINDS.get(edit.kind)
        record = self.shadow.get((edit.kind, edit.rec))
        if entry.receipt.code == ERASED:
            return
        if kind is None or (record is None) != (edit.op == "create"):
            return
        grids = self._lay(entry, made, kind, record)
        if grids is None:
            return
        answers = [self.world.grants.steady(user, grid, around_ms=made.true_ms, slack_ms=SLACK_MS)
                   for grid in grids]  # fmt: skip
        status, code = entry.receipt.status, entry.receipt.code
        if answers and all(answers):
            self.demand("in_charge_never_refused", code != "out_of_scope", (edit, made.true_ms))
        if any(answer is False for answer in answers):
            self.demand("outside_never_applied", status in OPEN_STATES, (edit, entry.receipt))

    def _lay(
        self, entry: LedgerEntry, made: Made, kind: Kind, record: Record | None
    ) -> set[int] | None:
        """Return the grids that an edit touched when it was made, None when nobody can tell."""
        edit = entry.edit
        named = [(name, edit.set[name]) for name in ("plot", "person") if edit.set.get(name)]
        if edit.op == "create" and not all(key in self.shadow for key in named):
            # A restored server may have forgotten that it moved what this follows.
            return None
        followed = [self.shadow[key] for key in named] if edit.op == "create" else []
        touched = [record, *followed]
        found = _grids(kind, None, edit.set) if edit.op == "create" else set()
        for one in touched:
            if one is None:
                continue
            base = edit.base if one is record else 0
            lay = {former_scopes(one, at_ms=made.true_ms + slack, base=base)
                   for slack in (-SLACK_MS, 0, SLACK_MS)}  # fmt: skip
            if len(lay) > 1:
                return None
            found |= {int(scope.removeprefix("grid:")) for scope in lay.pop() or _scopes_of(one)}
        return found

    def _made(self, entry: LedgerEntry) -> Made | None:
        found = (one.made.get(entry.edit.id) for one in self.world.handsets)
        return next((one for one in found if one), None)

    def _whole(self, record: Record) -> None:
        """Halves of groups are never mixed."""
        if record.kind == "plot" and record.values.get("lon") is not None:
            lon, lat = record.values["lon"], record.values["lat"]
            self.demand("groups_whole", lat == lon + PLACE_STEP, record.values)

    def _deleted_rightly(self, key: Key, record: Record, batch: Batch) -> None:
        """A worker's deletion yields to what he had not seen."""
        before = self.shadow.get(key)
        mark = record.marks.get(DELETION)
        entry = next((one for one in batch.ledger if mark and one.edit.id == mark.edit), None)
        if record.deleted != "worker" or not before or not entry or entry.edit.op != "delete":
            return
        moves = before.mere_moves
        unseen = [
            one
            for unit, one in before.marks.items()
            if unit != DELETION and one.rv > entry.edit.base and one.device != entry.device
            and one.rv not in moves
        ]  # fmt: skip
        self.demand("deletion_yields", not unseen, (entry.edit, unseen))

    def _moved_up(self, key: Key, record: Record, batch: Batch) -> None:
        """A workflow only moves up, unless a human has chosen otherwise."""
        before = self.shadow.get(key)
        human = batch.amended or any(entry.edit.op == "resolve" for entry in batch.ledger)
        if record.kind == "job" and before and not human and JOB.workflow:
            order = JOB.workflow.order
            grown = order(record.values) >= order(before.values)
            self.demand("workflow_moves_up", grown, (before.values, record.values))

    def _later_stands(self, key: Key, record: Record, batch: Batch) -> None:
        """What was written later and not seen is never replaced, even by an equal value."""
        before = self.shadow.get(key)
        entries = [one for one in batch.ledger if one.edit.rec == key[1]]
        if key[0] != "plot" or not before or before.deleted or not entries or batch.amended:
            return
        mark, first = before.mark("owner"), entries[0]
        unseen = mark.rv > first.edit.base and mark.device != first.device
        if unseen and "owner" in first.edit.set and first.edit.op == "update":
            mine = (first.ms, first.device, first.edit.id)
            if mark.order > mine:
                self.demand("later_stands", record.mark("owner").edit != first.edit.id, first)

    # -- at each page -------------------------------------------------------------------------

    def page_made(self, page: str, granted: Sequence[str]) -> None:
        """Nothing outside the grants is sent."""
        scopes = {item["s"] for item in json.loads(page)["items"]}
        self.demand("nothing_outside_sent", scopes <= set(granted), scopes)

    def page_applied(
        self, handset: Handset, page: Mapping[str, Any], before: str | None,
        granted: Sequence[str], lingering: Collection[str],
    ) -> None:  # fmt: skip
        """A page follows the cursor, and leaves the phone with what is granted, all of it."""
        self.demand("page_follows_cursor", page["from"] == before, (page["from"], before))
        healed = handset.phone.memory.recall("healed", 0)
        self.demand("digest_never_wrong", healed == 0 or handset.spoiled, page["digest"])
        kept = handset.phone.memory.scopes()
        kept -= set() if page["complete"] else set(lingering)
        self.demand("nothing_outside_kept", kept <= set(granted), (kept, granted))
        if page["complete"]:
            handset.contained(page["last_n"])

    def own_edits_shown(self, handset: Handset) -> None:
        """A phone shows its own edit until a complete pull contains it."""
        latest: dict[Key, Made] = {}
        created = set()
        gone = {made.rec for made in handset.pending.values() if made.op == "delete"}
        for made in handset.pending.values():
            latest[(made.kind, made.rec)] = made
            if made.op == "create":
                created.add((made.kind, made.rec))
        gone = self.gone
        for (kind, rec), made in latest.items():
            if rec in gone:
                continue
            row = handset.phone.row(kind, rec)
            if made.op == "delete":
                self.demand("own_edit_shown", row is None, made)
            elif (kind, rec) in created or handset.phone.memory.row(kind, rec):
                shown = row is not None and _shows(row.values, made)
                self.demand("own_edit_shown", shown or rec in gone, (made, row))

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
        for handset in self.world.handsets:
            self._converged(handset, seen)
            self._nothing_lost(handset, {line.edit for line in lines})

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
            for scope in _scopes(record):
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
                there = tuple(one.values["scopes"]) == _scopes_of(target)
                self.demand("conflicts_lie_with_their_record", there, (one, target))
        with self.world.stand.open() as store:
            waiting = store.parked_for([], self.world.stand.waiting())
        for parked in waiting.values():
            about = records.get((parked.edit.kind, parked.edit.rec))
            if about is None or parked.code == "unknown_record":
                continue
            there = parked.scope in _scopes_of(about) or self.world.regrid.ever
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

    def _converged(self, handset: Handset, records: Mapping[Key, Record]) -> None:
        """A phone holds what the server holds in its scopes, and nothing else.

        The phone of somebody who has left holds nothing, not even what was parked of his.
        """
        scopes = self.world.grants.scopes(handset.user, self.world.now_ms)
        granted = set() if handset.wiped else set(scopes)
        wanted = {key: (record.rv, dict(record.values)) for key, record in records.items()
                  if granted & set(_scopes(record))}  # fmt: skip
        kept = {(kind, rec): row for kind in ALL
                for rec, row in handset.phone.memory.rows(kind).items()}  # fmt: skip
        differing = {key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)}
        self.demand("phones_equal_server", not differing, differing)
        waiting = {rec for (kind, rec), (_, values) in wanted.items()
                   if kind == PARKING.name and values["state"] in OPEN_STATES}  # fmt: skip
        offered = {row.rec for row in handset.phone.parked()}
        self.demand("parked_is_shown", offered == waiting, (offered, waiting))
        self.demand("no_alarm", handset.phone.alarms == [], handset.phone.alarms)
        for scope in granted:
            state = self.world.stand.states().get(scope)
            own = as_hex(scope_digest(handset.phone.memory.shown(scope)))
            self.demand("phone_digest", state is None or own == as_hex(state.digest), scope)

    def _nothing_lost(self, handset: Handset, known: set[str]) -> None:
        """No edit is left behind: bad ones block nobody, restored servers get all again."""
        self.demand("bad_edit_blocks_nobody", not handset.phone.outbox(), handset.phone.outbox())
        logged = {entry.id for entry in handset.phone.memory.entries("1 = 1")}
        self.demand("acknowledged_survives", logged <= known, logged - known)
        if not (handset.restored or handset.late):
            gone = self.gone
            lost = {name for name, one in handset.made.items() if one.rec not in gone} - known
            self.demand("no_edit_lost", not lost, lost)


def _woven_in(edit: Edit, pair: tuple[str, Any], story: Sequence[str]) -> bool:
    """Tell whether the lines that an edit brought stand in a text that was merged."""
    if pair[0] != "story":
        return False
    was = str(edit.was.get("story") or "").split("\n")
    return all(line in story or line in was for line in str(pair[1]).split("\n"))


def _shows(values: Mapping[str, Any], made: Made) -> bool:
    """Tell whether a row shows what was done to it last."""
    if made.op not in JOIN_OPS:
        return made.values.items() <= values.items()
    held, said = set(values.get("tags") or ()), set(made.values.get("tags", ()))
    return said <= held if made.op == "add" else not said & held


def _scopes(record: Record) -> tuple[str, ...]:
    if record.deleted:
        return ()
    if record.kind == "conflict":
        return tuple(record.values["scopes"])
    if record.kind == PARKING.name:
        return PARKING.scopes(record.values)
    kind = KINDS.get(record.kind)
    return kind.scopes(record.values) if kind else ()


def _scopes_of(record: Record) -> tuple[str, ...]:
    """Return the scopes of a record's values, whether it lives or not."""
    return _scopes(replace(record, deleted=None))


def _grids(kind: Kind, record: Record | None, values: Mapping[str, Any]) -> set[int]:
    scopes = kind.scopes(record.values if record else values)
    return {int(scope.removeprefix("grid:")) for scope in scopes}
