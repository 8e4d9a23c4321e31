"""Release parked edits: repair one and replay what waited for it, or lay it aside.

Whoever repairs another's edit vouches for it. Whoever repairs his own gains no right by that: it
is judged as if he had sent it so at first. What had been held, nobody has judged or looked at
yet: it is judged as its author's, at the time of his act, and else goes to a human. What no
consent covers any more, nobody can let through: it is not kept.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sync import grounds, merge, parking
from sync.edits import OPS, Edit, LedgerEntry, Parked, Receipt
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.kinds import Kind, Kinds
from sync.upgrade import corrected, upgraded
from sync.upkeep import STRIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sync.push import Run

DECISIONS = ("resolve", "repair", "discard")
REPLAYED_OPS = tuple(op for op in OPS if op not in DECISIONS)


@dataclass(frozen=True, slots=True)
class Release:
    """The release of one parked edit within a batch."""

    run: "Run"

    def decide(self, edit: Edit, work: Work) -> None:
        """Repair or discard the parked edit that an edit names.

        Raises:
            Refusal: it is not parked any more, or even the repaired edit cannot be applied.
        """
        parked = self.run.reading.parked.get(edit.rec)
        if parked is None or parked.state not in parking.OPEN_STATES:
            raise Refusal("not_parked")
        self.run.context.gate.judge(work, {})
        if edit.op == "discard":
            self._keep(parked, parking.DISCARDED)
            self._hand_over(parked)
        else:
            self._repair(parked, edit)
            self._replay_followers(parked)
        barred = self._barred(parked)
        in_vain = self.run.batch.parked[parked.edit.id].code == grounds.WITHDRAWN
        receipt = Receipt(
            edit.n, edit.id, "noted" if in_vain else "applied", edit.rec,
            code=grounds.WITHDRAWN if in_vain else None, errors=grounds.errors(barred, None),
            flags=(grounds.WITHDRAWN,) if barred else (),
        )  # fmt: skip
        self.run.enter(edit, receipt, self.run.stamp(work), {})

    def _repair(self, parked: Parked, repair: Edit) -> None:
        kind = self.run.reading.kind(parked.edit)
        if kind is None:
            raise Refusal("unknown_kind")
        edit = self._lawful(parked, corrected(kind, parked.edit, repair), kind)
        if edit is None:
            return
        work, values = self._checked(parked, edit)
        own = parked.user == self.run.context.user
        verdict = self.run.context.gate.judge(work, values) if own else Verdict()
        self._apply(parked, work, values, verdict)

    def _hand_over(self, root: Parked) -> None:
        """Give what waited for an edit that will never come to a human."""
        if root.edit.op != "create":
            return
        for held in self._followers(root):
            self.run.keep_parked(parking.handed_over(held, self._waits(held)))

    def _replay_followers(self, root: Parked) -> None:
        """Replay what waited for a record, in the order in which it was made."""
        for held in self._followers(root):
            try:
                self._replay_held(held)
            except Refusal as refusal:
                errors = tuple(error.as_json() for error in refusal.errors)
                failed = replace(held, code=refusal.code, errors=errors, waits_for=held.edit.rec)
                self._keep(failed, parking.PARKED)

    def _replay_held(self, held: Parked) -> None:
        still = self._waits(held)
        if still == held.waits_for:
            return
        if still:
            self._keep(replace(held, waits_for=still), parking.HELD)
            return
        kind = self.run.reading.kind(held.edit)
        assert kind is not None, "only edits of known kinds are held"
        edit = self._lawful(held, upgraded(kind, held.edit), kind)
        if edit is None:
            return
        work, values = self._checked(held, edit)
        self._apply(held, work, values, self.run.context.gate.judge(work, values))

    def _lawful(self, parked: Parked, edit: Edit, kind: Kind) -> Edit | None:
        """Return what of a parked edit may still be kept; if that is nothing, lay it aside."""
        lawful = grounds.Grounds(self.run).bar(edit, kind)
        if lawful is edit or lawful.set or edit.op == "create":
            return lawful
        errors = grounds.errors(self._barred(parked), kind)
        receipt = Receipt(edit.n, edit.id, "noted", edit.rec, code=grounds.WITHDRAWN, errors=errors)
        self.run.batch.amended.append(
            LedgerEntry(lawful, parked.device, parked.user, receipt, STRIPPED, parked.ms,
                        parked.parked_ms)
        )  # fmt: skip
        self._keep(replace(parked, code=grounds.WITHDRAWN, errors=errors), parking.DISCARDED)
        return None

    def _barred(self, parked: Parked) -> tuple[str, ...]:
        """Return the fields of a parked edit that may not be kept any more."""
        return self.run.barred.get(parked.edit.id, ())

    def _waits(self, held: Parked) -> str | None:
        """Return what a held edit waits for now."""
        edit = self.run.reading.present(held.edit)
        kind = self.run.reading.kind(edit)
        return self.run.reading.waits(edit, kind) if kind else None

    def _checked(self, parked: Parked, edit: Edit) -> "tuple[Work, Mapping[str, Any]]":
        """Return a parked edit as its author's work, and its values normalised.

        Raises:
            Refusal: it is still wrong, or there is nothing that it could be applied to.
        """
        run = self.run
        if edit.op not in REPLAYED_OPS:
            raise Refusal("malformed_edit" if edit.op in DECISIONS else "unknown_op")
        work = run.reading.work(edit, received_ms=parked.parked_ms, device=parked.device,
                                anchors=run.anchors)  # fmt: skip
        creating = edit.op == "create"
        values = work.kind.check(edit.set, creating=creating, op=edit.op)
        if (work.record is None) != (edit.op == "create"):
            raise Refusal("id_taken" if work.record else "unknown_record")
        if work.record is not None:
            work.kind.bound_together(work.record.values, values)
        return replace(work, author=parked.user, spoken=parked.edit.schema), values

    def _apply(
        self, parked: Parked, work: Work, values: "Mapping[str, Any]", verdict: Verdict
    ) -> None:
        """Apply a parked edit as its author's, with the stamp of its time."""
        run, edit = self.run, work.edit
        derived = run.context.gate.derive(work, values)
        author = merge.Author(parked.ms, parked.device, verdict.office)
        merged = merge.apply(work.kind, work.record, edit, derived, author)
        flags = ("repaired", *verdict.flags)
        flags += (grounds.WITHDRAWN,) if self._barred(parked) else ()
        receipt = run.keep(edit, work.kind, merged, author, flags=flags)
        run.batch.amended.append(
            LedgerEntry(edit, parked.device, parked.user, receipt,
                        STRIPPED if self._barred(parked) else None,
                        parked.ms, parked.parked_ms, merged.before,
                        merge.after(merged, edit.set), work.kind.past(edit))
        )  # fmt: skip
        self._keep(parked, parking.REPAIRED)

    def _followers(self, root: Parked) -> list[Parked]:
        roots = (root.edit.rec, root.waits_for)
        return parking.followers(roots, list(self.run.reading.parked.values()))

    def _keep(self, parked: Parked, state: str) -> None:
        edit = grounds.without(parked.edit, self._barred(parked))
        self.run.keep_parked(replace(parked, edit=edit, state=state))


def replayable(kinds: Kinds, edit: Edit) -> bool:
    """Tell whether an edit that an earlier release could not understand may be tried again."""
    kind = kinds.get(edit.kind)
    try:
        return kind is not None and upgraded(kind, edit).op in REPLAYED_OPS
    except Refusal:
        return False
