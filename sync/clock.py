"""Bounded time: place an edit by the server's own clock, whatever the phone's owner has set."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

AHEAD_MS_MAX = 60_000
SUSPECT_MS = 300_000
_MAC_BYTES = 9
_TIME_BYTES = 6


@dataclass(frozen=True, slots=True)
class Anchors:
    """Make and read anchors: the server's time, signed so that a phone cannot move it."""

    key: bytes

    def issue(self, now_ms: int, device: str) -> str:
        """Return an anchor for a device."""
        time = now_ms.to_bytes(_TIME_BYTES, "big")
        return base64.urlsafe_b64encode(time + self._mac(time, device)).decode()

    def read(self, anchor: Any, device: str) -> int | None:
        """Return the server time in ms of an anchor, or None when it is not ours."""
        if not isinstance(anchor, str) or len(anchor) != 20:
            return None
        try:
            raw = base64.urlsafe_b64decode(anchor.encode("ascii"))
        except ValueError:
            return None
        time, mac = raw[:_TIME_BYTES], raw[_TIME_BYTES:]
        genuine = hmac.compare_digest(mac, self._mac(time, device))
        return int.from_bytes(time, "big") if genuine else None

    def _mac(self, time: bytes, device: str) -> bytes:
        return hmac.digest(self.key, time + device.encode(), hashlib.sha256)[:_MAC_BYTES]


@dataclass(frozen=True, slots=True)
class AnchorsOfBatch(Anchors):
    """Anchors that are read once for all edits of a batch: most of it names the same one."""

    known: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def read(self, anchor: Any, device: str) -> int | None:
        """Return the server time in ms of an anchor, or None when it is not ours."""
        if not isinstance(anchor, str):
            return None
        if (anchor, device) not in self.known:
            self.known[anchor, device] = Anchors.read(self, anchor, device)
        return self.known[anchor, device]


@dataclass(frozen=True, slots=True)
class ActTime:
    """When an edit was made.

    Attributes:
        ms: the best estimate, never later than its arrival.
        anchored: True when it rests on the server's clock, not on the phone's.
        suspect: True when the phone's clock was wrong by more than five minutes.
    """

    ms: int
    anchored: bool
    suspect: bool

    def after(self, seen_ms: int) -> "ActTime":
        """Return the same act, suspect if it claims to come long before what its author had seen.

        Args:
            seen_ms: the latest stamp that the author cannot have been unaware of.
        """
        if self.suspect or self.ms + SUSPECT_MS >= seen_ms:
            return self
        return replace(self, suspect=True)


def act_time(at: Mapping[str, Any], *, received_ms: int, device: str, anchors: Anchors) -> ActTime:
    """Tell when an edit was made, from its anchor or else from its claim.

    An anchor proves that the server's clock had reached its time before the edit was made, also
    when it was issued to an earlier device id of the same phone, which the edit then names. Only
    with the time elapsed since, which no phone can carry over a restart and which cannot end
    after the arrival, does it also tell when. Otherwise the claim counts, between the two.
    """
    claimed, elapsed, holder = at.get("claimed"), at.get("elapsed_ms"), at.get("device", device)
    claim = claimed if _is_whole(claimed) else received_ms
    anchor_ms = anchors.read(at.get("anchor"), holder if isinstance(holder, str) else device)
    earliest = min(anchor_ms or 0, received_ms)
    if anchor_ms is not None and _is_whole(elapsed) and elapsed >= 0:
        true = anchor_ms + elapsed
        if true <= received_ms + AHEAD_MS_MAX:
            true = min(true, received_ms)
            return ActTime(true, anchored=True, suspect=abs(claim - true) > SUSPECT_MS)
        return ActTime(_between(earliest, claim, received_ms), anchored=False, suspect=True)
    suspect = not earliest - SUSPECT_MS <= claim <= received_ms + SUSPECT_MS
    return ActTime(_between(earliest, claim, received_ms), anchored=False, suspect=suspect)


def _is_whole(value: Any) -> TypeGuard[int]:
    return type(value) is int


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))


def effective_stamp(act: ActTime, *, received_ms: int, base_ms: int, device_ms: int) -> int:
    """Return the stamp that decides merges: bounded by arrival, growing along each device.

    Only if the server's own clock was set back can the two demands contradict one another; the
    stamp then grows by the least that it must.
    """
    return min(
        max(act.ms, base_ms + 1, device_ms + 1), max(received_ms + AHEAD_MS_MAX, device_ms + 1)
    )
