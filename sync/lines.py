"""A pull in lines, and what a phone can make of it when the line was cut."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sync.encoding import load

NDJSON = "application/x-ndjson"
MARK_EVERY = 50


def whole_lines(raw: bytes) -> list[str]:
    """Return the lines that arrived whole; what stands behind the last line end is lost.

    Only a line feed ends a line: a text may hold other characters that pass for line ends.
    """
    return [line.decode() for line in raw.split(b"\n")[:-1]]


def is_whole(lines: Sequence[str]) -> bool:
    """Tell whether a pull has arrived up to its last line, the one that ends it."""
    return bool(lines) and "complete" in load(lines[-1])


def pages(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the lines of a pull as pages: from one cursor to the next, and on to the last.

    Of a cut pull the items behind the last cursor are left out: the phone asks for them again.
    """
    shapes = map(load, lines)
    head = next(shapes, None)
    if head is None:
        return
    items: list[Any] = []
    page = {**head, "complete": False, "digest": {}, "ver": {}, "copies": []}
    for shape in shapes:
        if "op" in shape:
            items.append(shape)
            continue
        yield {**page, **shape, "items": items}
        page |= {"from": shape["to"], "drop": [], "reset": []}
        items = []
