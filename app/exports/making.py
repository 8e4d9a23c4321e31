"""Make the file of an export: from rows to sealed bytes, never more than a page at once."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import names_of
from app.calendar.rules import SHANGHAI
from app.core.actor import Actor
from app.core.database import Mode, table_of
from app.core.engine import current_engine
from app.exports import geopackage, services
from app.exports.formats import Sheet, Write, as_csv, as_geojson
from app.exports.geopackage import as_geopackage
from app.exports.layers import Row, columns_of
from app.exports.models import MAKING, QUEUED, READY, Export, key_of
from app.exports.reading import Wanted, count, rows
from app.exports.spreadsheet import as_xlsx
from app.identity.authentication import posts_of
from app.identity.models import User
from app.photos.lane import current_lane
from sync.errors import Problem

WRITERS: dict[str, Write] = {
    "csv": as_csv, "xlsx": as_xlsx, "geojson": as_geojson, "gpkg": as_geopackage,
}  # fmt: skip
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",
    "gpkg": "application/geopackage+sqlite3",
}
TOLD_EVERY = 5_000
"""After how many rows it is said how far it is."""

_exports = table_of(Export)


def make(export_id: str, now: Callable[[], datetime]) -> None:
    """Make one export; whoever has lost the right meanwhile gets nothing.

    An export that was made halfway when its worker died is made again from the beginning.
    """
    lane, started = current_lane(), now()
    with lane.database.transaction(Mode.WRITE) as session:
        export = session.get(Export, export_id)
        if export is None or export.state not in (QUEUED, MAKING):
            return
        export.state = MAKING
    try:
        size = _keep(export, started)
    except Problem as problem:
        services.give_up(export_id, problem.code)
        return
    _tell(export_id, state=READY, size_bytes=size, expires_at=now() + services.KEPT_FOR)


def _keep(export: Export, started: datetime) -> int:
    """Write the bytes to the shelf; return how many they are."""
    lane, counted = current_lane(), _Counted()
    with lane.database.transaction(Mode.READ) as session:
        wanted = _wanted(session, export, started)
        total = count(session, wanted)
        if export.format == "gpkg" and total > geopackage.ROWS_MAX:
            raise Problem(422, "too_many_rows")
        _tell(export.id, rows_total=total)
        sheet = _sheet(session, export, started)
        found = _told(export.id, rows(session, current_engine(), wanted))
        parts = counted.of(WRITERS[export.format](sheet, found))
        kept = lane.shelf.keep(key_of(export), parts, 0)
    with lane.database.transaction(Mode.WRITE) as session:
        lane.shelf.enter(session, [kept._replace(size=counted.bytes)])
    return counted.bytes


class _Counted:
    """Counts the bytes that go by."""

    def __init__(self) -> None:
        self.bytes = 0

    def of(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the parts."""
        for part in parts:
            self.bytes += len(part)
            yield part


def _wanted(session: Session, export: Export, now: datetime) -> Wanted:
    """Return which rows, if the person who asked may still have them.

    Raises:
        Problem: he may not.
    """
    path = session.execute(sa.select(Area.path).where(Area.id == export.area_id)).scalar_one()
    active = session.execute(sa.select(User.active).where(User.id == export.user_id)).scalar()
    if not active:
        raise Problem(403, "not_allowed", action=services.CREATE)
    actor = Actor(export.user_id, tuple(posts_of(session, export.user_id)))
    services.demand_right(actor, export.layer, path, personal=export.personal, now=now)
    return Wanted(export.layer, path, export.personal)


def _sheet(session: Session, export: Export, now: datetime) -> Sheet:
    name = session.execute(sa.select(User.name).where(User.id == export.user_id)).scalar_one()
    area = names_of(session, [export.area_id]).get(export.area_id, "")
    when = now.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    why = export.reason or "不含个人信息 / no identifiers"
    watermark = f"{name} (#{export.user_id}) · {when} · {area} · {why} · {export.id}"
    return Sheet(export.layer, columns_of(export.layer, personal=export.personal), watermark)


def _told(export_id: str, found: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows, and say from time to time how far it is."""
    number = 0
    for number, row in enumerate(found, start=1):
        if number % TOLD_EVERY == 0:
            _tell(export_id, rows_done=number)
        yield row
    _tell(export_id, rows_done=number)


def _tell(export_id: str, **values: object) -> None:
    with current_lane().database.transaction(Mode.WRITE) as session:
        session.execute(sa.update(_exports).where(_exports.c.id == export_id).values(**values))
