"""Tell the server after a sync what this phone still holds, for those who run the devices."""

from contextlib import suppress

from app.phone import lane
from app.phone.client import APP, SCHEMA, NotEnrolled, Phone
from app.phone.line import Away, Refused

PATH = "/sync/health"


def tell(phone: Phone) -> None:
    """Say it once; that nobody listens, or an older server does not know it, harms nothing."""
    word = {
        "device": phone.replica.device, "unsent": len(phone.replica.outbox()),
        "photos_waiting": len(lane.waiting(phone)), "app": APP, "schema": SCHEMA,
    }  # fmt: skip
    with suppress(Away, Refused, NotEnrolled):
        phone.ask("POST", PATH, word)
