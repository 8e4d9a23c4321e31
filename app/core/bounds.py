"""Days and moments that a request may name: calendars and clocks break far from today."""

from datetime import UTC, date, datetime
from typing import Any

from marshmallow import fields, validate

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2200, 12, 31)
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, tzinfo=UTC)


def day_field(**more: Any) -> fields.Date:
    """Return the field of a day in the years 2000 to 2200."""
    return fields.Date(validate=validate.Range(FIRST_DAY, LAST_DAY), **more)


def moment_field(**more: Any) -> fields.AwareDateTime:
    """Return the field of a moment in the years 2000 to 2200."""
    return fields.AwareDateTime(validate=validate.Range(FIRST, LAST), **more)
