"""Live the ledger again on an empty store: the same edits in the same order end the same.

It proves that the state of a store follows from its ledger alone. It needs the content of all
edits, so it is for ledgers from before compaction; and the order of arrival, so two requests that
touched one record must not have arrived in the same millisecond.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sync.edits import Draft, Parked, Past
from sync.push import Push, Run
from sync.store import Store

BROKEN = ("malformed_edit", "database_refused")


def requests(
    ledger: Iterable[Past], parked: Mapping[str, Parked]
) -> Iterator[tuple[Past, Sequence[Draft]]]:
    """Yield the edits as they came in: request by request, those repaired later as they were."""
    ordered = sorted(ledger, key=lambda one: one.order)
    for _, together in itertools.groupby(ordered, key=lambda one: (one.received_ms, one.device)):
        rows = list(together)
        yield rows[0], [_draft(one, parked.get(one.edit.id)) for one in rows]


def _draft(one: Past, parked: Parked | None) -> Draft:
    if parked is None:
        return Draft(one.edit)
    broken = one.code in BROKEN
    return Draft(parked.edit, one.code if broken else None, parked.errors if broken else ())


def replay(
    store: Store,
    ledger: Iterable[Past],
    parked: Mapping[str, Parked],
    context: Callable[[Past], Push],
) -> int:
    """Take all requests of a ledger again; return how many there were.

    Args:
        store: empty but for the devices.
        context: returns what a push needs to know, as it was then.
    """
    count = 0
    for first, drafts in requests(ledger, parked):
        told = context(first)
        device = store.device(told.device)
        assert device is not None, "the devices come with the ledger"
        run = Run(store, told, device)
        run.take(drafts, {})
        store.write(run.batch)
        count += 1
    return count
