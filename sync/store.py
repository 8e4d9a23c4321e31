"""What a store must be able to do; every store passes one contract (tests/sync)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sync.edits import Device, Known, LedgerEntry, Parked, Receipt, Record

PUT, OUT, DEL, PURGE = "put", "out", "del", "purge"
ERASED = "erased"
"""Who deleted a record that was erased by law; and the code of an edit about one."""

Following = Mapping[tuple[str, str], frozenset[str]]
"""For a kind and a field of it, the ids that the field may hold."""


class FeedChange(NamedTuple):
    """One record seen anew in one scope."""

    scope: str
    kind: str
    record: str
    rank: int
    op: str
    rv: int


class ScopeState(NamedTuple):
    """Where a scope stands: version, digest of what it shows, floor of its tombstones."""

    ver: int
    digest: int
    live: int
    floor: int


class FeedRow(NamedTuple):
    """One row of the feed; ``body`` is ready JSON, None unless the row is a ``put``."""

    scope: str
    ver: int
    rank: int
    op: str
    kind: str
    record: str
    rv: int
    body: str | None


class Window(NamedTuple):
    """Which rows of a scope are wanted: ver in (after, until], beyond (rank, position).

    Attributes:
        turn: the rows of scopes with a smaller turn come first, whatever their rank.
    """

    scope: str
    after: int
    until: int
    rank: int
    position: int
    turn: int = 0


@dataclass(slots=True)
class Batch:
    """Everything that one push writes; it is written together or not at all."""

    device: Device
    device_before: Device
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    seen_rv: dict[tuple[str, str], int] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    amended: list[LedgerEntry] = field(default_factory=list)
    """Entries of edits that were parked and have now been replayed."""
    parked: dict[str, Parked] = field(default_factory=dict)
    feed: list[FeedChange] = field(default_factory=list)
    parked_asked: tuple[tuple[frozenset[str], frozenset[str]], ...] = ()
    """The questions by which parked edits were found: (records, edits)."""
    parked_seen: dict[str, int] = field(default_factory=dict)
    """The version in which each parked edit was found."""
    digests: dict[str, tuple[int, int]] = field(default_factory=dict)
    """For each scope: what to XOR into its digest, and the change in living rows."""
    followed_asked: list[tuple[Following, frozenset[tuple[str, str]]]] = field(default_factory=list)
    """The questions by which followers were found, each with what was found."""
    relied: frozenset[tuple[str, str]] = frozenset()
    """Records that others were made to follow; they must stand as they were read."""


class Store(Protocol):
    """A store within one transaction; the caller opens and ends the transaction."""

    def device(self, device: str) -> Device | None:
        """Return a device, its row locked where the engine has row locks."""

    def known(self, edits: Iterable[str]) -> Mapping[str, Known]:
        """Return what the ledger knows of these edit ids."""

    def records(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Record]:
        """Return records by (kind, id), locked in the order of their ids; one query per kind."""

    def followers(self, asked: Following) -> Mapping[tuple[str, str], Record]:
        """Return the records, deleted ones too, whose fields hold these ids; one query each."""

    def parked_for(self, records: Iterable[str], edits: Iterable[str]) -> Mapping[str, Parked]:
        """Return open parked edits that wait for these records, and those named, by edit id."""

    def parked_before(self, ms: int, limit: int) -> Sequence[Parked]:
        """Return edits parked before a moment, in whatever state, locked; at most ``limit``."""

    def clear_parked(self, batch: Batch, gone: Iterable[str], notes: Iterable[Receipt]) -> None:
        """Delete parked edits, leave notes in the ledger, and publish what follows from it."""

    def write(self, batch: Batch) -> None:
        """Write all of a batch; scope counters and feed last.

        Raises:
            Stale: something changed since it was read.
        """

    def epoch(self) -> str:
        """Return the present epoch of the store."""

    def scopes(self, scopes: Iterable[str]) -> Mapping[str, ScopeState]:
        """Return the state of each scope; scopes never written are absent."""

    def feed(self, windows: Sequence[Window], limit: int) -> Sequence[FeedRow]:
        """Return rows in the order (turn, rank, scope, ver), at most ``limit``."""

    def versions(self, scopes: Iterable[str]) -> Mapping[str, int]:
        """Return the version of each scope; for the many of a room full of waiting phones."""

    def shown(self, scope: str) -> Sequence[tuple[str, str, int]]:
        """Return (kind, id, version) of all that a scope shows."""

    def picked(self, scope: str, records: Iterable[str]) -> Sequence[FeedRow]:
        """Return those of these records that a scope shows, with their bodies."""

    def purged(self, scope: str, after: int) -> bool:
        """Tell whether anything of a scope has been erased by law since a version."""

    def receipts(self, device: str, *, after_n: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the receipts of a device beyond a number, in their order."""
