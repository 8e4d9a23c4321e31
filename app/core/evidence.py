"""Whether a photo is asked for: by category of incident and kind of task, the same words for both.

A photo's bytes come later than the edit it belongs to, and its facts may come in the next request.
So the edit itself says how many were taken; or why none, where one was asked for.
"""

from collections.abc import Mapping
from typing import Any

from sync.errors import FieldError, Refusal
from sync.upgrade import Step

REQUIRED, FORBIDDEN = "required", "forbidden"
REASON = "no_photo_reason"

NOT_ASKED = "旧版应用未询问 / an older app did not ask"


def asked_from(state: str) -> Step:
    """Return the step from the schema before photos: apps of that age cannot say why there is none.

    Args:
        state: the one in which a photo is asked for.
    """

    def values(given: Mapping[str, Any]) -> Mapping[str, Any]:
        told = given.get("photo_count") or given.get("no_photo_reason")
        return given if told or given.get("state") != state else {**given, REASON: NOT_ASKED}

    return Step(values)


def check_photos(rule: str | None, values: Mapping[str, Any]) -> None:
    """Refuse a report that has not the photos it should have, or has what it must not have.

    Raises:
        Refusal: ``photo_required`` or ``photo_forbidden``.
    """
    taken = values.get("photo_count") or 0
    if rule == FORBIDDEN and taken:
        raise Refusal("photo_forbidden", FieldError("photo_count", "photo_forbidden"))
    if rule == REQUIRED and not taken and not values.get("no_photo_reason"):
        raise Refusal("photo_required", FieldError("photo_count", "photo_required"))
