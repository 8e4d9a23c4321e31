"""What is on its way between a simulated phone and the server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.replica import Instant
from tests.simulation.handset import Handset


@dataclass(order=True)
class Parcel:
    """A request or a reply on its way."""

    due_ms: int
    order: int
    handset: Handset = field(compare=False)
    life: int = field(compare=False)
    sent: Instant = field(compare=False)
    request: Mapping[str, Any] = field(compare=False)
    reply: str | None = field(compare=False, default=None)
    granted: tuple[str, ...] = field(compare=False, default=())
    lingering: frozenset[str] = field(compare=False, default=frozenset())
