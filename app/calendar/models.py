"""The tables of the working calendar: days that differ from the week, and hours of work."""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base


class CalendarDay(Base):
    """A public holiday, or a day at a weekend that is worked to make up for one."""

    __tablename__ = "calendar_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    works: Mapped[bool]
    name_zh: Mapped[str] = mapped_column(sa.String(40))
    name_en: Mapped[str] = mapped_column(sa.String(60))


class CalendarHours(Base):
    """The hours of work of an area and all below it, where they are not the usual ones."""

    __tablename__ = "calendar_hours"

    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    hours: Mapped[str] = mapped_column(sa.String(60))
