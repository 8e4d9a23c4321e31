"""See what is sealed with which key, without opening anything.

Base64 shows the number of the key in the first two letters of a text; bytes begin with it; the
values of an index begin with its mark, those of the first key with a digit.
"""

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.keyring import BLIND_MARK, FIRST, KeyRing, blind_mark
from app.keys.registry import Sealed

OPEN = 0
"""In place of a number: the text is not sealed, though its kind has come to be since."""
BRACE = "{"
LETTERS = 2
MARK_LETTERS = 3
Counts = Mapping[str, Mapping[int, int]]
"""How many values of which table and column are sealed with which key."""


def beginnings(number: int) -> list[str]:
    """Return all ways in which a text sealed with a key begins."""
    return [base64.b64encode(bytes([number, high << 4, 0])).decode()[:LETTERS]
            for high in range(16)]  # fmt: skip


def sealed_with(one: Sealed, numbers: Collection[int]) -> sa.ColumnElement[bool]:
    """Return the condition that anything of a row, or of its indexes, is of one of some keys."""
    parts = [_column_of(one, name, numbers) for name in one.columns]
    parts += [_index_of(one.table.c[name], numbers) for name in one.blinds]
    any_of_them = sa.or_(sa.false(), *parts)
    return any_of_them if one.spared is None else sa.and_(any_of_them, ~one.spared)


def _column_of(one: Sealed, name: str, numbers: Collection[int]) -> sa.ColumnElement[bool]:
    column = one.table.c[name]
    if one.is_bytes(name):
        first = sa.func.substr(column, 1, 1, type_=sa.LargeBinary())
        return first.in_([bytes([number]) for number in sorted(numbers) if number != OPEN])
    letters = [two for n in sorted(numbers) if n != OPEN for two in beginnings(n)]
    sealed = sa.func.substr(column, 1, LETTERS).in_(letters)
    if OPEN not in numbers:
        return sealed
    return sa.or_(sealed, sa.func.substr(column, 1, 1) == BRACE)


def _index_of(column: sa.ColumnElement[str], numbers: Collection[int]) -> sa.ColumnElement[bool]:
    marks = [blind_mark(number) for number in sorted(numbers) if number not in (OPEN, FIRST)]
    marked = sa.func.substr(column, 1, MARK_LETTERS).in_(marks)
    if FIRST not in numbers:
        return marked
    return sa.or_(marked, sa.func.substr(column, 1, 1) != BLIND_MARK)


def counts(session: Session, sealed: Iterable[Sealed]) -> Counts:
    """Return how many values of each column are sealed with which key; a statement a column."""
    found: dict[str, Mapping[int, int]] = {}
    for one in sealed:
        for name in (*one.columns, *one.blinds):
            found[f"{one.table.name}.{name}"] = _counted(session, one, name)
    return found


def _counted(session: Session, one: Sealed, name: str) -> Mapping[int, int]:
    column = one.table.c[name]
    length = MARK_LETTERS if name in one.blinds else LETTERS
    begins = sa.func.substr(column, 1, length, type_=column.type).label("begins")
    query = sa.select(begins, sa.func.count()).where(column.is_not(None)).group_by(begins)
    if one.spared is not None:
        query = query.where(~one.spared)
    found: Counter[int] = Counter()
    for begin, number in session.execute(query):
        if len(begin):
            found[_number_of(begin, index=name in one.blinds)] += number
    return dict(sorted(found.items()))


def _number_of(begin: str | bytes, *, index: bool) -> int:
    """Return the number of the key that a beginning shows."""
    if isinstance(begin, bytes):
        return begin[0]
    if index:
        return int(begin[1:], 16) if begin.startswith(BLIND_MARK) else FIRST
    return OPEN if begin.startswith(BRACE) else base64.b64decode(begin + "AA")[0]


def left(found: Counts, ring: KeyRing) -> int:
    """Return how many values are to be sealed anew: with another key that opens, or with none."""
    numbers = to_renew(ring)
    return sum(n for column in found.values() for key, n in column.items() if key in numbers)


def of_key(found: Counts, number: int) -> Mapping[str, int]:
    """Return how many values of which columns are sealed with one key."""
    return {name: column[number] for name, column in found.items() if column.get(number)}


def to_renew(ring: KeyRing) -> frozenset[int]:
    """Return the numbers of the keys, and that of none, whose texts are sealed anew."""
    return frozenset((OPEN, *ring.numbers[1:]))
