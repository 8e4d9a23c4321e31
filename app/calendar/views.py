"""The REST interface of the working calendar: what phones and offices count with."""

from typing import Any

from marshmallow import Schema, fields

from app.calendar import services
from app.calendar.rules import DEFAULT_HOURS, hours_as_text
from app.core.database import current_session
from app.core.web import Blueprint

blueprint = Blueprint(
    "calendar", __name__, url_prefix="/api/v1/working-calendar", description="Working days"
)


class CalendarDayOut(Schema):
    """A day that differs from the week."""

    day = fields.Date(required=True)
    works = fields.Boolean(required=True, metadata={"description": "a day worked to make up"})
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)


class CalendarYearOut(Schema):
    """The working days of a year."""

    year = fields.Integer(required=True)
    known = fields.Boolean(
        required=True, metadata={"description": "false: no holidays published, weekends only"}
    )
    usual_hours = fields.String(required=True)
    days = fields.List(fields.Nested(CalendarDayOut), required=True)


@blueprint.route("/<int(min=2000, max=2199):year>")
@blueprint.response(200, CalendarYearOut)
@blueprint.guard("codelist.read")
def read_year(year: int) -> Any:
    """Read the holidays and make-up days of a year."""
    session = current_session()
    return {
        "year": year, "known": year in services.calendars(session).usual.years,
        "usual_hours": hours_as_text(DEFAULT_HOURS), "days": services.days_of(session, year),
    }  # fmt: skip
