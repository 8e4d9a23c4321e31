"""Write many new records at once, each as the edits of its past would have left it.

What single edits leave behind is all there: record, receipts, history, feed, counters, digests.
Only the question of rights is not asked: nobody is at the door.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.identifiers import uuid7
from sync import merge
from sync.edits import Device, Edit, LedgerEntry, Receipt, Record
from sync.kinds import Kind, Kinds
from sync.publish import publish
from sync.store import Batch


@dataclass(frozen=True, slots=True)
class Act:
    """One edit of the past.

    Attributes:
        user: who made it.
        ms: when, in ms since 1970.
        values: what it set.
        derived: what the server added.
    """

    user: int
    ms: int
    values: Mapping[str, Any]
    derived: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """The past of one record: its creation, and what was changed later."""

    kind: str
    record: str
    acts: Sequence[Act]


def identity_of(key: str, ms: int) -> str:
    """Return the id of a record or edit: the same for the same key and moment."""
    return uuid7(ms, hashlib.sha256(key.encode()).digest()[:10])


def batch_of(kinds: Kinds, device: Device, stories: Iterable[Story], received_ms: int) -> Batch:
    """Return what a store has to write for new records to stand, written through a device.

    The values come from inside the house and are not checked again.
    """
    batch = Batch(device=device, device_before=device)
    for story in stories:
        kind = kinds.by_name[story.kind]
        record = _told(batch, kind, story, received_ms)
        batch.records[kind.name, record.id] = record
        batch.seen_rv[kind.name, record.id] = 0
        publish(batch, kind, None, record)
    batch.device = _moved_on(device, batch)
    return batch


def _told(batch: Batch, kind: Kind, story: Story, received_ms: int) -> Record:
    """Fold the acts of a story into its record, and enter each in the ledger."""
    first, *later = story.acts
    merged = _created(batch, kind, story, first, received_ms)
    for act in later:
        merged = _changed(batch, kind, story, act, merged.record, received_ms)
    return merged.record


def _created(batch: Batch, kind: Kind, story: Story, act: Act, received_ms: int) -> merge.Merged:
    edit = _edit(batch, kind, story, act, "create", base=0)
    author = merge.Author(act.ms, batch.device.id, office=True)
    merged = merge.create(kind, edit, {**act.values, **act.derived}, author)
    _enter(batch, edit, act, merged, received_ms)
    return merged


def _changed(
    batch: Batch, kind: Kind, story: Story, act: Act, record: Record, received_ms: int
) -> merge.Merged:
    op = "event" if "state" in act.values else "update"
    edit = _edit(batch, kind, story, act, op, base=record.rv)
    author = merge.Author(act.ms, batch.device.id, office=True)
    merged = merge.update(kind, record, edit, {**act.values, **act.derived}, author)
    assert merged.changed and not merged.clashes, "the acts of a story follow one another"
    _enter(batch, edit, act, merged, received_ms)
    return merged


def _edit(batch: Batch, kind: Kind, story: Story, act: Act, op: str, *, base: int) -> Edit:
    """Return an act as the edit it was."""
    return Edit(
        n=batch.device_before.last_n + len(batch.ledger) + 1,
        id=identity_of(f"edit:{story.record}:{base}", act.ms),
        op=op,
        kind=story.kind,
        rec=story.record,
        base=base,
        set=act.values,
        schema=kind.schema,
        at={"claimed": act.ms},
    )


def _enter(batch: Batch, edit: Edit, act: Act, merged: merge.Merged, received_ms: int) -> None:
    """Enter an edit in the ledger, with its receipt."""
    receipt = Receipt(edit.n, edit.id, "applied", edit.rec, merged.record.rv)
    batch.ledger.append(
        LedgerEntry(
            edit=edit,
            device=batch.device.id,
            user=act.user,
            receipt=receipt,
            digest=edit.digest(),
            ms=act.ms,
            received_ms=received_ms,
            before=merged.before,
        )
    )


def _moved_on(device: Device, batch: Batch) -> Device:
    """Return the device with its numbers after the edits of a batch."""
    if not batch.ledger:
        return device
    last = batch.ledger[-1].edit
    last_ms = max(device.last_ms, *(entry.ms for entry in batch.ledger))
    return replace(device, last_n=last.n, last_id=last.id, last_ms=last_ms)
