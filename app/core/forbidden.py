"""What must never be held of anybody: the patterns of data/forbidden_fields.csv."""

import csv
import re
from functools import cache
from pathlib import Path

PATTERNS = Path(__file__).parents[2] / "data" / "forbidden_fields.csv"


@cache
def patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the patterns with their topics."""
    with PATTERNS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple((row["topic"], re.compile(row["pattern"], re.IGNORECASE)) for row in rows)


def is_forbidden(name: str) -> bool:
    """Tell whether a field of this name must not be held."""
    return any(pattern.search(name) for _, pattern in patterns())
