"""Take a batch of edits from one device: judge, merge, number, and answer each with a receipt.

Everything is decided in memory between a handful of reads and one write. What the rules refuse
is parked edit by edit; whatever else goes wrong ends the whole request, which the device sends
again. The order of reading is the order of locking: device, parked edits, then records by id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync import conflicts, handover, merge, parking
from sync.clock import Anchors, act_time, effective_stamp
from sync.edits import Device, Draft, Edit, Known, LedgerEntry, Mark, Parked, Receipt, Record
from sync.errors import Problem, Refusal
from sync.gate import Gate, Verdict, Work
from sync.kinds import Examined, Kind, Kinds
from sync.publish import publish
from sync.reading import RELEASES, Key, Reading
from sync.release import Release
from sync.store import Batch, Store

DECISIONS = (*RELEASES, "resolve")


@dataclass(frozen=True, slots=True)
class PushReply:
    """The answer to a push: the next number expected and one receipt for every edit sent."""

    expected: int
    last_id: str | None
    results: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Push:
    """What a push needs to know besides its edits.

    Attributes:
        home: the scope whose people see what is parked of an edit that names no scope itself.
        enrolment: the enrolment to which the device must belong; None for the office's own.
        present: tells which scope now stands for one whose people have gone.
    """

    device: str
    user: int
    received_ms: int
    anchors: Anchors
    gate: Gate
    kinds: Kinds
    home: str | None = None
    enrolment: str | None = None
    present: Callable[[str], str] = str


def push(store: Store, drafts: Sequence[Draft], context: Push) -> PushReply:
    """Apply edits to a store within the transaction that the caller has opened.

    Raises:
        Problem: the request cannot be taken (unknown device, gap, forked device, reused id).
        Stale: what was read has changed meanwhile; the caller repeats the transaction.
    """
    device = store.device(context.device)
    if device is None or (device.user, device.enrolment) != (context.user, context.enrolment):
        raise Problem(404, "unknown_device")
    known = store.known([draft.edit.id for draft in drafts]) if drafts else {}
    fresh = _fresh(drafts, device, known)
    run = Run(store, context, device)
    if fresh:
        run.take(fresh, known)
        store.write(run.batch)
    last = run.batch.device
    return PushReply(last.last_n + 1, last.last_id, [run.results[d.edit.id] if d.edit.id in
                     run.results else known[d.edit.id].receipt for d in drafts])  # fmt: skip


def _fresh(drafts: Sequence[Draft], device: Device, known: Mapping[str, Known]) -> list[Draft]:
    """Return the drafts not yet taken, after checking that the device is who it was.

    Raises:
        Problem: a gap in the numbers, another edit under an old number, or a reused id.
    """
    fresh = []
    expected = device.last_n + 1
    for draft in drafts:
        edit, before = draft.edit, known.get(draft.edit.id)
        if before and before.digest != edit.digest():
            raise Problem(409, "edit_id_reused", edit=edit.id, n=edit.n)
        if edit.n < device.last_n + 1:
            if before is None or (before.device == device.id and before.n != edit.n):
                raise Problem(409, "device_forked", n=edit.n, expected=device.last_n + 1)
        elif edit.n != expected:
            raise Problem(409, "gap", expected=expected)
        else:
            fresh.append(draft)
            expected += 1
    return fresh


class Run:
    """One batch on its way through the engine."""

    def __init__(self, store: Store, context: Push, device: Device) -> None:
        self.context = context
        self.batch = Batch(device=device, device_before=device)
        self.reading = Reading(store, context.kinds, self.batch)
        self.results: dict[str, Mapping[str, Any]] = {}
        self.clashes: list[tuple[merge.Clash, Key, Edit, Mark]] = []
        self.examined: dict[str, Examined] = {}

    def take(self, drafts: Sequence[Draft], known: Mapping[str, Known]) -> None:
        """Decide every edit, in order, and fill the batch."""
        edits = [draft.edit for draft in drafts]
        self.reading.read(edits)
        everything = [*edits, *self.reading.to_replay(edits)]
        self.context.gate.prepare([self._sound(e) for e in everything if self.reading.kind(e)])
        for draft in drafts:
            before = known.get(draft.edit.id)
            if before:
                self._repeat(draft.edit, before)
            else:
                self._decide(draft)
        self._keep_conflicts()
        self._publish()

    def _work(self, edit: Edit) -> Work:
        context = self.context
        return self.reading.work(edit, received_ms=context.received_ms, device=context.device,
                                 anchors=context.anchors)  # fmt: skip

    def _sound(self, edit: Edit) -> Work:
        """Return the work of an edit without the values that its kind refuses anyway."""
        kind = self.reading.kind(edit)
        if kind is None:
            return self._work(edit)
        found = self.examined[edit.id] = kind.examine(edit.set)
        as_it_is = found.passed == edit.set
        return self._work(edit if as_it_is else replace(edit, set=found.passed))

    # -- deciding -----------------------------------------------------------------------------

    def _repeat(self, edit: Edit, before: Known) -> None:
        """Answer an edit that came before through another device id of the same phone."""
        receipt = {**before.receipt, "n": edit.n, "status": "duplicate"}
        self._advance(edit, self.batch.device.last_ms)
        self.results[edit.id] = receipt

    def _decide(self, draft: Draft) -> None:
        edit = draft.edit
        try:
            if draft.code:
                raise Refusal(draft.code)
            kind = self.reading.kind(edit)
            if kind is None:
                raise Refusal("unknown_kind")
            waited = self.reading.waits(edit, kind)
            if waited:
                self._park(edit, "waits_for_parked", (), state=parking.HELD, waits_for=waited)
            else:
                self._apply(edit, self._work(edit))
        except Refusal as refusal:
            errors = draft.errors or tuple(error.as_json() for error in refusal.errors)
            refuse = self._note if edit.op in DECISIONS else self._park
            refuse(edit, refusal.code, errors)

    def _apply(self, edit: Edit, work: Work) -> None:
        if edit.op == "resolve":
            self._resolve(edit, work)
        elif edit.op in RELEASES:
            Release(self).decide(edit, work)
        else:
            verdict, values = self._judged(work)
            author = merge.Author(self.stamp(work), self.context.device, verdict.office)
            merged = merge.apply(work.kind, work.record, edit, values, author)
            flags = (*verdict.flags, "clock_suspect") if work.act.suspect else verdict.flags
            receipt = self.keep(edit, work.kind, merged, author, flags=flags)
            self.enter(edit, receipt, author.ms, merged.before)

    def _judged(self, work: Work) -> tuple[Verdict, Mapping[str, Any]]:
        edit = work.edit
        values = work.kind.accept(self.examined[edit.id], creating=edit.op == "create")
        verdict = self.context.gate.judge(work, values)
        if edit.op == "create" and work.record is not None:
            raise Refusal("id_taken")
        if edit.op != "create" and work.record is None:
            raise Refusal("unknown_record")
        return verdict, self.context.gate.derive(work, values)

    def stamp(self, work: Work, also: Record | None = None) -> int:
        """Return the stamp of an edit: after all that its author had seen, bounded by arrival."""
        seen = [one.stamp_at(work.edit.base) for one in (work.record,) if one]
        seen += [also.stamp_at(also.rv)] if also else []
        return effective_stamp(work.act, received_ms=self.context.received_ms,
                               base_ms=max(seen, default=0),
                               device_ms=self.batch.device.last_ms)  # fmt: skip

    def keep(
        self,
        edit: Edit,
        kind: Kind,
        merged: merge.Merged,
        author: merge.Author,
        *,
        flags: tuple[str, ...],
    ) -> Receipt:
        """Keep a merged record and its clashes, and return the edit's receipt."""
        key = (kind.name, edit.rec)
        mark = Mark(merged.record.rv, author.ms, author.device, edit.id)
        if merged.changed:
            moves = handover.Handover(self)
            if self.reading.record(key) is None:
                moves.found(kind, merged.record, mark, named=edit.set)
            else:
                moves.place(kind, merged.record, mark)
        self.clashes += [(clash, key, edit, mark) for clash in merged.clashes]
        return Receipt(
            edit.n,
            edit.id,
            _status(merged),
            edit.rec,
            merged.record.rv,
            flags=flags,
            conflicts=tuple(clash.conflict_id(edit.rec, edit.base) for clash in merged.clashes),
        )

    def _resolve(self, edit: Edit, work: Work) -> None:
        """Make the choice of a conflict; a swap writes the other value into the record."""
        conflict = work.record
        if conflict is None:
            raise Refusal("unknown_record")
        verdict = self.context.gate.judge(work, edit.set)
        choice = conflicts.chosen(edit, conflict)
        key = (conflict.values["kind"], conflict.values["record"])
        target, kind = self.reading.record(key), self.context.kinds.get(key[0])
        author = merge.Author(self.stamp(work, target), self.context.device, verdict.office)
        before: Mapping[str, Any] = {}
        if choice == conflicts.SWAP and target and kind:
            merged = conflicts.swap(kind, target, conflict, edit, author)
            before = merged.before
            if merged.changed:
                own = Mark(merged.record.rv, author.ms, author.device, edit.id)
                handover.Handover(self).place(kind, merged.record, own)
                conflict = self.reading.record((work.kind.name, edit.rec)) or conflict
        mark = Mark(conflict.rv + 1, author.ms, author.device, edit.id)
        self.batch.records[(work.kind.name, edit.rec)] = conflicts.resolved(conflict, choice, mark)
        receipt = Receipt(edit.n, edit.id, "applied", edit.rec, conflict.rv + 1,
                          flags=verdict.flags)  # fmt: skip
        self.enter(edit, receipt, author.ms, before)

    # -- refusing -----------------------------------------------------------------------------

    def _note(self, edit: Edit, code: str, errors: tuple[Mapping[str, Any], ...]) -> None:
        """Write down a decision that came to nothing: it holds no work that could be lost."""
        receipt = Receipt(edit.n, edit.id, "noted", edit.rec, code=code, errors=errors)
        self.enter(edit, receipt, self._plain_stamp(edit), {})

    def _park(
        self,
        edit: Edit,
        code: str,
        errors: tuple[Mapping[str, Any], ...],
        *,
        state: str = parking.PARKED,
        waits_for: str | None = None,
    ) -> None:
        ms = self._plain_stamp(edit)
        receipt = Receipt(edit.n, edit.id, state, edit.rec, code=code, errors=errors)
        self.keep_parked(
            Parked(edit, self.context.device, self.context.user, code, errors, state, ms,
                   self.context.received_ms, waits_for or edit.rec, self._scope_of(edit))
        )  # fmt: skip
        self.enter(edit, receipt, ms, {})

    def _plain_stamp(self, edit: Edit) -> int:
        """Return the stamp of an edit that may not even have a kind."""
        act = act_time(edit.at, received_ms=self.context.received_ms, device=self.context.device,
                       anchors=self.context.anchors)  # fmt: skip
        return effective_stamp(act, received_ms=self.context.received_ms, base_ms=0,
                               device_ms=self.batch.device.last_ms)  # fmt: skip

    def _scope_of(self, edit: Edit) -> str | None:
        """Return the scope whose people should see a parked edit."""
        kind = self.reading.kind(edit)
        if kind is None:
            return self.context.home
        record = self.reading.record((kind.name, edit.rec))
        values = record.values if record else handover.values_with_copies(
            kind, kind.examine(edit.set).passed, {**self.reading.found, **self.batch.records}
        )  # fmt: skip
        scope = next(iter(kind.scopes(values)), self.context.home)
        return self.context.present(scope) if scope else None

    def keep_parked(self, parked: Parked) -> None:
        """Keep a parked edit, new or in its new state."""
        self.batch.parked[parked.edit.id] = self.reading.parked[parked.edit.id] = parked

    # -- writing down -------------------------------------------------------------------------

    def enter(self, edit: Edit, receipt: Receipt, ms: int, before: Mapping[str, Any]) -> None:
        """Enter an edit in the ledger and advance the device."""
        self.batch.ledger.append(
            LedgerEntry(edit, self.context.device, self.context.user, receipt, edit.digest(), ms,
                        self.context.received_ms, before)
        )  # fmt: skip
        self.results[edit.id] = receipt.as_json()
        self._advance(edit, ms)

    def _advance(self, edit: Edit, ms: int) -> None:
        was = self.batch.device
        last_ms = max(ms, was.last_ms)
        self.batch.device = Device(was.id, was.user, edit.n, edit.id, last_ms, was.enrolment)

    def _keep_conflicts(self) -> None:
        """Turn the clashes into conflict records, one for each pair of devices and unit."""
        name = conflicts.CONFLICT.name
        self.reading.load(
            {(name, clash.conflict_id(key[1], e.base)) for clash, key, e, _ in self.clashes}
        )
        for clash, key, edit, mark in self.clashes:
            target, kind = self.reading.record(key), self.context.kinds.get(key[0])
            if target is None or kind is None:
                continue
            own = (name, clash.conflict_id(target.id, edit.base))
            self.batch.records[own] = conflicts.conflict_of(
                clash, target, kind.scopes(target.values), edit=edit, mark=mark,
                existing=self.reading.record(own),
            )  # fmt: skip

    def _publish(self) -> None:
        """Work out what changes in which scope."""
        kinds = {**self.context.kinds.by_name, conflicts.CONFLICT.name: conflicts.CONFLICT}
        for key, after in self.batch.records.items():
            self.batch.seen_rv.setdefault(key, 0)
            publish(self.batch, kinds[key[0]], self.reading.found.get(key), after)


def _status(merged: merge.Merged) -> str:
    rules = {clash.rule for clash in merged.clashes}
    if rules & {"proposal", "delete"} and not merged.changed:
        return "noted"
    if rules:
        return "conflict"
    if not merged.changed:
        return "noop"
    return "merged" if merged.concurrent else "applied"
