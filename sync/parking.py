"""Parking: an edit that cannot be applied waits for a human, whole, and blocks nobody else."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sync.edits import Edit, Parked
from sync.errors import Refusal
from sync.kinds import Kind

PARKED, HELD, REPAIRED, DISCARDED = "parked", "held", "repaired", "discarded"
OPEN_STATES = (PARKED, HELD)
PARKING = Kind(name="parked", fields=())


def waits(edit: Edit, kind: Kind, missing: Mapping[str, str]) -> str | None:
    """Return the record that an edit waits for, if there is one.

    Args:
        missing: for each record that is not there because its creation is parked or held, the
            record at the root: whose repair sets everything going.
    """
    wanted = [edit.rec] if edit.op != "create" else []
    wanted += [str(edit.set.get(name)) for name in kind.references]
    return next((missing[record] for record in wanted if record in missing), None)


def followers(record: str, parked: Iterable[Parked]) -> list[Parked]:
    """Return the held edits that wait for a record, in the order in which they were made."""
    held = [one for one in parked if one.state == HELD and one.waits_for == record]
    return sorted(held, key=lambda one: (one.ms, one.device, one.edit.n))


def repaired(parked: Parked | None, changes: Mapping[str, Any]) -> Edit:
    """Return a parked edit with the corrections of its repair.

    Raises:
        Refusal: there is no such parked edit any more.
    """
    if parked is None or parked.state not in OPEN_STATES:
        raise Refusal("not_parked")
    return replace(parked.edit, set={**parked.edit.set, **changes})
