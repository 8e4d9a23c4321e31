"""What a worker does with notices and under emergency orders, as edits of the phone."""

from collections.abc import Mapping
from typing import Any

from app.core.identifiers import new_id
from app.phone.client import Phone
from sync.replica_tables import Row

READ = "notices_read"


class NoAlarm(Exception):
    """Only emergency notices are acknowledged by name."""


def is_new(phone: Phone, notice: str, values: Mapping[str, Any]) -> bool:
    """Tell whether this version of a notice has not been read on this phone yet."""
    read: dict[str, int] = phone.replica.memory.recall(READ, {})
    return int(values["version"]) > read.get(notice, 0)


def mark_read(phone: Phone, notice: Row) -> None:
    """Note on the phone that a notice has been read; what is gone is forgotten with it."""
    here = phone.replica.rows("notice")
    read: dict[str, int] = phone.replica.memory.recall(READ, {})
    kept = {name: version for name, version in read.items() if name in here}
    phone.replica.memory.keep(**{READ: {**kept, notice.rec: notice.values["version"]}})


def explain(phone: Phone, notice: Row, grid: int, times: int) -> str:
    """Count that a notice was explained in a grid; return the id of the edit."""
    for row in phone.replica.rows("notice_explained").values():
        if (row.values["notice"], row.values["grid"]) == (notice.rec, grid):
            return phone.edit("add", "notice_explained", row.rec, {"times": times})
    values = {"notice": notice.rec, "grid": grid, "times": times}
    return phone.edit("create", "notice_explained", new_id(), values)


def acknowledge(phone: Phone, notice: Row) -> str | None:
    """Say that an alarm has arrived; return the id of the edit, None if it was said before.

    Raises:
        NoAlarm: it is no emergency notice.
    """
    if notice.values["urgency"] != "emergency":
        raise NoAlarm
    version = notice.values["version"]
    for row in phone.replica.rows("notice_ack").values():
        if row.values["notice"] == notice.rec and row.values["version"] >= version:
            return None
    return phone.edit("create", "notice_ack", new_id(), {"notice": notice.rec, "version": version})


def enter(phone: Phone, order: Row, grid: int, values: Mapping[str, Any]) -> str:
    """Enter what an order asks for, and return the entry's id."""
    entry = new_id()
    asked = {name: value for name, value in values.items() if value is not None}
    phone.edit("create", "emergency_entry", entry, {"order_id": order.rec, "grid": grid, **asked})
    return entry
