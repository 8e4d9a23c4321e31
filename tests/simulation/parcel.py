"""What is on its way between a simulated phone and the server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync.replica import Instant
from tests.simulation.handset import Handset
from tests.simulation.phone_checks import PhoneChecks


class Sender(Protocol):
    """A phone, as far as the network knows it."""

    user: int
    life: int


@dataclass(order=True)
class OnItsWay:
    """A request, or the reply to it once there is one, on its way."""

    due_ms: int
    order: int
    handset: Sender = field(compare=False)
    life: int = field(compare=False)
    reply: str | None = field(compare=False, default=None, kw_only=True)
    granted: tuple[str, ...] = field(compare=False, default=(), kw_only=True)
    lingering: frozenset[str] = field(compare=False, default=frozenset(), kw_only=True)


@dataclass(order=True)
class Parcel(OnItsWay):
    """A request of a phone that is at hand."""

    handset: Handset = field(compare=False)
    sent: Instant = field(compare=False)
    request: Mapping[str, Any] = field(compare=False)


def unpacked(
    parcel: Parcel, parts: Iterable[Mapping[str, Any]], now_ms: int, checks: PhoneChecks
) -> bool:
    """Let a phone take in the parts of a reply; tell whether one was a page that moved it."""
    handset, moved = parcel.handset, False
    for part in parts:
        before = handset.phone.cursor
        if handset.phone.receive(parcel.request, part, sent=parcel.sent,
                                 now=handset.instant(now_ms)):  # fmt: skip
            page = part["pull"]
            checks.page_applied(handset, page, before, parcel.granted, parcel.lingering)
            moved = moved or bool(page["items"] or not page["complete"])
        checks.own_edits_shown(handset)
    return moved
