"""Turn away edits about what has been erased by law, and keep nothing of them but a receipt."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync import erasure
from sync.edits import BASE_UNIT, Edit, LedgerEntry, Mark, Parked, Receipt, Record
from sync.reading import RELEASES
from sync.store import ERASED
from sync.upkeep import STRIPPED

if TYPE_CHECKING:
    from sync.push import Run


@dataclass(frozen=True, slots=True)
class Barring:
    """What a batch does with edits about something erased."""

    run: "Run"

    def concerns(self, edit: Edit) -> bool:
        """Tell whether an edit is about something that has been erased by law."""
        reading = self.run.reading
        kind = reading.kind(edit)
        if kind is None:
            return False
        parked = reading.parked.get(edit.rec) if edit.op in RELEASES else None
        records = [reading.record(key) for key in erasure.keys_of(edit, kind)]
        return erasure.is_erased(records, parked)

    def answer(self, edit: Edit) -> None:
        """Answer ``erased`` and keep nothing but the receipt.

        What could only exist beside something erased is barred too, so that nothing follows it.
        """
        run = self.run
        ms, key = run.plain_stamp(edit), (edit.kind, edit.rec)
        if edit.op == "create" and run.reading.record(key) is None:
            mark = Mark(1, ms, run.context.device, edit.id)
            run.batch.records[key] = Record(*key, 1, {}, {BASE_UNIT: mark}, ERASED)
            self._empty_parked(edit.rec)
        receipt = _receipt(edit, edit.rec)
        run.batch.ledger.append(
            LedgerEntry(erasure.bare_edit(edit), run.context.device, run.context.user, receipt,
                        STRIPPED, ms, run.context.received_ms)
        )  # fmt: skip
        run.results[edit.id] = receipt.as_json()
        run.advance(edit, ms)

    def _empty_parked(self, record: str) -> None:
        """Empty what came before its creation and was parked for want of the record."""
        for one in list(self.run.reading.parked.values()):
            if one.edit.rec == record and one.code != ERASED:
                self._empty(one)

    def _empty(self, parked: Parked) -> None:
        bare = erasure.bare_parked(parked)
        self.run.keep_parked(bare)
        receipt = _receipt(bare.edit, bare.edit.rec)
        self.run.batch.amended.append(
            LedgerEntry(bare.edit, bare.device, bare.user, receipt, STRIPPED, bare.ms,
                        bare.parked_ms)
        )  # fmt: skip


def _receipt(edit: Edit, record: str) -> Receipt:
    return Receipt(edit.n, edit.id, "noted", record, code=ERASED)
