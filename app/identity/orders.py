"""The order to a phone to erase itself, and the ticket with which it says that it has."""

import base64
import binascii
import hashlib
import hmac
import uuid
from datetime import datetime

from app.identity.credentials import Keys
from sync.errors import Problem

TICKET_MAC_BYTES = 16


def wipe_ticket(keys: Keys, enrolment_id: str) -> str:
    """Return what lets a phone say, without any session, that it has erased itself."""
    raw = uuid.UUID(enrolment_id).bytes
    return base64.urlsafe_b64encode(raw + _mac(keys, raw)).decode().rstrip("=")


def read_ticket(keys: Keys, ticket: str) -> str | None:
    """Return the enrolment of a ticket, None when it is not ours."""
    try:
        raw = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
    except (ValueError, binascii.Error):
        return None
    name, mac = raw[:16], raw[16:]
    genuine = len(name) == 16 and hmac.compare_digest(mac, _mac(keys, name))
    return str(uuid.UUID(bytes=name)) if genuine else None


def _mac(keys: Keys, raw: bytes) -> bytes:
    return hmac.digest(keys.wipe, raw, hashlib.sha256)[:TICKET_MAC_BYTES]


def wipe_order(keys: Keys, enrolment_id: str, *, expected: int | None = None) -> Problem:
    """Return the order to erase everything.

    Args:
        expected: the next edit that the server would take; given while the phone may still send,
            and what it holds from there on goes first.
    """
    drain = {} if expected is None else {"drain": True, "expected": expected}
    return Problem(403, "device_wipe", ticket=wipe_ticket(keys, enrolment_id), **drain)


def is_draining(
    wipe_asked_at: datetime | None, drain_until: datetime | None, now: datetime
) -> bool:
    """Tell whether a phone that is to erase itself may still send what it holds."""
    return wipe_asked_at is not None and drain_until is not None and now < drain_until
