"""Parking: an edit that cannot be applied waits for a human, whole, and blocks nobody else.

A parked edit is seen like any record: by the people in charge where it belongs, and by its
author. Its values here are what phones pull; whoever may not see fields gets them masked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sync.edits import Edit, Parked, Receipt, Record
from sync.kinds import Kind
from sync.publish import publish
from sync.store import ERASED, Batch, Store
from sync.upkeep import NOBODY

PARKED, HELD, REPAIRED, DISCARDED = "parked", "held", "repaired", "discarded"
OPEN_STATES = (PARKED, HELD)
WAITS = "waits_for_parked"
GONE = "waits_for_discarded"
EXPIRED = "parking_expired"
DAY_MS = 86_400_000
KEPT_MS = 180 * DAY_MS
WARNED_MS = 14 * DAY_MS
RANK = 26
EXPIRED_AT_ONCE = 500


def _scopes(values: Mapping[str, Any]) -> tuple[str, ...]:
    owner = (values["scope"],) if values.get("scope") else ()
    return (*owner, f"me:{values['user']}")


PARKING = Kind(name="parked", fields=(), scopes=_scopes, rank=lambda _values: RANK, sealed=True)


def values_of(parked: Parked) -> dict[str, Any]:
    """Return a parked edit as the values of a record: what, why, whose, and until when."""
    return {
        "kind": parked.edit.kind, "record": parked.edit.rec, "state": parked.state,
        "code": parked.code, "errors": [dict(error) for error in parked.errors],
        "user": parked.user, "device": parked.device, "scope": parked.scope,
        "waits_for": parked.waits_for, "ms": parked.ms, "parked_ms": parked.parked_ms,
        "expires_ms": parked.parked_ms + KEPT_MS, "edit": parked.edit.as_json(),
    }  # fmt: skip


def as_record(parked: Parked | None) -> Record | None:
    """Return a parked edit as the feed sees it; None for one never published, or erased."""
    if parked is None or parked.rv == 0 or parked.code == ERASED:
        return None
    return Record(PARKING.name, parked.edit.id, parked.rv, values_of(parked), {})


def waits(edit: Edit, kind: Kind, missing: Mapping[str, str]) -> str | None:
    """Return the record that an edit waits for, if there is one.

    Args:
        missing: for each record that is not there because its creation is parked or held, the
            record at the root: whose repair sets everything going.
    """
    wanted = [edit.rec] if edit.op != "create" else []
    wanted += [str(edit.set.get(name)) for name in kind.references]
    return next((missing[record] for record in wanted if record in missing), None)


def followers(records: Iterable[str], parked: Iterable[Parked]) -> list[Parked]:
    """Return the held edits that wait for some records, in the order in which they were made."""
    roots = set(records)
    held = [one for one in parked if one.state == HELD and one.waits_for in roots]
    return sorted(held, key=lambda one: (one.ms, one.device, one.edit.n))


def handed_over(held: Parked, still: str | None) -> Parked:
    """Return what becomes of a held edit whose root will never come: a human takes it.

    Args:
        still: the record, itself parked, that the edit waits for all the same.
    """
    if still:
        return replace(held, waits_for=still)
    return replace(held, state=PARKED, code=GONE, errors=(), waits_for=held.edit.rec)


def entered(batch: Batch, before: Parked | None, after: Parked) -> None:
    """Enter the step of a parked edit in the feed of those who see it."""
    was = as_record(before)
    gone = replace(was, rv=after.rv, deleted=ERASED) if was else None
    shown = as_record(after) or gone
    if shown:
        publish(batch, PARKING, was, shown)


def expire(store: Store, before_ms: int, limit: int = EXPIRED_AT_ONCE) -> int:
    """Delete what was parked before a moment, with a note in the ledger; return how many.

    What had been held for a creation that goes is handed to a human, unless it goes too. The
    caller opens a writing transaction, and comes again while as many as the limit have gone.
    """
    overdue = store.parked_before(before_ms, limit)
    gone = {one.edit.id for one in overdue}
    roots = {one.edit.rec for one in overdue if one.edit.op == "create"}
    batch = Batch(NOBODY, NOBODY)
    waiting = store.parked_for(roots, ()) if roots else {}
    for held in followers(roots, waiting.values()):
        if held.edit.id not in gone:
            after = replace(handed_over(held, None), rv=held.rv + 1)
            batch.parked[held.edit.id] = after
            entered(batch, held, after)
    for one in overdue:
        if shown := as_record(one):
            publish(batch, PARKING, shown, replace(shown, rv=shown.rv + 1, deleted="office"))
    notes = [
        Receipt(one.edit.n, one.edit.id, "noted", one.edit.rec, code=EXPIRED)
        for one in overdue if one.state in OPEN_STATES
    ]  # fmt: skip
    store.clear_parked(batch, gone, notes)
    return len(gone)
