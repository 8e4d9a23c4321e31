"""Parking: an edit that cannot be applied waits for a human, whole, and blocks nobody else.

A parked edit is seen like any record: by the people in charge where it belongs, and by its
author. Its values here are what phones pull; whoever may not see fields gets them masked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sync.edits import Edit, Parked, Record
from sync.kinds import Kind

PARKED, HELD, REPAIRED, DISCARDED = "parked", "held", "repaired", "discarded"
OPEN_STATES = (PARKED, HELD)
WAITS = "waits_for_parked"
GONE = "waits_for_discarded"
EXPIRED = "parking_expired"
DAY_MS = 86_400_000
KEPT_MS = 180 * DAY_MS
WARNED_MS = 14 * DAY_MS
RANK = 26


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
    """Return a parked edit as the feed sees it; None for one that was never published."""
    if parked is None or parked.rv == 0:
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
