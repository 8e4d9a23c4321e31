"""Consents of the tests, as phones and the office take them down."""

from typing import Any

from app.core.identifiers import new_id
from tests.app.core.county import County, SyncPhone, household


def agreed(home: str, purpose: str, subject: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the fields of a consent of a household, or of somebody in it."""
    return {"household": home, "subject": subject or home, "purpose": purpose, "state": "given",
            "notice_version": 1, "given_by": "self", "method": "on_screen", **more}  # fmt: skip


def home_of(phone: SyncPhone) -> str:
    """Let a worker capture a household, and return its id."""
    home = new_id()
    assert phone.act("create", "household", home, set=household())["status"] == "applied"
    return home


def consent(phone: SyncPhone, home: str, purpose: str, subject: str | None = None,
            **more: Any) -> str:  # fmt: skip
    """Let a worker take down a consent, and return its id."""
    record = new_id()
    receipt = phone.act("create", "consent", record, set=agreed(home, purpose, subject, **more))
    assert receipt["status"] == "applied", receipt
    return record


def contact_fields(home: str) -> dict[str, Any]:
    """Return the fields of a contact."""
    return {"household": home, "name": "张三丰", "phone": "13812345678", "relation": "self",
            "is_emergency": True}  # fmt: skip


def work_off(county: County) -> None:
    """Let the jobs that come round by themselves run once."""
    from app.households.lapsing import lapse
    from app.sync_api.unsaying import unsay_ended

    lapse()
    unsay_ended()
