"""Find what free text must not hold: numbers of identity cards, bank cards and telephones."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from sync.errors import FieldError, Refusal
from sync.values import Invalid, Phone

IDENTITY, CARD, TELEPHONE = "identity_number_found", "account_number_found", "phone_found"


class Found(NamedTuple):
    """Where a number stands that must not, and of which sort it is."""

    start: int
    end: int
    code: str


def find(text: str) -> list[Found]:
    """Return the numbers that must not stand in free text, in their order."""
    found: list[Found] = []
    for code, (pattern, is_one) in _SORTS.items():
        for match in pattern.finditer(text):
            start, end = match.span()
            taken = any(start < one.end and one.start < end for one in found)
            if not taken and is_one(re.sub(r"[ -]", "", match[0])):
                found.append(Found(start, end, code))
    return sorted(found)


def is_identity_number(digits: str) -> bool:
    """Tell whether 18 characters hold a date of birth where an identity card's number has it.

    The check digit is not asked for: a number with one digit wrong still points at somebody.
    """
    try:
        born = date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    return 1900 <= born.year <= 2099


def is_card_number(digits: str) -> bool:
    """Tell whether the check digit of a bank card fits."""
    doubled = (int(one) * (2 if place % 2 else 1) for place, one in enumerate(reversed(digits)))
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def is_telephone(digits: str) -> bool:
    """Tell whether digits are a telephone number."""
    try:
        Phone().check(digits)
    except Invalid:
        return False
    return True


_SORTS: Mapping[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    IDENTITY: (
        re.compile(r"(?<![0-9])[1-9](?:[ -]?[0-9]){16}[ -]?[0-9Xx](?![0-9])"), is_identity_number,
    ),
    CARD: (re.compile(r"(?<![0-9])[3-6](?:[ -]?[0-9]){15,18}(?![0-9])"), is_card_number),
    TELEPHONE: (
        re.compile(r"(?<![0-9])(?:(?:\+?86[ -]?)?1[3-9](?:[ -]?[0-9]){9}"
                   r"|0[0-9]{2,3}[ -]?[0-9]{7,8})(?![0-9])"), is_telephone,
    ),
}  # fmt: skip


def masked(text: str) -> str:
    """Return a text with stars where such numbers stood."""
    for start, end, _ in reversed(find(text)):
        text = text[:start] + "*" * (end - start) + text[end:]
    return text


def _digits(number: str) -> str:
    return re.sub(r"[^0-9Xx]", "", number).removeprefix("86")


def check_clean(field: str, text: object, *, but: str = "") -> None:
    """Refuse a text with such numbers, saying only where they stand.

    Args:
        but: a text with the numbers that may stand there, such as that of an office.

    An error is stored unsealed and shown to others, so it never carries any of the text: whoever
    wrote it has it, and can put stars where the numbers are.

    Raises:
        Refusal: ``invalid_fields``, with what was found where.
    """
    known = {_digits(but[one.start : one.end]) for one in find(but)}
    found = [one for one in find(text) if _digits(text[one.start : one.end]) not in known
             ] if isinstance(text, str) else []  # fmt: skip
    if found:
        codes = dict.fromkeys(one.code for one in found)
        spans = {code: [[one.start, one.end] for one in found if one.code == code]
                 for code in codes}  # fmt: skip
        raise Refusal("invalid_fields", *(
            FieldError(field, code, {"spans": spans[code]}) for code in codes
        ))  # fmt: skip
