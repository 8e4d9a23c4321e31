"""One simulated phone: a replica, clocks that may be wrong, and a life that may be cut short."""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.driver import driver
from sync.replica import Instant, Replica

SHOWN_OPS = ("create", "update", "delete", "event", "add", "remove")


class Made(NamedTuple):
    """An edit as it was really made, whatever the phone's clock said."""

    id: str
    op: str
    kind: str
    rec: str
    values: Mapping[str, Any]
    user: int
    true_ms: int


@dataclass
class Handset:
    """A phone in somebody's hand."""

    user: int
    rng: random.Random
    skew_ms: int
    booted_ms: int
    boot: int = 0
    life: int = 0
    restored: bool = False
    spoiled: bool = False
    """Its copy was damaged by accident, so that its digest may be wrong."""
    waiting: bool = False
    wiped: bool = False
    late: bool = False
    """It was wiped after its time to send had run out."""
    connection: Any = field(default_factory=lambda: driver.connect(":memory:"))
    made: dict[str, Made] = field(default_factory=dict)
    pending: dict[str, Made] = field(default_factory=dict)
    """Edits that no complete pull has contained yet, in their order."""
    copy: Any = None
    devices: set[str] = field(default_factory=set)
    """All device ids under which this phone ever spoke."""

    def __post_init__(self) -> None:
        self.phone = Replica(self.connection)

    def instant(self, now_ms: int) -> Instant:
        """Return what the phone's clocks say."""
        return Instant(now_ms + self.skew_ms, now_ms - self.booted_ms, f"boot-{self.boot}")

    def edit(self, op: str, kind: str, rec: str, values: Mapping[str, Any], now_ms: int) -> None:
        """Make an edit on the phone."""
        name = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        self.phone.edit(op, kind, rec, values, edit_id=name, now=self.instant(now_ms))
        made = Made(name, op, kind, rec, values, self.user, now_ms)
        self.made[name] = made
        if op in SHOWN_OPS:
            self.pending[name] = made

    def contained(self, last_n: int) -> None:
        """Note what a complete pull has contained."""
        rows = self.phone.memory.ask("SELECT id FROM replica_log WHERE n > ?", last_n)
        left = {name for (name,) in rows}
        for name in [name for name in self.pending if name not in left]:
            del self.pending[name]

    # -- accidents ----------------------------------------------------------------------------

    def reboot(self, now_ms: int) -> None:
        """Start the phone again: replies under way are lost, the running clock begins anew."""
        self.boot += 1
        self.life += 1
        self.waiting = False
        self.booted_ms = now_ms
        self.phone = Replica(self.connection)

    def back_up(self) -> None:
        """Copy the phone's database."""
        self.copy = (driver.connect(":memory:"), dict(self.made), dict(self.pending))
        self.connection.backup(self.copy[0])

    def restore(self, now_ms: int) -> None:
        """Go back to the copy, as after a broken phone."""
        copy, self.made, self.pending = self.copy[0], dict(self.copy[1]), dict(self.copy[2])
        copy.backup(self.connection)
        self.restored = True
        self.wiped = False
        self.reboot(now_ms)

    def close(self) -> None:
        """Let the databases go."""
        self.connection.close()
        if self.copy:
            self.copy[0].close()
