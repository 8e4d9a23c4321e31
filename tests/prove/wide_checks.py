"""The checks of the simulation for a world so large that nothing may be looked for everywhere."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from sync.edits import LedgerEntry, Record
from sync.encoding import dump
from sync.store import Batch
from tests.prove.wide import WideSim
from tests.simulation.checks import FOLLOWED, Checks, Key
from tests.simulation.handset import Made
from tests.simulation.phone_checks import Wanted

if TYPE_CHECKING:
    from tests.prove.country import Country


class WideChecks(Checks):
    """The same checks of the server, which find what they compare by an index.

    What is checked of phones is told to them (``tests.prove.phones``).
    """

    world: "Country"

    def __init__(self, world: "Country") -> None:
        super().__init__(world)
        self.followers: dict[str, dict[Key, None]] = {}
        """For each record, those that follow it, or did once."""
        self.texts: dict[Key, tuple[Record, str]] = {}
        """The values of records as text, when a phone was last compared with them."""

    def committed(self, batch: Batch, *, user: int) -> None:
        """Check what one push has written."""
        for key, record in batch.records.items():
            for name in FOLLOWED:
                if record.values.get(name):
                    self.followers.setdefault(record.values[name], {})[key] = None
        super().committed(batch, user=user)

    def _naming(self, _kind: str, name: str) -> Iterable[Record]:
        found = self.followers.get(name)
        if not found:
            return ()
        with self.world.stand.open() as store:
            return list(store.records(found).values())

    def restored(self) -> None:
        """Take up the state of a restored server."""
        stand = self.world.stand
        if isinstance(stand, WideSim):
            self.effects = set(stand.store.ledger)
        else:
            self.effects = {line.edit for line in stand.ledger()}
        self.replaced()

    def _made(self, entry: LedgerEntry) -> Made | None:
        return self.world.made.get(entry.edit.id)

    def at_rest(self) -> None:
        """Check what must hold of the server when nothing moves any more."""
        records, lines = self.world.stand.records(), self.world.stand.ledger()
        self.demand("shadow_equals_store", records == self.shadow)
        self.demand("one_effect", self.effects == {line.edit for line in lines})
        self._ledger_whole(records, lines)
        self._digests_agree(records)
        self._latest_stands(records, lines)

    def wanted(self, scopes: Collection[str]) -> dict[str, Wanted]:
        """Return what phones ought to hold of each scope."""
        states = self.world.stand.states()
        return {scope: self._wanted([scope], self._lying(scope), states) for scope in scopes}

    def _lying(self, scope: str) -> dict[Key, Record]:
        keys = self.world.by_scope.get(scope, ())
        return {key: self.world.parked.get(key) or self.shadow[key] for key in keys}

    def _text(self, key: Key, record: Record) -> str:
        """Return the values of a record as text, written once for all phones that hold it."""
        known = self.texts.get(key)
        if known is None or known[0] is not record:
            known = self.texts[key] = (record, dump(record.values))
        return known[1]
