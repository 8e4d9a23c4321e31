"""The checks of the simulation for a world so large that nothing may be looked for everywhere."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sync.edits import LedgerEntry, Record
from sync.encoding import dump
from sync.store import Batch
from tests.prove.wide import WideSim
from tests.simulation.checks import FOLLOWED, Checks, Key
from tests.simulation.handset import Handset, Made

if TYPE_CHECKING:
    from tests.prove.country import Country

OWN_EDITS_EVERY = 5
ANEW_EVERY = 10
OWN = (
    "SELECT kind, rec, id || body || filed || ifnull(taken_ms, '') || ifnull(receipt, '') "
    "FROM replica_log WHERE contained = 0 ORDER BY kind, rec, seq"
)
"""Of each record in the order of the log, as the index of what is one's own has them."""
ROWS_OF_OWN = (
    "SELECT kind, rec, rv, body FROM replica_row "
    "WHERE (kind, rec) IN (SELECT kind, rec FROM replica_log WHERE contained = 0)"
)
HELD = "SELECT kind, rec, rv, body FROM replica_row"


class WideChecks(Checks):
    """The same checks, which find what they compare by an index."""

    world: "Country"
    turn = 0

    def __init__(self, world: "Country") -> None:
        super().__init__(world)
        self.followers: dict[str, dict[Key, None]] = {}
        """For each record, those that follow it, or did once."""
        self.looked: dict[int, dict[Key, int]] = {}
        """For each phone, what its own edits were shown from when last looked at."""
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

    def own_edits_shown(self, handset: Handset) -> None:
        """A phone shows its own edits: looked at on every fifth occasion."""
        self.turn += 1
        if self.turn % OWN_EDITS_EVERY == 0:
            super().own_edits_shown(handset)

    def _latest(self, handset: Handset, created: set[Key]) -> dict[Key, Made]:
        """Leave out what was looked at before, if it is shown from the very same: row and log.

        That nothing else decides it is not taken on trust: now and then all is looked at.
        """
        latest = super()._latest(handset, created)
        lies = shown_from(handset, latest, created)
        before = self.looked.get(id(handset), {})
        self.looked[id(handset)] = lies
        if self.turn % (OWN_EDITS_EVERY * ANEW_EVERY) == 0:
            return latest
        return {key: made for key, made in latest.items() if before.get(key) != lies[key]}

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
        """Check what must hold when nothing moves any more, for all phones."""
        self.server_at_rest()
        self.phones_at_rest(self.world.handsets)

    def server_at_rest(self) -> None:
        """Check what must hold of the server alone."""
        records, lines = self.world.stand.records(), self.world.stand.ledger()
        self.demand("shadow_equals_store", records == self.shadow)
        self.demand("one_effect", self.effects == {line.edit for line in lines})
        self._ledger_whole(records, lines)
        self._digests_agree(records)
        self._latest_stands(records, lines)

    def phones_at_rest(self, handsets: Sequence[Handset]) -> None:
        """Compare phones with the server."""
        for handset in handsets:
            self.phone_equals_server(handset)
            self._nothing_lost(handset, self.effects)

    def _differing(self, handset: Handset, wanted: Mapping[Key, Record]) -> set[Key]:
        """Look into the values only of what is not the same to the letter."""
        held = {(kind, rec): row for kind, rec, *row in handset.phone.memory.ask(HELD)}
        same = held.keys() == wanted.keys() and all(
            held[key] == [one.rv, self._text(key, one)] for key, one in wanted.items()
        )
        return set() if same else super()._differing(handset, wanted)

    def _text(self, key: Key, record: Record) -> str:
        """Return the values of a record as text, written once for all phones that hold it."""
        known = self.texts.get(key)
        if known is None or known[0] is not record:
            known = self.texts[key] = (record, dump(record.values))
        return known[1]

    def phone_equals_server(self, handset: Handset) -> None:
        """A phone holds what the server holds in its scopes, and nothing else."""
        granted = self.world.grants.scopes(handset.user, self.world.now_ms)
        keys = {key for scope in granted for key in self.world.by_scope.get(scope, ())}
        few = {key: self.world.parked.get(key) or self.shadow[key] for key in keys}
        self._converged(handset, few)
        left = handset.phone.outbox()
        self.demand("bad_edit_blocks_nobody", not left, left)


def shown_from(
    handset: Handset, latest: Mapping[Key, Made], created: Collection[Key]
) -> dict[Key, int]:
    """Return a fingerprint of all that decides how a phone shows the records of its own edits."""
    ask = handset.phone.memory.ask
    rows = {(kind, rec): (rv, body) for kind, rec, rv, body in ask(ROWS_OF_OWN)}
    logged: dict[Key, list[str]] = {}
    for kind, rec, entry in ask(OWN):
        logged.setdefault((kind, rec), []).append(entry)
    return {
        key: hash((made.id, key in created, rows.get(key), *logged.get(key, ())))
        for key, made in latest.items()
    }
