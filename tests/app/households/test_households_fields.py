"""Every field that we hold of people is on the list, as the list says."""

import csv
import re
from pathlib import Path

from app.core.engine import current_engine
from tests.app.core.county import County


def test_no_field_of_the_list_is_missing_and_none_is_kept_longer(county: County) -> None:
    """The declarations hold what data/household_fields.csv says of each field."""
    path = Path(__file__).parents[3] / "data" / "household_fields.csv"
    tables = current_engine().tables
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["entity"] in tables]
    checked = 0
    for row in rows:
        for name in re.split(" / |, ", row["field"]):
            declared = tables[row["entity"]].declared.get(name)
            if declared is None:
                assert name in ("id", "grid_code") or name[0].isdigit(), (row["entity"], name)
                continue
            checked += 1
            assert declared.privacy == row["class"][:2], name
            assert declared.sealed == ("encrypted" in row["class"]), name
            assert declared.offline == (row["offline_on_phone"] == "1"), name
            assert bool(declared.needs) == ("consent" in row["basis"]), name
    assert checked > 30
