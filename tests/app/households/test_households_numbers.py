"""Telephone numbers as people type them: every row of the shared table, wherever one is checked."""

import csv
from pathlib import Path

import pytest

from app.core.engine import current_engine
from app.identity.appointments import NewUser, checked_account
from sync.errors import Problem
from sync.values import Invalid, Phone
from tests.app.core.county import County
from tests.house import tree

TABLE: Path = tree.ROOT / "data" / "phone_vectors.csv"


def _rows() -> list[tuple[str, str, bool]]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return [(row["input"], row["e164"], row["valid"] == "1") for row in csv.DictReader(lines)]


def test_every_row_holds_wherever_a_number_is_checked(county: County) -> None:
    """Fields of records, on phones and in the office, the look for duplicates, and people."""
    kinds = current_engine().tables.values()
    fields = {f"{one.kind.name}.{field.name}": field.type
              for one in kinds for field in one.kind.fields
              if isinstance(field.type, Phone)}  # fmt: skip
    assert fields.keys() == {"contact.phone", "emergency_entry.contact_phone"}
    rows = _rows()
    assert len(rows) == 13 and sum(valid for *_, valid in rows) == 8
    for typed, stored, valid in rows:
        for name, type_ in fields.items():
            assert _checked(type_, typed) == (stored if valid else None), (name, typed)


def _checked(type_: Phone, typed: str) -> str | None:
    try:
        return type_.check(typed)
    except Invalid:
        return None


@pytest.mark.parametrize(("typed", "stored", "valid"), [row for row in _rows() if row[0]])
def test_every_row_holds_for_the_people_who_work_here(
    county: County, typed: str, stored: str, valid: bool
) -> None:
    new = NewUser(name="王五", login=None, password=None, phone=typed, post=None)  # type: ignore[arg-type]
    if valid:
        assert checked_account(county.house, new, [])["phone"] == stored
        return
    with pytest.raises(Problem) as refused:
        checked_account(county.house, new, [])
    assert refused.value.extra["errors"][0]["code"] == "not_a_phone"
