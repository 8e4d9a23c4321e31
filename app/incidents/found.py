"""What a batch of edits of incidents needs to know, read in a constant number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.places import AreaAt, areas_at
from app.areas.rules import path_ids
from app.areas.services import paths_of
from app.calendar import Calendars, WorkingCalendar, calendars
from app.calendar.services import RULES as CALENDAR
from app.core.rulebook import kept, version_of
from app.incidents.duties import RULES, Duties, all_duties
from app.incidents.limits import NAMES, Limits, limits_of
from app.incidents.models import Incident, IncidentCategory, IncidentLimit
from app.incidents.rules import NEAREST_WITHIN_M
from sync.gate import Work
from sync.stores.many import among
from sync.values import Invalid, Position

Values = Mapping[str, Any]
Place = tuple[float, float]

# Plain tables, not models: they are read at every push that holds incidents.
_categories, _limits = IncidentCategory.__table__, IncidentLimit.__table__
_CATEGORIES = sa.select(
    *(_categories.c[name] for name in (
        "code", "priority", "accept_minutes", "handle_hours", "start_level",
        "escalate_after_hours", "sensitivity", "photo", "emergency_call", "self_handling",
    )),
    version_of(CALENDAR).label("calendar_version"), version_of(RULES).label("rules_version"),
).where(among(_categories.c.code, "codes"), _categories.c.level == 2)  # fmt: skip
_LEVELS = sa.select(Area.__table__.c.id, Area.__table__.c.level).where(
    among(Area.__table__.c.id, "ids")
)
STEPPING = ("state", "act")


@dataclass(frozen=True)
class Rules:
    """What the office sets seldom, as this process keeps it until it is changed.

    Attributes:
        limits: what areas have set, by area and category.
        levels: of the areas met so far; an area never changes its level.
    """

    calendars: Calendars
    limits: Mapping[int, Mapping[str, Mapping[str, int | None]]]
    duties: Duties
    levels: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What the incidents of a batch need.

    Attributes:
        rules: what the office has set, for those edits that take a step.
        levels: of the areas on the paths.
        targets: how the cases stand into which others have been merged, where that is asked.
    """

    categories: Mapping[str, Values]
    grids: Mapping[Place, AreaAt | None]
    paths: Mapping[int, str] = field(default_factory=dict)
    levels: Mapping[int, str] = field(default_factory=dict)
    rules: Rules = field(default_factory=lambda: Rules(Calendars({}, {}), {}, {}))
    targets: Mapping[str, str] = field(default_factory=dict)

    def limits_at(self, path: str | None, category: str | None) -> Limits:
        """Return the limits of a category in the area of a path."""
        calendar: WorkingCalendar = self.rules.calendars.of(path)
        limits = self.rules.limits
        above = (limits[one] for one in reversed(path_ids(path or "")) if one in limits)
        return limits_of(self.categories.get(str(category)), next(above, {}), calendar)


def find(session: Session, works: Sequence[Work]) -> Found:
    """Read categories, grids of positions, and for steps also paths, limits and calendars."""
    run = session.connection().execute
    codes = {code for work in works for code in _codes(work)}
    rows = run(_CATEGORIES, {"codes": sorted(codes)}).mappings() if codes else ()
    categories = {row["code"]: dict(row) for row in rows}
    places = sorted({place for work in works if (place := place_of(work.edit.set))})
    grids = dict(zip(places, areas_at(session, places, within_m=NEAREST_WITHIN_M), strict=True))
    stepping = [work for work in works if any(name in work.edit.set for name in STEPPING)]
    if not stepping:
        return Found(categories, grids)
    wanted = {grid for work in stepping for grid in _areas_of(work, grids)}
    paths = _paths(session, wanted, grids)
    rules = _rules(session, categories)
    levels = _levels(session, rules, {one for path in paths.values() for one in path_ids(path)})
    return Found(categories, grids, paths, levels, rules, _targets(session, stepping))


def place_of(values: Values) -> Place | None:
    """Return the position in an edit's values, if it has one that makes sense."""
    try:
        lon, lat = Position().check(values.get("point"))
    except Invalid:
        return None
    return lon, lat


def _codes(work: Work) -> set[str]:
    """Return the categories that an edit names or asks about."""
    named = {"state", "photo_count", "act"} & work.edit.set.keys()
    known = work.record.values.get("category") if work.record and named else None
    return {str(code) for code in (work.edit.set.get("category"), known) if code is not None}


def _areas_of(work: Work, grids: Mapping[Place, AreaAt | None]) -> set[int]:
    here = grids.get(place_of(work.edit.set) or (0.0, 0.0))
    named = [work.edit.set.get("grid"), here.area_id if here else None]
    known = [work.record.values.get("grid")] if work.record else []
    return {area for area in (*named, *known) if type(area) is int and 0 < area < 2**53}


def _targets(session: Session, works: Sequence[Work]) -> dict[str, str]:
    """Return the states of the cases that took up those which are to show them."""
    telling = (one.record for one in works if one.record and one.edit.set.get("act") == "tell")
    asked = {into for record in telling if (into := record.values.get("merged_into"))}
    found = sa.select(Incident.id, Incident.state).where(Incident.id.in_(asked))
    return {row.id: row.state for row in session.execute(found)} if asked else {}


def _paths(
    session: Session, wanted: set[int], grids: Mapping[Place, AreaAt | None]
) -> dict[int, str]:
    """Return the paths of grids; those of a position have come with it."""
    known = {one.area_id: one.path for one in grids.values() if one}
    missing = wanted - known.keys()
    return known | paths_of(session, missing) if missing else known


def _rules(session: Session, categories: Mapping[str, Values]) -> Rules:
    """Return the rules of the versions that came with the categories; else read them now."""
    one = next(iter(categories.values()), None)
    if one is None:
        return _read(session)
    version = (one["calendar_version"], one["rules_version"])
    return kept(RULES, version, lambda: _read(session))


def _read(session: Session) -> Rules:
    return Rules(calendars(session), _settings(session), all_duties(session))


def _levels(session: Session, rules: Rules, areas: set[int]) -> Mapping[int, str]:
    """Return the levels of areas, of which only those not met before are read."""
    missing = sorted(areas - rules.levels.keys())
    if missing:
        rows = session.connection().execute(_LEVELS, {"ids": missing})
        rules.levels.update({row[0]: row[1] for row in rows})
    return rules.levels


def _settings(session: Session) -> dict[int, dict[str, Mapping[str, int | None]]]:
    rows = session.connection().execute(sa.select(_limits))
    found: dict[int, dict[str, Mapping[str, int | None]]] = {}
    for row in rows.mappings():
        limits = {name: row[name] for name in NAMES}
        found.setdefault(row["area_id"], {})[row["category"]] = limits
    return found
