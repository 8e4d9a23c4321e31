"""Take a batch of edits from one device: judge, merge, number, and answer each with a receipt.

Everything is decided in memory between a handful of reads and one write. What the rules refuse
is parked edit by edit; whatever else goes wrong ends the whole request, which the device sends
again. The order of reading is the order of locking: device, parked edits, then records by id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sync import acts, grounds, handover, merge, parking, telling
from sync.barring import Barring
from sync.clock import ActTime, Anchors, AnchorsOfBatch, act_time, effective_stamp
from sync.closing import Closing
from sync.edits import (
    OPS,
    Device,
    Draft,
    Edit,
    Known,
    LedgerEntry,
    Mark,
    Parked,
    Receipt,
    Record,
)
from sync.errors import Problem, Refusal
from sync.gate import Gate, Verdict, Work
from sync.kinds import Examined, Kind, Kinds
from sync.reading import RELEASES, Key, Reading
from sync.release import DECISIONS, Release
from sync.resolving import Resolution
from sync.store import Batch, Store
from sync.upgrade import upgraded
from sync.upkeep import STRIPPED
from sync.wire import MALFORMED, UNKNOWN_OP

CLOCK_SUSPECT = "clock_suspect"


@dataclass(frozen=True, slots=True)
class PushReply:
    """The answer to a push: the next number expected and one receipt for every edit sent.

    Attributes:
        taken: those of the edits that had not been taken before.
    """

    expected: int
    last_id: str | None
    results: list[Mapping[str, Any]]
    taken: Sequence[Edit] = ()


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
                     run.results else known[d.edit.id].receipt for d in drafts],
                     [one.edit for one in fresh if one.edit.id not in known])  # fmt: skip


def _fresh(drafts: Sequence[Draft], device: Device, known: Mapping[str, Known]) -> list[Draft]:
    """Return the drafts not yet taken, after checking that the device is who it was.

    Raises:
        Problem: a gap in the numbers, another edit under an old number, or a reused id.
    """
    fresh = []
    expected = device.last_n + 1
    for draft in drafts:
        edit, before = draft.edit, known.get(draft.edit.id)
        if before and before.digest != STRIPPED and before.digest != edit.digest():
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
        self.anchors = AnchorsOfBatch(context.anchors.key)
        self.reading = Reading(store, context.kinds, self.batch)
        self.results: dict[str, Mapping[str, Any]] = {}
        self.clashes: list[tuple[merge.Clash, Key, Edit, Mark]] = []
        self.examined: dict[str, Examined] = {}
        self.sent: dict[str, Edit] = {}
        self.barred: dict[str, tuple[str, ...]] = {}
        self.parked_before: dict[str, Parked | None] = {}

    def take(self, drafts: Sequence[Draft], known: Mapping[str, Known]) -> None:
        """Decide every edit, in order, and fill the batch."""
        drafts = [self._present(draft) for draft in drafts]
        edits = [draft.edit for draft in drafts]
        self.reading.read(edits)
        works = [self._sound(edit) for edit in edits if self._is_open(edit)]
        works += [replace(self._sound(edit), author=author)
                  for edit, author in self.reading.to_replay(edits)
                  if self._is_open(edit)]  # fmt: skip
        self.context.gate.prepare(works)
        for draft in drafts:
            before = known.get(draft.edit.id)
            if before:
                self._repeat(draft.edit, before)
            else:
                self._decide(draft)
        closing = Closing(self)
        closing.keep_conflicts()
        closing.follow_records()
        closing.publish()

    def _present(self, draft: Draft) -> Draft:
        """Return a draft in the present schema of its kind; what was sent is remembered."""
        kind = self.context.kinds.get(draft.edit.kind)
        if kind is None or draft.edit.schema >= kind.schema or draft.code not in (None, UNKNOWN_OP):
            return draft
        try:
            edit = upgraded(kind, draft.edit)
        except Refusal as refusal:
            return replace(draft, code=refusal.code)
        self.sent[edit.id] = draft.edit
        return Draft(edit, None if edit.op in OPS else UNKNOWN_OP)

    def _is_open(self, edit: Edit) -> bool:
        """Tell whether an edit is of a known kind, about nothing that has been erased."""
        return self.reading.kind(edit) is not None and not Barring(self).concerns(edit)

    def _work(self, edit: Edit) -> Work:
        context = self.context
        work = self.reading.work(edit, received_ms=context.received_ms, device=context.device,
                                 anchors=self.anchors)  # fmt: skip
        sent = self.sent.get(edit.id)
        return replace(work, spoken=sent.schema) if sent else work

    def _sound(self, edit: Edit) -> Work:
        """Return the work of an edit without the values that its kind refuses anyway."""
        kind = self.reading.kind(edit)
        if kind is None:
            return self._work(edit)
        found = self.examined[edit.id] = kind.examine(edit.set, edit.op)
        as_it_is = found.passed == edit.set
        return self._work(edit if as_it_is else replace(edit, set=found.passed))

    # -- deciding -----------------------------------------------------------------------------

    def _repeat(self, edit: Edit, before: Known) -> None:
        """Answer an edit that came before through another device id of the same phone."""
        receipt = {**before.receipt, "n": edit.n, "status": "duplicate"}
        self.advance(edit, self.batch.device.last_ms)
        self.results[edit.id] = receipt

    def _decide(self, draft: Draft) -> None:
        edit = draft.edit
        barring = Barring(self)
        if barring.concerns(edit):
            barring.answer(edit)
            return
        try:
            if draft.code:
                raise Refusal(draft.code)
            kind = self.reading.kind(edit)
            if kind is None:
                raise Refusal("unknown_kind")
            edit = grounds.Grounds(self).bar(edit, kind)
            waited = self.reading.waits(edit, kind)
            if edit.id in self.barred and not edit.set and edit.op not in ("create", "repair"):
                self._note(edit, grounds.WITHDRAWN, grounds.errors(self.barred[edit.id], kind))
            elif waited:
                self._park(edit, parking.WAITS, (), state=parking.HELD, waits_for=waited)
            else:
                self._apply(edit, self._work(edit))
        except Refusal as refusal:
            errors = draft.errors or tuple(error.as_json() for error in refusal.errors)
            # A malformed decision may hold somebody's work: nobody knows what it was to be.
            noted = edit.op in DECISIONS and draft.code != MALFORMED
            refuse = self._note if noted else self._park
            refuse(edit, refusal.code, errors)

    def _apply(self, edit: Edit, work: Work) -> None:
        if edit.op == "resolve":
            Resolution(self).decide(edit, work)
        elif edit.op in RELEASES:
            Release(self).decide(edit, work)
        else:
            verdict, values = self._judged(work)
            author = merge.Author(self.stamp(work), self.context.device, verdict.office)
            merged = merge.apply(work.kind, work.record, edit, values, author)
            flags = (*verdict.flags, *self.doubts(work))
            flags += (grounds.WITHDRAWN,) if edit.id in self.barred else ()
            receipt = self.keep(edit, work.kind, merged, author, flags=flags)
            after = {} if edit.op == "delete" else merge.after(merged, edit.set)
            self.enter(edit, receipt, author.ms, merged.before, after)

    def _judged(self, work: Work) -> tuple[Verdict, Mapping[str, Any]]:
        edit = work.edit
        values = work.kind.accept(self.examined[edit.id], creating=edit.op == "create")
        verdict = self.context.gate.judge(work, values)
        if edit.op == "create" and work.record is not None:
            raise Refusal("id_taken")
        if edit.op != "create" and work.record is None:
            raise Refusal("unknown_record")
        if work.record is not None:
            work.kind.bound_together(work.record.values, values)
        return verdict, self.context.gate.derive(work, values)

    def stamp(self, work: Work, also: Record | None = None) -> int:
        """Return the stamp of an edit: after all that its author had seen, bounded by arrival."""
        seen_ms = max(_seen_ms(work), also.stamp_at(also.rv) if also else 0)
        return effective_stamp(work.act, received_ms=self.context.received_ms, base_ms=seen_ms,
                               device_ms=self.batch.device.last_ms)  # fmt: skip

    def doubts(self, work: Work) -> tuple[str, ...]:
        """Return the flag of an edit whose clock was wrong: it says so, and decides nothing."""
        act = work.act.after(max(_seen_ms(work), self.batch.device.last_ms))
        return (CLOCK_SUSPECT,) if act.suspect else ()

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
            moves, before = handover.Handover(self), self.reading.record(key)
            if before is None:
                moves.found(kind, merged.record, mark, named=edit.set)
            else:
                moves.place(kind, merged.record, mark)
            telling.Telling(self).tell(kind, edit, before, merged.record, mark)
            acts.carry_out(self, kind, before, merged.record, mark)
        self.clashes += [(clash, key, edit, mark) for clash in merged.clashes]
        if merged.clashes and merge.overtaken(merged, edit):
            flags = (*flags, merge.OVERTAKEN)
        late = merge.why_late(merged)
        return Receipt(
            edit.n,
            edit.id,
            merge.status(merged),
            edit.rec,
            merged.record.rv,
            merge.OVERTAKEN if late else None,
            (*late, *grounds.errors(self.barred.get(edit.id, ()), kind)),
            flags=flags,
            lost=merged.lost,
            conflicts=tuple(clash.conflict_id(edit.rec, edit.base) for clash in merged.clashes),
        )

    # -- refusing -----------------------------------------------------------------------------

    def _note(self, edit: Edit, code: str, errors: tuple[Mapping[str, Any], ...]) -> None:
        """Write down a decision that came to nothing: it holds no work that could be lost."""
        receipt = Receipt(edit.n, edit.id, "noted", edit.rec, code=code, errors=errors)
        self.enter(edit, receipt, self.plain_stamp(edit), {})

    def _park(
        self,
        edit: Edit,
        code: str,
        errors: tuple[Mapping[str, Any], ...],
        *,
        state: str = parking.PARKED,
        waits_for: str | None = None,
    ) -> None:
        act, ms = self._plain_act(edit), self.plain_stamp(edit)
        barred, kind = self.barred.get(edit.id, ()), self.context.kinds.get(edit.kind)
        flags: tuple[str, ...] = (CLOCK_SUSPECT,) if act.suspect else ()
        flags += (grounds.WITHDRAWN,) if barred else ()
        receipt = Receipt(edit.n, edit.id, state, edit.rec, code=code,
                          errors=(*errors, *grounds.errors(barred, kind)), flags=flags)  # fmt: skip
        self.keep_parked(
            Parked(self.sent.get(edit.id, edit), self.context.device, self.context.user, code,
                   errors, state, ms, self.context.received_ms, waits_for or edit.rec,
                   self.scope_of(edit))
        )  # fmt: skip
        self.enter(edit, receipt, ms, {})

    def plain_stamp(self, edit: Edit) -> int:
        """Return the stamp of an edit that may not even have a kind."""
        return effective_stamp(self._plain_act(edit), received_ms=self.context.received_ms,
                               base_ms=0, device_ms=self.batch.device.last_ms)  # fmt: skip

    def _plain_act(self, edit: Edit) -> ActTime:
        act = act_time(edit.at, received_ms=self.context.received_ms, device=self.context.device,
                       anchors=self.anchors)  # fmt: skip
        return act.after(self.batch.device.last_ms)

    def scope_of(self, edit: Edit) -> str | None:
        """Return the scope whose people should see a parked edit."""
        kind = self.context.kinds.get(edit.kind)
        if kind is None:
            return self.context.home
        record = self.reading.record((kind.name, edit.rec))
        values = record.values if record else kind.with_copies(
            kind.examine(edit.set, edit.op).passed,
            {**self.reading.found, **self.batch.records},
        )  # fmt: skip
        scope = next(iter(kind.scopes(values)), self.context.home)
        return self.context.present(scope) if scope else None

    def keep_parked(self, parked: Parked) -> None:
        """Keep a parked edit, new or in its new state."""
        name = parked.edit.id
        before = self.parked_before.setdefault(name, self.reading.parked.get(name))
        parked = replace(parked, rv=before.rv + 1 if before else 1)
        self.batch.parked[name] = self.reading.parked[name] = parked

    # -- writing down -------------------------------------------------------------------------

    def enter(
        self,
        edit: Edit,
        receipt: Receipt,
        ms: int,
        before: Mapping[str, Any],
        after: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Enter an edit in the ledger and advance the device."""
        kind = self.context.kinds.get(edit.kind)
        was = kind.past(edit) if kind else {}
        self.batch.ledger.append(
            LedgerEntry(edit, self.context.device, self.context.user, receipt,
                        self._digest(edit), ms, self.context.received_ms, before, after, was)
        )  # fmt: skip
        self.results[edit.id] = receipt.as_json()
        self.advance(edit, ms)

    def _digest(self, edit: Edit) -> str:
        """Return the fingerprint of an edit; none that could betray what may not be kept."""
        return STRIPPED if edit.id in self.barred else self.sent.get(edit.id, edit).digest()

    def advance(self, edit: Edit, ms: int) -> None:
        """Advance the device past an edit."""
        was = self.batch.device
        last_ms = max(ms, was.last_ms)
        self.batch.device = Device(was.id, was.user, edit.n, edit.id, last_ms, was.enrolment)


def _seen_ms(work: Work) -> int:
    """Return the latest stamp of the record as the author of an edit had seen it."""
    return work.record.stamp_at(work.edit.base) if work.record else 0
