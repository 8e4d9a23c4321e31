"""How a phone takes the items of a page: rows that are shown, and rows that are shown no more."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sync.grounds import EMPTIED
from sync.replica_tables import Memory


def take(memory: Memory, items: Sequence[Mapping[str, Any]]) -> None:
    """Take items in their order; those that follow one another and show rows, in one go."""
    for puts, some in groupby(items, _is_put):
        if puts:
            _put(memory, list(some))
        else:
            for item in some:
                _lose(memory, item)


def _is_put(item: Mapping[str, Any]) -> bool:
    return bool(item["op"] == "put")


def _put(memory: Memory, items: Sequence[Mapping[str, Any]]) -> None:
    memory.put_all([(one["s"], one["t"], one["id"], one["rv"], one["f"]) for one in items])
    for one in items:
        if emptied := one["f"].get(EMPTIED):
            memory.unsay(emptied, rec=one["id"])


def _lose(memory: Memory, item: Mapping[str, Any]) -> None:
    scope, kind, rec = item["s"], item["t"], item["id"]
    if item["op"] == "out":
        memory.leave(scope, kind, rec)
    elif item["op"] == "del":
        memory.leave(scope, kind, rec)
        memory.erase_orphan(kind, rec)
    else:
        memory.erase(kind, rec)
