"""The working calendar: holidays and make-up days as data, and due times that keep to them."""

from app.calendar.commands import group
from app.calendar.rules import SHANGHAI, WorkingCalendar
from app.calendar.services import Calendars, calendars
from app.calendar.views import blueprint
from app.core.feature import Feature

feature = Feature(name="calendar", blueprints=(blueprint,), commands=(group,))

__all__ = ["SHANGHAI", "Calendars", "WorkingCalendar", "calendars", "feature"]
