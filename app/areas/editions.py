"""Compare an edition of the divisions with the units that stand, and plan what changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.areas.divisions import Unit
from app.areas.flaws import Flaw, FlawedFile

ATTRIBUTES = {
    "renamed": ("name", "short_name"),
    "moved": ("parent_code",),
    "recoded": ("code",),
    "reclassified": ("kind", "urban_rural_code"),
}


@dataclass(frozen=True, slots=True)
class StandingUnit:
    """A unit of the database with its latest attributes; `unit.row` is 0."""

    area_id: int
    path: str
    unit: Unit
    version_from: date
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """A unit that stands and gets new attributes."""

    was: StandingUnit
    unit: Unit

    def changes(self) -> set[str]:
        """Name what changes: renamed, moved, recoded, reclassified."""
        return {
            change
            for change, names in ATTRIBUTES.items()
            if any(getattr(self.was.unit, name) != getattr(self.unit, name) for name in names)
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What an edition changes; `known` gives the area of each code of the edition that stands."""

    edition: date
    added: tuple[Unit, ...]
    revised: tuple[Revision, ...]
    revived: tuple[StandingUnit, ...]
    ended: tuple[StandingUnit, ...]
    known: Mapping[str, int]
    flaws: tuple[Flaw, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return how many units each change touches."""
        changes = [revision.changes() for revision in self.revised]
        revised = {name: sum(name in change for change in changes) for name in ATTRIBUTES}
        return {
            "added": len(self.added),
            "ended": len(self.ended),
            "revived": len(self.revived),
            **revised,
        }

    def without_ends(self) -> "Plan":
        """Return the plan for a file with rows left out: what it lacks may still stand."""
        return replace(self, ended=(), flaws=())


def compare(units: Sequence[Unit], standing: Iterable[StandingUnit], edition: date) -> Plan:
    """Plan how the units of an edition replace those that stand.

    Only units below the topmost units of the file can end: a file of one county says nothing
    about its neighbours. A unit whose code changed is the same area if it names its
    previous_code. Units wrongly ended on the very day of the edition are revived.

    Args:
        standing: every division of the database with its latest version, ended ones too.

    Raises:
        FlawedFile: a later edition of these units has been imported already.
    """
    standing = list(standing)
    matches = _match(units, standing, edition)
    covered = _covered(units, matches, standing)
    if any(_later(unit, edition) for unit in covered):
        raise FlawedFile("edition_older", edition.isoformat())
    kept = {was.area_id for was in matches.values()}
    ended = [was for was in covered if was.ended_on is None and was.area_id not in kept]
    return Plan(
        edition=edition,
        added=tuple(unit for unit in units if unit.code not in matches),
        revised=tuple(_revisions(units, matches)),
        revived=tuple(was for was in matches.values() if was.ended_on is not None),
        ended=tuple(ended),
        known={was.unit.code: was.area_id for was in standing if was.ended_on is None}
        | {code: was.area_id for code, was in matches.items()},
        flaws=tuple(_orphans(units, ended)),
    )


def _match(
    units: Sequence[Unit], standing: list[StandingUnit], edition: date
) -> dict[str, StandingUnit]:
    """Find the area of each unit, by code: first its own code, then its previous one."""
    ended_today = [was for was in standing if was.ended_on == edition]
    alive = [was for was in standing if was.ended_on is None]
    by_code = {(was.unit.level, was.unit.code): was for was in ended_today + alive}
    matches = {
        unit.code: by_code.pop((unit.level, unit.code))
        for unit in units
        if (unit.level, unit.code) in by_code
    }
    for unit in units:
        previous = (unit.level, unit.previous_code)
        if unit.code not in matches and previous in by_code:
            matches[unit.code] = by_code.pop(previous)
    return matches


def _covered(
    units: Sequence[Unit], matches: Mapping[str, StandingUnit], standing: list[StandingUnit]
) -> list[StandingUnit]:
    codes = {unit.code for unit in units}
    tops = [unit.code for unit in units if unit.parent_code not in codes]
    roots = {str(matches[code].area_id) for code in tops if code in matches}
    return [was for was in standing if not roots.isdisjoint(was.path.split("."))]


def _later(was: StandingUnit, edition: date) -> bool:
    return max(was.version_from, was.ended_on or was.version_from) > edition


def _revisions(units: Sequence[Unit], matches: Mapping[str, StandingUnit]) -> Iterator[Revision]:
    recoded = {was.unit.code: code for code, was in matches.items()}
    for unit in units:
        if (was := matches.get(unit.code)) is None:
            continue
        # A parent with another code is still the same parent.
        parent = recoded.get(was.unit.parent_code, was.unit.parent_code)
        # A list that does not state the class of a place leaves what is known.
        known = unit.urban_rural_code or was.unit.urban_rural_code
        before = replace(was, unit=replace(was.unit, parent_code=parent))
        revision = Revision(before, replace(unit, urban_rural_code=known))
        if revision.changes():
            yield revision


def _orphans(units: Sequence[Unit], ended: Iterable[StandingUnit]) -> Iterator[Flaw]:
    gone = {was.unit.code for was in ended}
    for unit in units:
        if unit.parent_code in gone:
            yield Flaw(unit.row, "parent_ended", f"{unit.code} {unit.name}")
