"""Pure rules of emergency campaigns: when an order holds, what it may ask, what may be shown."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Values = Mapping[str, Any]

ENTRY_FIELDS = ("count_arrived", "from_region", "arrived_on", "contact_phone")
ENTRY_FRAME = frozenset({"order_id", "grid", "answers"})
PROPOSED, OPEN = "proposed", "open"
STATES = (PROPOSED, OPEN)
ORDER_RANK, ENTRY_RANK = 11, 55
KEPT_AFTER_END = timedelta(days=30)
KEPT_AFTER_END_MS = KEPT_AFTER_END // timedelta(milliseconds=1)
LENGTH_MAX = timedelta(days=366)
CELL_MIN = 5


def split(paths: str | None) -> list[str]:
    """Return the paths of the areas of an order."""
    return [path for path in (paths or "").split(",") if path]


def scopes_of(values: Values) -> tuple[str, ...]:
    """Return the scopes that show an order: those of its areas, once it is open."""
    if values.get("state") != OPEN:
        return ()
    return tuple(f"area:{path.split('.')[-2]}" for path in split(values.get("paths")))


def holds_at(order: Values, moment: str) -> bool:
    """Tell whether entries may be made under an order at a moment of the wire."""
    return order.get("state") == OPEN and order["starts"] <= moment < order["ends"]


def covers(order: Values, path: str | None) -> bool:
    """Tell whether the area of a path lies where an order holds."""
    return path is not None and any(path.startswith(one) for one in split(order.get("paths")))


def faults(values: Values) -> Sequence[tuple[str, str]]:
    """Return what is wrong with an order as a whole: field and code."""
    starts, ends, gone = (datetime.fromisoformat(values[name])
                          for name in ("starts", "ends", "destroy_by"))  # fmt: skip
    found = []
    if not values["areas"]:
        found.append(("areas", "required"))
    if not starts < ends <= starts + LENGTH_MAX:
        found.append(("ends", "ends_out_of_bounds"))
    if not ends <= gone <= ends + KEPT_AFTER_END:
        found.append(("destroy_by", "destroyed_too_late"))
    return found


def strangers(values: Values, asked: Iterable[str]) -> list[str]:
    """Return the fields of an entry that its order does not ask for."""
    return sorted(set(values) - ENTRY_FRAME - set(asked))


def reason_of(order: str) -> str:
    """Return what the list of erasures says of all that goes with an order."""
    return f"emergency order {order}"


def suppressed(number: int) -> int | None:
    """Return a number that may stay: none that would point at a few people."""
    return None if 0 < number < CELL_MIN else number


def sealed_by(certificate: Values) -> str:
    """Return the digest of a certificate."""
    text = json.dumps(certificate, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def counted(cells: Mapping[int, int], total: int) -> tuple[dict[int, int | None], int | None]:
    """Return the numbers of some areas that may stay, and their total if it may.

    Beside the others a total tells what the hidden ones sum up to: more are hidden until that
    tells nothing, and if there are not enough, the total is. Which ones does not depend on how
    large they are: that the next smallest was taken would tell something again.
    """
    hidden = {area: number for area, number in cells.items() if suppressed(number) is None}
    larger = sorted(area for area, number in cells.items() if number >= CELL_MIN)
    while hidden and larger and _told_by_sum(hidden.values()):
        area = larger.pop(0)
        hidden[area] = cells[area]
    shown = {area: None if area in hidden else number for area, number in cells.items()}
    told = bool(hidden) and _told_by_sum(hidden.values())
    return shown, None if told else suppressed(total)


def _told_by_sum(hidden: Collection[int]) -> bool:
    """Tell whether a sum points at a few people, or leaves one way only for each to be small."""
    least, most = len(hidden), len(hidden) * (CELL_MIN - 1)
    few = sum(hidden) < CELL_MIN
    return few or (max(hidden) < CELL_MIN and sum(hidden) in (least, most))
