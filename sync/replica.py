"""The phone as the protocol asks it to behave: reference for app authors, tests and simulation.

The replica decides nothing about merging. It keeps what was pulled, lays its own edits over it
until a complete pull contains them, and believes the server about what has been taken. Every
method is one local transaction, so a phone may die at any moment. Time and ids are arguments.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sync.digest import as_hex, scope_digest
from sync.replica_tables import Entry, Memory, Row
from sync.wire import read_json

if TYPE_CHECKING:
    import sqlite3

EDITS_MAX = 100
EDIT_BYTES_MAX = 1024 * 1024
WANT_BYTES = 64 * 1024
KEPT_MS = 14 * 86_400_000
ANCHOR_TRIP_MS_MAX = 60_000
FORKED, UNKNOWN = "device_forked", "unknown_device"
SILENT_OPS = ("repair", "discard")


@dataclass(frozen=True, slots=True)
class Instant:
    """What the clocks of the phone say: the one people set, and the one that only runs.

    Attributes:
        boot: changes with each start of the phone, when the running clock begins again.
    """

    wall_ms: int
    monotonic_ms: int
    boot: str


class Replica:
    """One phone on one database connection."""

    def __init__(self, connection: "sqlite3.Connection", *, schema: int = 1) -> None:
        self.memory = Memory(connection)
        self.memory.prepare()
        self.schema = schema

    # -- identity -----------------------------------------------------------------------------

    @property
    def device(self) -> str | None:
        """Return the device id, None before the first enrolment and after a wipe."""
        device: str | None = self.memory.recall("device")
        return device

    @property
    def cursor(self) -> str | None:
        """Return how far the phone has pulled."""
        cursor: str | None = self.memory.recall("cursor")
        return cursor

    @property
    def needs_device(self) -> str | None:
        """Return why the phone must ask for a new device id, if it must."""
        reason: str | None = self.memory.recall("needs_device")
        return reason if self.device else UNKNOWN

    @property
    def alarms(self) -> list[str]:
        """Return the scopes whose digest was wrong even after a whole new copy."""
        alarms: list[str] = self.memory.recall("alarms", [])
        return alarms

    @property
    def wiped(self) -> Mapping[str, Any] | None:
        """Return what the phone owes the office after a wipe: how much was unsent, its ticket."""
        wiped: Mapping[str, Any] | None = self.memory.recall("wiped")
        return wiped

    def take_device(self, device: str) -> None:
        """Go on under a new device id.

        All edits that the log still holds are numbered anew and go again; their own ids stay
        and keep them from counting twice.
        """
        with self.memory.whole():
            self.memory.keep(device=device, next_n=self.memory.renumber(), expected=1)
            self.memory.keep(needs_device=None, anchor=None, wiped=None)

    # -- editing ------------------------------------------------------------------------------

    def edit(
        self,
        op: str,
        kind: str,
        rec: str,
        values: Mapping[str, Any],
        *,
        edit_id: str,
        now: Instant,
    ) -> Mapping[str, Any]:
        """Add an edit to the log; it is shown at once and sent when there is a network.

        Raises:
            NotJson: the values could never be sent.
        """
        with self.memory.whole():
            rv, known = self.memory.row(kind, rec) or (0, {})
            edit = {
                "n": self.memory.recall("next_n", 1), "id": edit_id, "op": op, "kind": kind,
                "rec": rec, "base": rv, "set": dict(values),
                "was": {name: known[name] for name in values if name in known},
                "schema": self.schema, "at": self._at(now),
            }  # fmt: skip
            read_json(json.dumps(edit, ensure_ascii=False))
            self.memory.append(edit)
            self.memory.keep(next_n=edit["n"] + 1)
        return edit

    def _at(self, now: Instant) -> dict[str, Any]:
        """Tell when: by the phone's clock, and by the server's clock carried on since."""
        claimed = max(now.wall_ms, self.memory.recall("last_ms", 0) + 1)
        self.memory.keep(last_ms=claimed)
        at: dict[str, Any] = {"claimed": claimed, "boot": now.boot}
        anchor = self.memory.recall("anchor")
        if anchor and anchor["boot"] == now.boot:
            elapsed_ms = now.monotonic_ms - anchor["monotonic_ms"]
            at |= {"anchor": anchor["text"], "elapsed_ms": elapsed_ms, "device": anchor["device"]}
        return at

    # -- the exchange -------------------------------------------------------------------------

    def request(self, *, want_bytes: int = WANT_BYTES) -> dict[str, Any]:
        """Return the body of the next exchange."""
        first = self.memory.recall("expected", 1)
        until = first + self.memory.recall("batch", EDITS_MAX)
        waiting = self.memory.entries("n >= ? AND n < ?", first, until)
        return {
            "device": self.device, "schema": self.schema, "cursor": self.cursor,
            "edits": [] if self.needs_device else _fitting(waiting), "want_bytes": want_bytes,
            "brief": True,
        }  # fmt: skip

    def receive(
        self, request: Mapping[str, Any], reply: Mapping[str, Any], *, sent: Instant, now: Instant
    ) -> bool:
        """Take in the reply to a request, however late; tell whether a page was applied."""
        pushed, page = reply.get("push"), reply.get("pull")
        with self.memory.whole():
            for receipt in pushed["results"] if pushed else ():
                self.memory.answered(receipt["id"], receipt)
            if request["device"] != self.device or self.needs_device:
                return False
            if pushed:
                self._believe(pushed["expected"])
            return page is not None and self._apply(page, sent, now)

    def problem(self, request: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
        """Take in the refusal of a whole request; what is not named here is tried again."""
        code = problem.get("code")
        with self.memory.whole():
            if code == "device_wipe":
                self._wipe(request, problem)
            elif request["device"] != self.device:
                return
            elif code == "gap":
                self._believe(problem["expected"])
            elif code in (FORKED, UNKNOWN):
                self.memory.keep(needs_device=code)
            elif code == "edit_id_reused":
                old = str(problem["edit"])
                self.memory.rename(old, str(uuid.uuid5(uuid.UUID(old), str(self.device))))
            elif code in ("too_large", "too_many_edits"):
                self.memory.keep(batch=max(1, len(request["edits"]) // 2))

    def _wipe(self, request: Mapping[str, Any], order: Mapping[str, Any]) -> None:
        """Erase everything, but send first what may still be sent; keep only that it was done.

        The order says which edit the server wants next: one restored from a backup may lack
        what this phone has long taken for sent.
        """
        if "expected" in order and request["device"] == self.device and not self.needs_device:
            self._believe(order["expected"])
        unsent = len(self.memory.entries("n >= ?", self.memory.recall("expected", 1)))
        if unsent and order.get("drain"):
            return
        self.memory.wipe()
        self.memory.keep(wiped={"unsent": unsent, "ticket": order.get("ticket")})

    def _believe(self, expected: int) -> None:
        """Believe which edit the server wants next, whether it is ahead or behind."""
        next_n = self.memory.recall("next_n", 1)
        if expected > next_n:
            self.memory.keep(needs_device=FORKED)
        elif expected < next_n and not self.memory.entries("n = ?", expected):
            self.memory.keep(needs_device=UNKNOWN)
        else:
            self.memory.keep(expected=expected)

    def _is_me(self, last_n: int, last_id: str | None) -> bool:
        """Tell whether the last edit under this device id is one that this phone has made."""
        if last_n == 0:
            return True
        found = self.memory.entries("n = ?", last_n)
        if found:
            return found[0].id == last_id
        return last_n < int(self.memory.recall("next_n", 1))

    def _apply(self, page: Mapping[str, Any], sent: Instant, now: Instant) -> bool:
        if page["from"] != self.cursor:
            return False
        if not self._is_me(page["last_n"], page["last_id"]):
            self.memory.keep(needs_device=FORKED)
            return False
        server_ms = _milliseconds(page["now"])
        self._set_clock(server_ms, page["anchor"], sent=sent, now=now)
        self.memory.doubt(page["reset"])
        for scope in page["drop"]:
            self.memory.drop(scope)
        for scope, names in page.get("out", {}).items():
            self.memory.leave_briefly(scope, names)
        for item in page["items"]:
            self._take(item)
        self.memory.keep(cursor=page["to"])
        self.memory.taken(page["last_n"], server_ms)
        self._believe(page["last_n"] + 1)
        if page["complete"]:
            self._complete(page, server_ms)
        return True

    def _set_clock(self, server_ms: int, anchor: str, *, sent: Instant, now: Instant) -> None:
        """Raise the hybrid clock; carry the anchor on, unless its trip took too long to say."""
        self.memory.keep(last_ms=max(self.memory.recall("last_ms", 0), server_ms))
        trip_ms = now.monotonic_ms - sent.monotonic_ms
        if sent.boot == now.boot and 0 <= trip_ms <= ANCHOR_TRIP_MS_MAX:
            self.memory.keep(anchor={"text": anchor, "monotonic_ms": now.monotonic_ms,
                                     "boot": now.boot, "device": self.device})  # fmt: skip

    def _take(self, item: Mapping[str, Any]) -> None:
        scope, kind, rec = item["s"], item["t"], item["id"]
        if item["op"] == "put":
            self.memory.put(scope, kind, rec, rv=item["rv"], values=item["f"])
        elif item["op"] == "out":
            self.memory.leave(scope, kind, rec)
        elif item["op"] == "del":
            self.memory.leave(scope, kind, rec)
            self.memory.erase_orphan(kind, rec)
        else:
            self.memory.erase(kind, rec)

    def _complete(self, page: Mapping[str, Any], server_ms: int) -> None:
        """Make the copy whole: nothing too much, nothing too old, and prove it."""
        self.memory.contain(page["last_n"])
        self.memory.sweep(set(page["digest"]))
        self.memory.prune(before_ms=server_ms - KEPT_MS, last_n=page["last_n"])
        wrong = [
            scope for scope, digest in page["digest"].items()
            if as_hex(scope_digest(self.memory.shown(scope))) != digest
        ]  # fmt: skip
        if wrong and not self.memory.recall("healing"):
            self.memory.doubt()
            healed = self.memory.recall("healed", 0) + 1
            self.memory.keep(healing=True, healed=healed, cursor=None)
        else:
            self.memory.keep(healing=False, alarms=wrong)

    # -- what a screen shows ------------------------------------------------------------------

    def row(self, kind: str, rec: str) -> Row | None:
        """Return one record as the worker should see it, None when there is none."""
        own = self.memory.entries("kind = ? AND rec = ? AND contained = 0", kind, rec)
        return _overlaid(kind, rec, self.memory.row(kind, rec), own)

    def rows(self, kind: str) -> dict[str, Row]:
        """Return all records of a kind as the worker should see them, by id."""
        pulled = self.memory.rows(kind)
        own: dict[str, list[Entry]] = {}
        for entry in self.memory.entries("kind = ? AND contained = 0", kind):
            own.setdefault(entry.edit["rec"], []).append(entry)
        shown = {rec: _overlaid(kind, rec, pulled.get(rec), own.get(rec, ()))
                 for rec in [*pulled, *(rec for rec in own if rec not in pulled)]}  # fmt: skip
        return {rec: row for rec, row in shown.items() if row}

    def outbox(self) -> list[Mapping[str, Any]]:
        """Return the edits that the server has not been seen to have, oldest first."""
        return [entry.edit for entry in self.memory.entries("taken_ms IS NULL")]

    def receipts(self) -> list[Entry]:
        """Return the edits that have been answered, with their receipts, oldest first."""
        return self.memory.entries("receipt IS NOT NULL")

    def conflicts(self) -> list[Row]:
        """Return the conflicts that nobody has resolved yet."""
        rows = self.rows("conflict").values()
        return [row for row in rows if row.values["state"] != "resolved"]


def _overlaid(
    kind: str, rec: str, pulled: tuple[int, dict[str, Any]] | None, own: Iterable[Entry]
) -> Row | None:
    """Lay edits over a pulled row; without a row only a creation shows anything."""
    rv, values = pulled or (0, {})
    there, touched = pulled is not None, False
    for entry in own:
        op = entry.edit["op"]
        if op in SILENT_OPS or not (there or op == "create"):
            continue
        touched = True
        there = op != "delete"
        values = {**values, **entry.edit["set"]} if there else {}
        if op == "resolve":
            values["state"] = "resolved"
    return Row(kind, rec, rv, values, touched) if there else None


def _fitting(entries: Iterable[Entry]) -> list[Mapping[str, Any]]:
    """Return as many edits as one request may carry, at least one."""
    fitting: list[Mapping[str, Any]] = []
    room = EDIT_BYTES_MAX
    for entry in entries:
        room -= len(json.dumps(entry.edit, ensure_ascii=False).encode())
        if fitting and room < 0:
            break
        fitting.append(entry.edit)
    return fitting


def _milliseconds(moment: str) -> int:
    """Return the milliseconds of a moment as the server writes it."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
