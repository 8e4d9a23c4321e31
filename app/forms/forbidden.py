"""What no form may ask: the patterns of data/forbidden_fields.csv, over every word of a form."""

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sync.errors import FieldError

PATTERNS = Path(__file__).parents[2] / "data" / "forbidden_fields.csv"


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    with PATTERNS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple((row["topic"], re.compile(row["pattern"], re.IGNORECASE)) for row in rows)


def forbidden_faults(source: Any) -> list[FieldError]:
    """Return each place of a definition that asks for, or reckons with, what must not be held."""
    return [
        FieldError(path, "forbidden_topic", {"topic": topic})
        for path, text in _texts(source, "")
        for topic, pattern in _patterns()
        if pattern.search(text)
    ]


def _texts(source: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a definition, keys of objects too, with its path."""
    below = f"{path}/" if path else ""
    if isinstance(source, dict):
        for name, value in source.items():
            yield f"{below}{name}", name
            yield from _texts(value, f"{below}{name}")
    elif isinstance(source, list):
        for place, value in enumerate(source):
            yield from _texts(value, f"{below}{place}")
    elif isinstance(source, str):
        yield path, source
