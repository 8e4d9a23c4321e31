"""The JSON that the engine writes itself: in tables, pages and cursors. Wire input is read in wire.

Whatever came through ``sync.wire`` fits: its numbers have at most 64 bits, its texts are UTF-8.
"""

import json
from typing import Any

import orjson


def dump(value: Any) -> str:
    """Return a value as compact JSON; moments become text."""
    try:
        return orjson.dumps(value, default=dict).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)


def load(text: str | bytes) -> Any:
    """Return the value of a JSON text that ``dump`` has written.

    Raises:
        ValueError: it is none.
    """
    return orjson.loads(text)
