"""The registry of fields: what every column of every table is held for, on what basis, how long.

``data/personal_fields.csv`` is read at the start; a row that does not say enough stops it. House
tests hold it against models, schemas, forms and the API document: no purpose, no field.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.core.records import P0, P1, P2, P3

REGISTRY = Path(__file__).parents[2] / "data" / "personal_fields.csv"
NOBODY, RESIDENT, WORKER = "-", "resident", "worker"
CLASSES = (P0, P1, P2, P3)
EMPTY, ERASE, DELETE = "empty", "erase", "delete"
BY_RETENTION = (EMPTY, ERASE, DELETE)
"""How the nightly job ends a field; it goes alone, with its record, or with its row."""
BY_OTHERS = ("consent", "lapse", "destroy", "compact", "expire", "tend", "audit", "keep_proof")
"""What ends at the hand of another job, which the word names (docs/rights.md)."""
_PERIOD = re.compile(r"P\d{1,3}[DM]")
_BILINGUAL = re.compile(r".+ / .+")


class Flaw(ValueError):
    """The registry does not say enough of a field."""


@dataclass(frozen=True, slots=True)
class HeldField:
    """What is said of one column.

    Attributes:
        of: whose it is: a resident's, a worker's, or nobody's.
        keeps, after, ends: how long it stays after what, and how it goes.
        need, effect: of sensitive ones, why they are needed and what follows for the person.
    """

    table: str
    field: str
    of: str
    level: str
    mask: str
    purpose: str
    basis: str
    retention: str
    keeps: str
    after: str
    ends: str
    offline: bool
    need: str
    effect: str

    @property
    def name(self) -> str:
        """Return the name of the column with its table."""
        return f"{self.table}.{self.field}"


def flaws(one: HeldField) -> list[str]:
    """Return what is missing or makes no sense."""
    wrong = []
    if not _BILINGUAL.fullmatch(one.purpose):
        wrong.append("no purpose in both languages: no field")
    if one.level not in CLASSES or one.of not in (NOBODY, RESIDENT, WORKER):
        wrong.append("no class or owner")
    if one.of != NOBODY and (one.level == P0 or one.basis == "-"):
        wrong.append("personal, and without class or basis")
    if not one.retention:
        wrong.append("no retention")
    if (one.ends and not (_PERIOD.fullmatch(one.keeps) or one.keeps == "")) or (
        one.ends in BY_RETENTION and not (one.keeps and one.after)
    ):
        wrong.append("no period")
    if one.ends not in ("", *BY_RETENTION, *BY_OTHERS):
        wrong.append("nobody ends it")
    if one.level == P3 and not (
        _BILINGUAL.fullmatch(one.need) and _BILINGUAL.fullmatch(one.effect)
    ):
        wrong.append("sensitive, and without need and effect")
    return wrong


def read(lines: Iterable[str]) -> tuple[HeldField, ...]:
    """Return the fields of a registry.

    Raises:
        Flaw: it does not say enough of one of them, or names one twice.
    """
    found = tuple(
        HeldField(
            row["table"], row["field"], row["of"], row["class"], row["mask"], row["purpose"],
            row["basis"], row["retention"], row["keeps"], row["after"], row["ends"],
            row["offline"] == "1", row["need"], row["effect"],
        )
        for row in csv.DictReader(lines)
    )  # fmt: skip
    wrong = [f"{one.name}: {flaw}" for one in found for flaw in flaws(one)]
    names = [one.name for one in found]
    wrong += sorted({f"{name}: stands twice" for name in names if names.count(name) > 1})
    if wrong:
        raise Flaw("; ".join(wrong))
    return found


@cache
def registry() -> tuple[HeldField, ...]:
    """Return the registry of this release."""
    with REGISTRY.open(encoding="utf-8", newline="") as file:
        return read(file)


def personal(fields: Sequence[HeldField]) -> list[HeldField]:
    """Return the fields that are somebody's."""
    return [one for one in fields if one.of != NOBODY]
