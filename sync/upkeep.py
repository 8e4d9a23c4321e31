"""What a store can do besides pushes and pulls: forget what is old, and erase what must go."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sync.edits import Device, Parked, Past, Record
from sync.store import Batch, ScopeState

Key = tuple[str, str]
Gone = Mapping[str, frozenset[str]]
"""For the id of a record, the fields that nothing may remember any more."""
NOBODY = Device("", 0)
FIRST_ID = "00000000-0000-0000-0000-000000000000"
STRIPPED = ""
"""The body of a ledger row whose content has gone; the digest of an erased one."""


class Age(NamedTuple):
    """At a moment, a scope had come to a version: whatever is below is older."""

    scope: str
    ver: int
    ms: int


class Shown(NamedTuple):
    """What the feed of one scope says of one record."""

    scope: str
    kind: str
    record: str
    op: str
    rv: int
    ver: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """One record that has been erased.

    Attributes:
        scopes: all scopes that were told so.
        by: the user who ordered it, None when it was the operator of the server.
    """

    kind: str
    record: str
    ms: int
    reason: str
    scopes: tuple[str, ...] = ()
    by: int | None = None

    @property
    def key(self) -> Key:
        """Return the key of the record."""
        return (self.kind, self.record)


class Upkeep(Protocol):
    """The upkeep of a store within one transaction that writes; the caller ends it."""

    # -- forgetting ---------------------------------------------------------------------------

    def scopes_after(self, last: str, limit: int) -> Sequence[tuple[str, ScopeState]]:
        """Return the next scopes in the order of their names, locked in that order."""

    def ages(self, scopes: Collection[str]) -> Sequence[Age]:
        """Return all ages noted for these scopes."""

    def note(self, ages: Sequence[Age]) -> None:
        """Note ages."""

    def raise_floors(self, floors: Mapping[str, int]) -> None:
        """Raise the floors of scopes; the ages below them are of no more use."""

    def forget_tombstones(self, scopes: Collection[str], limit: int) -> int:
        """Delete tombstones at or below the floors of these scopes; return how many."""

    def strip_ledger(self, after: str, before_ms: int, limit: int) -> tuple[str | None, int]:
        """Take content from ledger rows that arrived before a time.

        Returns:
            The last edit id looked at, None when there is no more, and how many were stripped.
        """

    def ids_after(self, kind: str, after: str, limit: int) -> Sequence[str]:
        """Return the next ids of a kind."""

    def remove(self, kind: str, records: Collection[str]) -> None:
        """Delete the rows of records that no scope shows any more."""

    # -- erasing ------------------------------------------------------------------------------

    def referring(self, kind: str, field: str, records: Collection[str]) -> Sequence[str]:
        """Return the ids of the records of a kind whose field names one of these records."""

    def parked_about(self, records: Collection[str], kinds: Collection[str]) -> Sequence[Parked]:
        """Return all parked edits, in any state, about these records or of these kinds, locked."""

    def shown(self, keys: Collection[Key]) -> Sequence[Shown]:
        """Return all rows of the feed about these records."""

    def scrub_ledger(self, records: Collection[str]) -> int:
        """Take content and digest from all ledger rows about these records; return how many."""

    def thin_ledger(self, gone: Gone) -> int:
        """Take fields, and the digest, from ledger rows about these records; return how many."""

    def scrub_parked(self, parked: Sequence[Parked]) -> None:
        """Write parked edits whose content has been taken out."""

    def enter_erasures(self, erasures: Sequence[Erasure]) -> None:
        """Enter erasures in the list, unless they stand there."""

    def erasures(self) -> Sequence[Erasure]:
        """Return all erasures, the latest first, with the scopes that were told."""

    def wiped(self, device: str, scopes: Mapping[str, int], now_ms: int) -> None:
        """Note that a phone has carried out all purges of scopes, up to a version of each.

        An old request that comes late takes nothing back.
        """

    def witnesses(self) -> Mapping[Key, Sequence[tuple[str, int]]]:
        """Return the phones that have wiped each erased record, with the time they said so."""

    # -- looking back -------------------------------------------------------------------------

    def ledger(self) -> Sequence[Past]:
        """Return the whole ledger, for checks."""

    # -- both ---------------------------------------------------------------------------------

    def records(self, keys: Collection[Key]) -> Mapping[Key, Record]:
        """Return records by (kind, id), locked in the order of their ids."""

    def rewrite(self, batch: Batch) -> None:
        """Write the records and the feed of a batch that no device has sent."""
