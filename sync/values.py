"""The types a field may have on the wire: each checks one JSON value and returns it normalised."""

import json
import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

LON_MAX, LAT_MAX = 180.0, 90.0
DEGREE_DECIMALS = 7
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_PLAIN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


class Invalid(ValueError):
    """A value breaks its field's limits; ``code`` is stable, ``limits`` say what is allowed."""

    def __init__(self, code: str, **limits: Any) -> None:
        super().__init__(code)
        self.code = code
        self.limits = limits


class ValueType(Protocol):
    """What every type can do."""

    def check(self, value: Any) -> Any:
        """Return the value normalised, or raise ``Invalid``; ``None`` never arrives here."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text of ``least`` to ``most`` characters, in normal form C, without control characters."""

    most: int
    least: int = 0
    pattern: str | None = None

    def check(self, value: Any) -> str:
        """Check a text."""
        if not isinstance(value, str):
            raise Invalid("not_text")
        text = unicodedata.normalize("NFC", value).strip()
        if _CONTROL.search(text):
            raise Invalid("control_character")
        if not self.least <= len(text) <= self.most:
            raise Invalid("wrong_length", least=self.least, most=self.most)
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise Invalid("wrong_form", pattern=self.pattern)
        return text


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``least`` to ``most``."""

    least: int
    most: int

    def check(self, value: Any) -> int:
        """Check a whole number; ``true`` is not one."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Invalid("not_a_whole_number")
        if not self.least <= value <= self.most:
            raise Invalid("out_of_range", least=self.least, most=self.most)
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number from ``least`` to ``most``."""

    least: float
    most: float

    def check(self, value: Any) -> float:
        """Check a number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid("not_a_number")
        if not self.least <= value <= self.most:
            raise Invalid("out_of_range", least=self.least, most=self.most)
        return value


@dataclass(frozen=True, slots=True)
class Truth:
    """Yes or no."""

    def check(self, value: Any) -> bool:
        """Check a yes or no."""
        if not isinstance(value, bool):
            raise Invalid("not_true_or_false")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the listed codes."""

    choices: tuple[str, ...]

    def check(self, value: Any) -> str:
        """Check a code."""
        if not isinstance(value, str) or value not in self.choices:
            raise Invalid("not_a_choice", choices=list(self.choices))
        return value


@dataclass(frozen=True, slots=True)
class Identity:
    """A UUID in its usual form with dashes, small letters."""

    def check(self, value: Any) -> str:
        """Check an id."""
        if not isinstance(value, str) or len(value) != 36:
            raise Invalid("not_an_id")
        if _PLAIN_ID.fullmatch(value):
            return value
        try:
            return str(uuid.UUID(value))
        except ValueError:
            raise Invalid("not_an_id") from None


def as_identity(value: Any) -> str | None:
    """Return an id normalised, or None when the value is none."""
    if value is None:
        return None
    try:
        return Identity().check(value)
    except Invalid:
        return None


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment with its zone, returned in UTC to the millisecond (``2026-01-31T08:00:00.000Z``)."""

    def check(self, value: Any) -> str:
        """Check a moment."""
        if not isinstance(value, str) or len(value) > 40:
            raise Invalid("not_a_moment")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Invalid("not_a_moment") from None
        if moment.tzinfo is None:
            raise Invalid("zone_missing")
        try:
            text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
        except OverflowError:
            raise Invalid("not_a_moment") from None
        return text.replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Position:
    """A WGS-84 position as ``[longitude, latitude]`` in degrees."""

    def check(self, value: Any) -> list[float]:
        """Check a position; the null island at 0, 0 is a broken receiver, not a place."""
        if not isinstance(value, list) or len(value) != 2:
            raise Invalid("not_a_position")
        lon = Number(-LON_MAX, LON_MAX).check(value[0])
        lat = Number(-LAT_MAX, LAT_MAX).check(value[1])
        if lon == 0 and lat == 0:
            raise Invalid("null_island")
        return [round(float(lon), DEGREE_DECIMALS), round(float(lat), DEGREE_DECIMALS)]


@dataclass(frozen=True, slots=True)
class Phone:
    """A Chinese telephone number as people type it, returned in E.164."""

    def check(self, value: Any) -> str:
        """Check a telephone number."""
        if not isinstance(value, str) or len(value) > 40:
            raise Invalid("not_a_phone")
        digits = unicodedata.normalize("NFKC", value)
        digits = re.sub(r"[\s\-()]", "", digits)
        digits = re.sub(r"^(\+86|0086|86(?=1[3-9]\d{9}$))", "", digits)
        if re.fullmatch(r"1[3-9]\d{9}", digits):
            return "+86" + digits
        if re.fullmatch(r"0?[2-9]\d{1,2}\d{7,8}", digits) and 10 <= len(digits.lstrip("0")) <= 11:
            return "+86" + digits.lstrip("0")
        raise Invalid("not_a_phone")


@dataclass(frozen=True, slots=True)
class Listing:
    """Up to ``most`` values of one type, in the order given."""

    item: ValueType
    most: int

    def check(self, value: Any) -> list[Any]:
        """Check a list."""
        if not isinstance(value, list):
            raise Invalid("not_a_list")
        if len(value) > self.most:
            raise Invalid("too_many", most=self.most)
        return [self.item.check(item) for item in value]


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set of up to ``most`` codes, returned sorted, each once."""

    item: ValueType
    most: int

    def check(self, value: Any) -> list[str]:
        """Check a set."""
        return sorted(set(Listing(self.item, self.most).check(value)))


@dataclass(frozen=True, slots=True)
class Named:
    """Values by name, up to ``most`` of them and so many characters of JSON in all.

    Each is plain, or a list of plain values, or a list of rows that hold such by name.
    """

    most: int
    characters: int

    def check(self, value: Any) -> dict[str, Any]:
        """Check an object of texts, numbers, truths, and lists of these or of rows."""
        if not isinstance(value, Mapping):
            raise Invalid("not_an_object")
        self._check_names(value)
        for one in value.values():
            rows = [row for row in one if isinstance(row, Mapping)] if isinstance(one, list) else []
            for row in rows:
                self._check_names(row)
                _check_plain(row.values())
            _check_plain([[x for x in one if not isinstance(x, Mapping)] if rows else one])
        if len(json.dumps(value, ensure_ascii=False, default=dict)) > self.characters:
            raise Invalid("wrong_length", least=0, most=self.characters)
        return dict(value)

    def _check_names(self, value: Mapping[str, Any]) -> None:
        if len(value) > self.most:
            raise Invalid("too_many", most=self.most)
        if not all(map(_NAME.fullmatch, value)):
            raise Invalid("wrong_form", pattern=_NAME.pattern)


def _check_plain(values: Iterable[Any]) -> None:
    """Refuse what is neither plain nor a list of plain values."""
    for value in values:
        plain = value if isinstance(value, list) else [value]
        if not all(one is None or isinstance(one, str | int | float) for one in plain):
            raise Invalid("wrong_form")


@dataclass(frozen=True, slots=True)
class Free:
    """A JSON object that the server itself wrote."""

    def check(self, value: Any) -> Any:
        """Check that it is an object or a list."""
        if not isinstance(value, Mapping | list):
            raise Invalid("not_an_object")
        return value
