"""Read a CSV of divisions and find what is wrong with it, row by row."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from app.areas.flaws import Flaw, FlawedFile

# Highest first; the digits of a code grow with the level. A grid is added by its border.
CODE_DIGITS = {"city": 6, "county": 6, "township": 9, "village": 12, "grid": 15}
LEVELS = tuple(CODE_DIGITS)
DIVISION_LEVELS, GRID_LEVEL = LEVELS[:-1], LEVELS[-1]
PADDED_DIGITS = 12
COLUMNS = ("code", "name", "level", "kind", "parent_code")
EDITION_COLUMNS = ("first_edition", "last_edition")
TEXT_LENGTHS_MAX = {"name": 100, "short_name": 100, "kind": 20, "urban_rural_code": 3}
FILE_BYTES_MAX = 64 * 1024 * 1024
DAMAGE = frozenset("?？\ufffd")


@dataclass(frozen=True, slots=True)
class Unit:
    """One city, county, township or village as an edition names it."""

    code: str
    name: str
    short_name: str
    level: str
    kind: str
    parent_code: str
    urban_rural_code: str = ""
    previous_code: str = ""
    row: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The good units of a file, highest level first, and the flaws of the others."""

    units: tuple[Unit, ...]
    flaws: tuple[Flaw, ...]


def read_divisions(content: bytes, edition: date) -> list[Unit]:
    """Return the units of a CSV file, as written.

    A file with the columns first_edition and last_edition holds several yearly editions; the
    rows in force in the year of `edition` are returned.

    Raises:
        FlawedFile: it is no text, is too large or lacks columns.
    """
    if len(content) > FILE_BYTES_MAX:
        raise FlawedFile("file_too_large")
    reader = csv.DictReader(io.StringIO(_decode(content), newline=""), strict=True)
    try:
        header = reader.fieldnames or ()
        if missing := [name for name in COLUMNS if name not in header]:
            raise FlawedFile("columns_missing", ", ".join(missing))
        rows = enumerate(reader, start=1)
        return [_unit(row, number) for number, row in rows if _in_force(row, edition)]
    except csv.Error as error:
        raise FlawedFile("file_unreadable", str(error)) from error


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Spreadsheets in China save GB 18030; such text is practically never valid UTF-8.
        try:
            return content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise FlawedFile("file_unreadable", str(error.reason)) from error


def _in_force(row: Mapping[str, str | None], edition: date) -> bool:
    first, last = (row.get(name) or str(edition.year) for name in EDITION_COLUMNS)
    return first <= str(edition.year) <= last


def _unit(row: Mapping[str, str | None], number: int) -> Unit:
    def text(name: str) -> str:
        return (row.get(name) or "").strip()

    level = text("level")
    return Unit(
        code=_bare(text("code"), CODE_DIGITS.get(level, PADDED_DIGITS)),
        name=text("name"),
        short_name=text("short_name") or text("name"),
        level=level,
        kind=text("kind") or level,
        parent_code=text("parent_code"),
        urban_rural_code=text("urban_rural_code"),
        previous_code=text("previous_code"),
        row=number,
    )


def _bare(code: str, digits: int) -> str:
    """Cut the zeros with which some lists pad every code to twelve digits."""
    padding = code[digits:]
    return code[:digits] if len(code) == PADDED_DIGITS and not padding.strip("0") else code


def check_units(
    units: Iterable[Unit],
    standing: Mapping[str, str],
    levels: Sequence[str] = DIVISION_LEVELS,
) -> Sheet:
    """Separate the good units of a file from the faulty ones.

    Args:
        standing: level by code of the units that stand already; they may be parents too.
        levels: the levels that the file may hold.
    """
    units = list(units)
    counts = Counter(unit.code for unit in units)
    flaws = [flaw for unit in units if (flaw := _own_flaw(unit, counts, levels))]
    good = _with_bare_parents(_without(units, flaws))
    # A unit whose parent is faulty has no parent either: at most one round for each level.
    while found := _parent_flaws(good, standing):
        flaws += found
        good = _without(good, found)
    good.sort(key=lambda unit: (LEVELS.index(unit.level), unit.code))
    return Sheet(tuple(good), tuple(sorted(flaws, key=lambda flaw: flaw.row)))


def _without(units: Iterable[Unit], flaws: Iterable[Flaw]) -> list[Unit]:
    faulty = {flaw.row for flaw in flaws}
    return [unit for unit in units if unit.row not in faulty]


def _own_flaw(unit: Unit, counts: Mapping[str, int], levels: Sequence[str]) -> Flaw | None:
    if unit.level not in levels:
        return Flaw(unit.row, "unknown_level", f"{unit.code} {unit.level}".strip())
    if not is_code(unit.code, unit.level):
        return Flaw(unit.row, "code_length", unit.code)
    if counts[unit.code] > 1:
        return Flaw(unit.row, "duplicate_code", unit.code)
    if text_flaw := name_flaw(unit.name):
        return Flaw(unit.row, text_flaw, f"{unit.code} {unit.name}")
    if any(len(getattr(unit, name)) > limit for name, limit in TEXT_LENGTHS_MAX.items()):
        return Flaw(unit.row, "text_too_long", unit.code)
    return None


def is_code(code: str, level: str) -> bool:
    """Tell whether a code has the digits of its level."""
    return len(code) == CODE_DIGITS[level] and code.isascii() and code.isdecimal()


def name_flaw(name: str) -> str | None:
    """Return the code of what is wrong with a name, if anything is."""
    if not name:
        return "name_missing"
    if len(name) > TEXT_LENGTHS_MAX["name"]:
        return "text_too_long"
    return "name_damaged" if DAMAGE & set(name) or not name.isprintable() else None


def _with_bare_parents(units: list[Unit]) -> list[Unit]:
    """Cut padded parent codes to the code of the parent, and drop the province above a city."""
    codes = {unit.code for unit in units}
    bare = {unit.code.ljust(PADDED_DIGITS, "0"): unit.code for unit in reversed(units)}
    return [replace(unit, parent_code=_bare_parent(unit, codes, bare)) for unit in units]


def _bare_parent(unit: Unit, codes: set[str], bare: Mapping[str, str]) -> str:
    if unit.level == LEVELS[0]:
        return ""
    code = unit.parent_code
    return code if code in codes else bare.get(code, code)


def _parent_flaws(units: list[Unit], standing: Mapping[str, str]) -> list[Flaw]:
    levels = {**standing, **{unit.code: unit.level for unit in units}}
    parents = {unit.code: unit.parent_code for unit in units if unit.parent_code}
    flaws = []
    for unit in units:
        if unit.level != LEVELS[0] and (code := _parent_flaw(unit, levels, parents)):
            flaws.append(Flaw(unit.row, code, f"{unit.code} {unit.name}"))
    return flaws


def _parent_flaw(unit: Unit, levels: Mapping[str, str], parents: Mapping[str, str]) -> str | None:
    if unit.parent_code not in levels:
        return "parent_missing"
    if _in_circle(unit.code, parents):
        return "circle"
    # Rights reach up and down by the depth of a path, so no level may be left out.
    one_higher = LEVELS.index(levels[unit.parent_code]) == LEVELS.index(unit.level) - 1
    return None if one_higher else "parent_level"


def _in_circle(code: str, parents: Mapping[str, str]) -> bool:
    seen, above = {code}, parents.get(code, "")
    while above in parents and above not in seen:
        seen.add(above)
        above = parents[above]
    return above in seen
