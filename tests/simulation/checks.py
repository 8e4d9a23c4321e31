"""The invariants of the protocol, each under its name, checked while the world turns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync.clock import AHEAD_MS_MAX
from sync.edits import Edit, LedgerEntry, Record
from sync.handover import former_scopes
from sync.kinds import Kind
from sync.merge import DELETION
from sync.parking import OPEN_STATES
from sync.store import ERASED, Batch
from tests.simulation.deeds import PLACE_STEP
from tests.simulation.handset import Made
from tests.simulation.oracles import Oracles
from tests.simulation.rest import (
    JOINED,
    WRITING_OPS,
    RestChecks,
    values_scopes,
)
from tests.sync.house import JOB, KINDS

if TYPE_CHECKING:
    from tests.simulation.world import World

SLACK_MS = 61_000
ITEM = re.compile(r'\{"s":"([^"]+)","op"')
"""How an item of a page begins; in a text the quotation marks would stand behind backslashes."""
FOLLOWED = ("plot", "person")
Key = tuple[str, str]


class Checks(RestChecks):
    """All checks of one world."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self.world = world
        self.effects: set[str] = set()
        self.refused: set[str] = set()
        self.shadow: dict[Key, Record] = {}
        self.last_ms = 0
        self.oracles = Oracles(self)

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
            for one in self._naming(*key):
                if key[0] in FOLLOWED and one.values.get(key[0]) == key[1]:
                    there = one.values["grid"] == after.values["grid"]
                    self.demand("followers_go_along", there, (after, one))

    def _naming(self, _kind: str, _name: str) -> Iterable[Record]:
        """Return the records that may follow one: all there are."""
        return self.world.stand.records().values()

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
        named = [(name, edit.set[name]) for name in FOLLOWED if edit.set.get(name)]
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
            found |= {int(scope.removeprefix("grid:")) for scope in lay.pop() or values_scopes(one)}
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
        scopes = set(ITEM.findall(page))
        self.demand("nothing_outside_sent", scopes <= set(granted), scopes)


def _woven_in(edit: Edit, pair: tuple[str, Any], story: Sequence[str]) -> bool:
    """Tell whether the lines that an edit brought stand in a text that was merged."""
    if pair[0] != "story":
        return False
    was = str(edit.was.get("story") or "").split("\n")
    return all(line in story or line in was for line in str(pair[1]).split("\n"))


def _grids(kind: Kind, record: Record | None, values: Mapping[str, Any]) -> set[int]:
    scopes = kind.scopes(record.values if record else values)
    return {int(scope.removeprefix("grid:")) for scope in scopes}
