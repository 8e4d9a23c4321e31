"""The rules of identity as pure functions: who stands above whom, and what a password must be."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

CODE_LIFE = timedelta(minutes=15)
ACCESS_LIFE = timedelta(minutes=10)
PHONE_IDLE, PHONE_ABSOLUTE = timedelta(days=45), timedelta(days=90)
# An office computer stands where others pass (GB/T 22239-2019 8.1.4.1 b); a page in use refreshes.
OFFICE_IDLE, OFFICE_ABSOLUTE = timedelta(minutes=30), timedelta(days=7)
REPLY_LOST_WITHIN = timedelta(hours=24)
PROOF_DRIFT = timedelta(minutes=5)
DRAIN = timedelta(hours=72)

STEP_S = 30
CODE_DIGITS = 6
RECOVERY_CODES, RECOVERY_BYTES = 10, 10
# A password that somebody else has set is good for so long, to choose another one.
TEMPORARY_PASSWORD = timedelta(hours=72)
FIRST_PASSWORD = timedelta(days=7)
OWES_PASSWORD, OWES_FACTOR = "password_change_needed", "second_factor_not_set"

PASSWORD_MIN, MANAGER_PASSWORD_MIN, PASSWORD_MAX = 8, 12, 128
MANAGERS = frozenset({"cm", "au", "da"})
# The heart of passwords that everybody tries first; digits around them do not help.
_COMMON = """
password passw0rd qwerty qwertyui qwertyuiop asdfghjkl zxcvbnm qaz qazwsx qweasd qweasdzxc asdasd
abc abcd abcdef abcabc a b q qq wx iloveyou letmein welcome admin administrator root guest default
changeme secret user login test demo woaini aini wangge baiyin 网格 白银 密码
"""
COMMON_PASSWORDS = frozenset(_COMMON.split())

# Serving roles stand above one another; auditors and device admins stand beside the line.
RANK: Mapping[str, int] = MappingProxyType({"gw": 1, "vl": 2, "ts": 3, "cm": 4})
ROLE_LEVELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "gw": frozenset({"grid"}),
        "vl": frozenset({"village"}),
        "ts": frozenset({"township"}),
        "cm": frozenset({"county", "city"}),
        "au": frozenset({"county", "city"}),
        "da": frozenset({"township", "county", "city"}),
    }
)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ms_of(moment: datetime) -> int:
    """Return a moment in whole milliseconds since 1970, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment_of(ms: int) -> datetime:
    """Return the moment of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)


def what_is_owed(password_until: datetime | None, factor_at: datetime | None) -> str | None:
    """Return what whoever is signed in to the office must do first, None when nothing."""
    if password_until is not None:
        return OWES_PASSWORD
    return OWES_FACTOR if factor_at is None else None


def step_of(now: datetime) -> int:
    """Return the number of the half minute, counted from 1970, as one-time codes count."""
    return ms_of(now) // (STEP_S * 1000)


def may_hand_out(author_roles: Iterable[str], role: str) -> bool:
    """Tell whether a holder of these roles may give somebody a role: never one above his own."""
    highest = max((RANK.get(held, 0) for held in author_roles), default=0)
    return role in RANK and RANK[role] <= highest


def fits_level(role: str, level: str) -> bool:
    """Tell whether a role is served at this level of area."""
    return level in ROLE_LEVELS[role]


def prepared_password(password: str) -> str:
    """Return the one form of a password that different keyboards may write differently."""
    return unicodedata.normalize("NFKC", password)


def password_fault(
    password: str, *, about: Iterable[str], roles: Iterable[str], phone: str | None = None
) -> str | None:
    """Return the code of what is wrong with a new password, or None.

    Args:
        about: login, name and the like; none may be the password.
        roles: those the person holds; managers need a longer one.
        phone: the person's telephone number, which half the township knows.
    """
    text = prepared_password(password)
    least = MANAGER_PASSWORD_MIN if MANAGERS.intersection(roles) else PASSWORD_MIN
    if len(text) < least:
        return "password_too_short"
    if len(text) > PASSWORD_MAX:
        return "password_too_long"
    folded = text.casefold()
    if _is_common(folded) or any(_repeats(folded, word.casefold()) for word in about if word):
        return "password_too_common"
    return "password_too_common" if _is_number(folded, phone) else None


def _is_common(folded: str) -> bool:
    core = folded.strip("0123456789!@#$%^&*._-+=~? ")
    if core in COMMON_PASSWORDS:
        return True
    return not core or len(set(folded)) < 4


def _repeats(folded: str, word: str) -> bool:
    """Tell whether a text is hardly more than a word the attacker knows anyway."""
    return len(word) > 1 and word in folded and len(folded) - len(word) < 4


def _is_number(folded: str, phone: str | None) -> bool:
    """Tell whether a text is hardly more than a telephone number, however it is grouped."""
    if not phone:
        return False
    bare = {ord(sign): None for sign in " -+()._"}
    return _repeats(folded.translate(bare), phone.translate(bare).removeprefix("86"))


def masked_name(name: str) -> str:
    """Return a name of which only the first character can be read."""
    return name[:1] + "*" * max(1, len(name) - 1)


def masked_phone(phone: str) -> str:
    """Return a telephone number of which only the last four digits can be read."""
    return "*" * max(0, len(phone) - 4) + phone[-4:]
