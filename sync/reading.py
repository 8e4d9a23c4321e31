"""What a batch has read before it is decided: records, parked edits, and what waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sync import acts, conflicts, grounds, handover, parking, telling
from sync.clock import ActTime, Anchors, act_time
from sync.edits import Edit, Parked, Record
from sync.errors import Refusal
from sync.gate import Work
from sync.kinds import Kind, Kinds
from sync.store import Batch, Store
from sync.upgrade import corrected, upgraded
from sync.values import as_identity

Key = tuple[str, str]
RELEASES = ("repair", "discard")


@dataclass
class Reading:
    """The records and parked edits of one batch, as they stand while it is decided."""

    store: Store
    kinds: Kinds
    batch: Batch
    found: dict[Key, Record] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    carried: set[Key] = field(default_factory=set)
    """The records whose followers, conflicts and parked edits have been read."""
    _acts: dict[tuple[str, str, int], ActTime] = field(default_factory=dict)

    def read(self, edits: Sequence[Edit]) -> None:
        """Read all that these edits touch, name or wait for."""
        self._read_parked(edits)
        everything = [*edits, *(edit for edit, _ in self.to_replay(edits))]
        known = [e for e in everything if e.kind in self.kinds.by_name and e.op != "resolve"]
        self.load({(e.kind, e.rec) for e in known} | self._referred(everything))
        resolving = {(conflicts.CONFLICT.name, e.rec) for e in edits if e.op == "resolve"}
        self.load(resolving)
        settled = [self.found[key] for key in resolving if key in self.found]
        self.load({(one.values["kind"], one.values["record"]) for one in settled})
        self.load(telling.told(self, everything))
        handover.load(self, handover.movers(self, everything))
        self.batch.relied = handover.relied_on(self, everything)
        grounds.load(self, everything)
        acts.load(self, everything)

    def _read_parked(self, edits: Sequence[Edit]) -> None:
        """Read what is parked for these records; for a repair also what waits for its record."""
        named = frozenset(edit.rec for edit in edits if edit.op in RELEASES)
        touched = {edit.rec for edit in edits} | {record for _, record in self._referred(edits)}
        self._ask_parked(frozenset(touched), named)
        roots = {self.parked[name].edit.rec for name in named if name in self.parked}
        roots |= {one.waits_for for one in self.parked.values()}
        self._ask_parked(frozenset(roots), frozenset())
        if named:
            waiting = [self.present(one.edit) for one in self.parked.values()]
            others = {record for _, record in self._referred(waiting)} - touched - roots
            self._ask_parked(frozenset(others), frozenset())
        self.batch.parked_seen = {name: one.rv for name, one in self.parked.items()}

    def ask_parked(self, records: frozenset[str]) -> None:
        """Read what is parked of records that turned out to be touched too."""
        known = self.parked
        self.parked = {}
        self._ask_parked(records, frozenset())
        found = {name: one for name, one in self.parked.items() if name not in known}
        self.parked = known | found
        self.batch.parked_seen |= {name: one.rv for name, one in found.items()}

    def _ask_parked(self, records: frozenset[str], edits: frozenset[str]) -> None:
        if records or edits:
            found = self.store.parked_for(records, edits)
            self.parked |= found
            if found:
                self.batch.parked_asked = (*self.batch.parked_asked, (records, edits))

    def to_replay(self, edits: Sequence[Edit]) -> list[tuple[Edit, int]]:
        """Return the parked edits that this batch may set going, as they will be, with authors."""
        repairs = {one.rec: one for one in edits if one.op == "repair"}
        return [
            (self.present(one.edit, repairs.get(name)), one.user)
            for name, one in self.parked.items()
        ]

    def present(self, edit: Edit, repair: Edit | None = None) -> Edit:
        """Return a parked edit in the present schema, or as it is when no step leads there."""
        kind = self.kind(edit)
        try:
            if kind is None:
                return edit
            return corrected(kind, edit, repair) if repair else upgraded(kind, edit)
        except Refusal:
            return edit

    def load(self, keys: set[Key]) -> None:
        """Read records that have not been read yet."""
        missing = sorted(keys - self.found.keys())
        if missing:
            loaded = self.store.records(missing)
            self.found |= loaded
            self.batch.seen_rv |= {key: one.rv for key, one in loaded.items()}

    def kind(self, edit: Edit) -> Kind | None:
        """Return the kind that an edit is about."""
        if edit.op in RELEASES:
            return parking.PARKING
        if edit.op == "resolve":
            return conflicts.CONFLICT
        return self.kinds.get(edit.kind)

    def record(self, key: Key) -> Record | None:
        """Return a record as it stands in this batch."""
        return self.batch.records.get(key) or self.found.get(key)

    def work(self, edit: Edit, *, received_ms: int, device: str, anchors: Anchors) -> Work:
        """Return an edit of a known kind with all that its judge should see."""
        kind = self.kind(edit)
        assert kind is not None, "only edits of known kinds are judged"
        made = (edit.id, device, received_ms)
        if made not in self._acts:
            self._acts[made] = act_time(edit.at, received_ms=received_ms, device=device,
                                        anchors=anchors)  # fmt: skip
        act = self._acts[made]
        if edit.op in RELEASES:
            parked = self.parked.get(edit.rec)
            edit = replace(edit, was={"user": parked.user, "scope": parked.scope} if parked else {})
        return Work(edit, kind, self.record((kind.name, edit.rec)), act,
                    self._living(kind, edit), device=device,
                    consents=grounds.about(self, kind, edit),
                    around=acts.around(self, kind, edit))  # fmt: skip

    def waits(self, edit: Edit, kind: Kind) -> str | None:
        """Return the record whose parked creation an edit must wait for, if there is one."""
        missing = {
            one.edit.rec: one.waits_for
            for one in self.parked.values()
            if one.edit.op == "create" and one.state in parking.OPEN_STATES
            and one.edit.id != edit.id and self.record((one.edit.kind, one.edit.rec)) is None
        }  # fmt: skip
        return parking.waits(edit, kind, missing) if missing else None

    def _referred(self, edits: Sequence[Edit]) -> set[Key]:
        found: set[Key] = set()
        for edit in edits:
            kind = self.kinds.get(edit.kind)
            for name, other in (kind.references if kind else {}).items():
                record = as_identity(edit.set.get(name))
                if record:
                    found.add((other, record))
        return found

    def _living(self, kind: Kind, edit: Edit) -> Mapping[str, Record]:
        """Return the living records that an edit's fields name, as they stand in this batch."""
        found: dict[str, Record] = {}
        if not kind.references:
            return found
        for name, other in kind.references.items():
            record = self.record((other, as_identity(edit.set.get(name)) or ""))
            if record and not record.deleted:
                found[name] = record
        return found
