"""Release parked edits: repair one and replay what waited for it, or lay it aside."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sync import merge, parking
from sync.edits import Edit, LedgerEntry, Parked, Receipt
from sync.errors import Refusal
from sync.gate import Work

if TYPE_CHECKING:
    from sync.push import Run

REPLAYED_OPS = ("create", "update", "delete", "event", "add", "remove")
GONE = "waits_for_discarded"


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
        inner = parking.repaired(parked, edit.set)
        assert parked is not None, "repaired() has refused what is not parked"
        self.run.context.gate.judge(work, {})
        if edit.op == "discard":
            self._discard(parked)
        else:
            self._replay(parked, inner)
            self._replay_followers(inner.rec)
        receipt = Receipt(edit.n, edit.id, "applied", edit.rec)
        self.run.enter(edit, receipt, self.run.stamp(work), {})

    def _discard(self, parked: Parked) -> None:
        """Lay an edit aside; what waited for it goes to a human in its turn."""
        self._keep(parked, parking.DISCARDED)
        if parked.edit.op == "create":
            for held in self._followers(parked.edit.rec):
                self._keep(replace(held, code=GONE), parking.PARKED)

    def _replay_followers(self, record: str) -> None:
        """Replay what waited for a record, in the order in which it was made."""
        for held in self._followers(record):
            try:
                self._replay_held(held)
            except Refusal as refusal:
                errors = tuple(error.as_json() for error in refusal.errors)
                failed = replace(held, code=refusal.code, errors=errors, waits_for=held.edit.rec)
                self._keep(failed, parking.PARKED)

    def _replay_held(self, held: Parked) -> None:
        kind = self.run.reading.kind(held.edit)
        still = self.run.reading.waits(held.edit, kind) if kind else None
        if still:
            self._keep(replace(held, waits_for=still), parking.HELD)
        else:
            self._replay(held, held.edit)

    def _replay(self, parked: Parked, edit: Edit) -> None:
        """Apply a parked edit as its author's, with the stamp of its time.

        Raises:
            Refusal: it cannot be applied even now.
        """
        run = self.run
        kind = run.reading.kind(edit)
        if kind is None:
            raise Refusal("unknown_kind")
        if edit.op not in REPLAYED_OPS:
            raise Refusal("malformed_edit")
        work = run.reading.work(edit, received_ms=parked.parked_ms, device=parked.device,
                                anchors=run.context.anchors)  # fmt: skip
        values = kind.check(edit.set, creating=edit.op == "create", op=edit.op)
        if (work.record is None) != (edit.op == "create"):
            raise Refusal("id_taken" if work.record else "unknown_record")
        derived = run.context.gate.derive(replace(work, author=parked.user), values)
        author = merge.Author(parked.ms, parked.device, office=False)
        merged = merge.apply(kind, work.record, edit, derived, author)
        receipt = run.keep(edit, kind, merged, author, flags=("repaired",))
        run.batch.amended.append(
            LedgerEntry(edit, parked.device, parked.user, receipt, parked.edit.digest(),
                        parked.ms, parked.parked_ms, merged.before,
                        merge.after(merged, edit.set), kind.past(edit))
        )  # fmt: skip
        self._keep(parked, parking.REPAIRED)

    def _followers(self, record: str) -> list[Parked]:
        return parking.followers(record, list(self.run.reading.parked.values()))

    def _keep(self, parked: Parked, state: str) -> None:
        self.run.keep_parked(replace(parked, state=state))
