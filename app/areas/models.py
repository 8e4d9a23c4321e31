"""The tables of areas: what stays the same, what changes with the editions, and the borders."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt, UTCDateTime
from app.core.spatial import multipolygon_type

# A path is searched by ranges, which needs byte order; other collations skip the dots.
PathText = sa.String(120).with_variant(sa.String(120, collation="C"), "postgresql")


class Area(Base):
    """A place that is served, whatever it is called and wherever its border runs."""

    __tablename__ = "area"
    __table_args__ = (sa.Index("ix_area_path", "path"), sa.Index("ix_area_parent_id", "parent_id"))

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    level: Mapped[str] = mapped_column(sa.String(10))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("area.id"))
    # Ids of all ancestors and of the area itself, each followed by a dot: "1.7.85.913."
    path: Mapped[str] = mapped_column(PathText)
    valid_from: Mapped[date]
    # The first day on which it no longer stands.
    valid_until: Mapped[date | None]


class AreaVersion(Base):
    """What an area is called and where it belongs from a day on."""

    __tablename__ = "area_version"
    __table_args__ = (
        sa.Index("ix_area_version_code", "code"),
        sa.Index(
            "uq_area_version_code_current",
            "code",
            unique=True,
            sqlite_where=sa.text("valid_until IS NULL"),
            postgresql_where=sa.text("valid_until IS NULL"),
        ),
    )

    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_until: Mapped[date | None]
    code: Mapped[str] = mapped_column(sa.String(15))
    name: Mapped[str] = mapped_column(sa.String(100))
    short_name: Mapped[str] = mapped_column(sa.String(100))
    kind: Mapped[str] = mapped_column(sa.String(20))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("area.id"))
    urban_rural_code: Mapped[str] = mapped_column(sa.String(3))
    edition: Mapped[str] = mapped_column(sa.String(40))


class AreaBorder(Base):
    """The border of an area from a day on, in WGS-84, with where it came from."""

    __tablename__ = "area_border"
    __table_args__ = (
        sa.Index("ix_area_border_area_id", "area_id"),
        sa.Index(
            "uq_area_border_area_current",
            "area_id",
            unique=True,
            sqlite_where=sa.text("valid_until IS NULL"),
            postgresql_where=sa.text("valid_until IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"))
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    geom: Mapped[str] = mapped_column(multipolygon_type())
    datum_in: Mapped[str] = mapped_column(sa.String(10))
    accuracy_m: Mapped[float | None]
    source: Mapped[str] = mapped_column(sa.String(200))


class AreaHeir(Base):
    """Ground of one grid went to another: by a split, a merger, or a border drawn anew."""

    __tablename__ = "area_heir"
    __table_args__ = (sa.Index("ix_area_heir_new_id", "new_id"),)

    old_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    new_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    # The one that takes what names no place.
    main: Mapped[bool]


class AreaMove(Base):
    """An area, with all below it, was hung under another one: where it lay until then."""

    __tablename__ = "area_move"

    area_id: Mapped[int] = mapped_column(sa.ForeignKey("area.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    was_path: Mapped[str] = mapped_column(PathText)
