"""What no form may ask: the patterns of data/forbidden_fields.csv, over every word of a form."""

from collections.abc import Iterator
from typing import Any

from app.core.forbidden import patterns
from sync.errors import FieldError


def forbidden_faults(source: Any) -> list[FieldError]:
    """Return each place of a definition that asks for, or reckons with, what must not be held."""
    return [
        FieldError(path, "forbidden_topic", {"topic": topic})
        for path, text in _texts(source, "")
        for topic, pattern in patterns()
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
