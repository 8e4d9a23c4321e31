"""Short ways to publish and read notices in the tests' county."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.core.moments import as_text
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import CITY


def after(**more: float) -> str:
    """Return a moment some time from now, in the form of the wire."""
    return as_text(round((datetime.now(UTC) + timedelta(**more)).timestamp() * 1000))


def notice(**more: Any) -> dict[str, Any]:
    """Return the body of a notice to the whole city for a week."""
    return {"areas": [CITY], "urgency": "normal", "title": "森林防火", "text": "进山不带火种",
            "talking_points": ["不野外用火"], "valid_until": after(days=7), **more}  # fmt: skip


def publish(county: County, who: str = "cm_city", **more: Any) -> dict[str, Any]:
    """Publish a notice over REST and return it."""
    return county.made(who, "/notices", notice(**more))


def shown(phone: SyncPhone, kind: str = "notice") -> dict[str, dict[str, Any]]:
    """Return what a phone that begins anew is sent of a kind: fields by id."""
    return {item["id"]: item["f"] for item in phone.pull() if item["t"] == kind}
