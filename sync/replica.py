"""The phone as the protocol asks it to behave: reference for app authors, tests and simulation.

The replica decides nothing about merging. It keeps what was pulled, lays its own edits over it
until a complete pull contains them, and believes the server about what has been taken. Every
method is one local transaction, so a phone may die at any moment. Time and ids are arguments.
"""

import itertools
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sync import healing, overlay, page_items
from sync.clock import AHEAD_MS_MAX
from sync.encoding import dump
from sync.first_copies import FirstCopies
from sync.grounds import barred_by
from sync.replica_tables import Entry, Memory, Row
from sync.wire import read_json

if TYPE_CHECKING:
    import sqlite3

EDITS_MAX = 100
EDIT_BYTES_MAX = 1024 * 1024
WANT_BYTES = 64 * 1024
KEPT_MS = 14 * 86_400_000
ANCHOR_TRIP_MS_MAX = 60_000
AS_SENT = json.JSONEncoder(ensure_ascii=False)
"""Writes also what JSON does not know, so that it is found before it is sent."""
FORKED, UNKNOWN, TOO_OLD = "device_forked", "unknown_device", "upgrade_required"
ERASED = "erased"
PARKING = "parked"


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
    """One phone on one database connection.

    Attributes:
        schema: the wire of the app as a whole; below the server's least it gets no more records.
        schemas: of each kind whose schema, as the app knows it, is another than the first.
    """

    def __init__(
        self,
        connection: "sqlite3.Connection",
        *,
        schema: int = 1,
        schemas: Mapping[str, int] | None = None,
    ) -> None:
        self.memory = Memory(connection)
        self.memory.prepare()
        self.schema = schema
        self.schemas = schemas or {}

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
    def is_whole(self) -> bool:
        """Tell whether nothing is left to mend of what was pulled last."""
        pulled = self.cursor is not None
        return pulled and not (self.memory.recall("healing") or self.memory.recall("doubts"))

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
    def must_upgrade(self) -> Mapping[str, Any] | None:
        """Return the server's word that this app is too old to receive, if it has said so."""
        problem: Mapping[str, Any] | None = self.memory.recall("upgrade")
        return problem

    @property
    def first_copies(self) -> FirstCopies:
        """Return how this phone takes ready-made copies of large scopes that are new to it."""
        return FirstCopies(self.memory)

    @property
    def healing(self) -> healing.Healing:
        """Return how this phone mends the rows of a scope whose digest is wrong."""
        return healing.Healing(self.memory)

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
            next_n = self.memory.renumber()
            self.memory.keep(device=device, next_n=next_n, expected=1, sends_until=next_n - 1)
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
            shown = self.row(kind, rec)
            rv = shown.rv if shown else (self.memory.row(kind, rec) or (0, {}))[0]
            known: Mapping[str, Any] = shown.values if shown else {}
            edit = {
                "n": self.memory.recall("next_n", 1), "id": edit_id, "op": op, "kind": kind,
                "rec": rec, "base": rv, "set": dict(values),
                "was": {name: known.get(name) for name in values} if known else {},
                "schema": self.schemas.get(known.get("kind", kind) if kind == PARKING else kind, 1),
                "at": self._at(now),
            }  # fmt: skip
            read_json(AS_SENT.encode(edit))
            self.memory.append(edit)
            self.memory.keep(next_n=edit["n"] + 1, last_ms=edit["at"]["claimed"])
        return edit

    def _at(self, now: Instant) -> dict[str, Any]:
        """Tell when: by the phone's clock, and by the server's clock carried on since.

        After a restart nobody knows how long ago the anchor was; that it was before still counts.
        """
        claimed = max(now.wall_ms, self.memory.recall("last_ms", 0) + 1)
        at: dict[str, Any] = {"claimed": claimed, "boot": now.boot}
        anchor = self.memory.recall("anchor")
        if anchor:
            at |= {"anchor": anchor["text"], "device": anchor["device"]}
        if anchor and anchor["boot"] == now.boot:
            at["elapsed_ms"] = now.monotonic_ms - anchor["monotonic_ms"]
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
            if pushed:
                self._answered(pushed["results"])
            if request["device"] != self.device or self.needs_device:
                return False
            if pushed:
                self._believe(pushed["expected"])
            if pushed and page is None and reply.get("problem"):
                self._only_push(pushed, reply["problem"], sent, now)
            return page is not None and self._apply(page, sent, now)

    def _answered(self, receipts: Sequence[Mapping[str, Any]]) -> None:
        """Keep receipts; what has been erased by law goes from this phone too."""
        self.memory.answered(receipts)
        for receipt in receipts:
            if barred := barred_by(receipt):
                self.memory.unsay(barred, edit=receipt["id"])
            if receipt.get("code") == ERASED:
                for entry in self.memory.entries("id = ?", receipt["id"]):
                    self.memory.erase(entry.edit["kind"], entry.edit["rec"])

    def problem(self, request: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
        """Take in the refusal of a whole request; what is not named here is tried again."""
        code = problem.get("code")
        with self.memory.whole():
            if code == "device_wipe":
                self._wipe(request, problem)
            elif request["device"] != self.device:
                return
            elif code == TOO_OLD:
                self.memory.keep(upgrade=dict(problem))
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
        elif expected < next_n and self.memory.id_of(expected) is None:
            self.memory.keep(needs_device=UNKNOWN)
        else:
            self.memory.keep(expected=expected)

    def _is_me(self, last_n: int, last_id: str | None) -> bool:
        """Tell whether the last edit under this device id is one that this phone has made."""
        if last_n == 0:
            return True
        mine = self.memory.id_of(last_n)
        if mine is None:
            return last_n < int(self.memory.recall("next_n", 1))
        return mine == last_id

    def _only_push(
        self, pushed: Mapping[str, Any], problem: Mapping[str, Any], sent: Instant, now: Instant
    ) -> None:
        """Go on sending where no records come any more: the push reply is all there is.

        Its own edits stay laid over the rows until an upgraded app pulls them.
        """
        self.memory.keep(upgrade=dict(problem))
        last_n, server_ms = pushed["expected"] - 1, _milliseconds(pushed["now"])
        if not self._is_me(last_n, pushed["last_id"]):
            self.memory.keep(needs_device=FORKED)
            return
        self._set_clock(server_ms, pushed["anchor"], sent=sent, now=now)
        self.memory.taken(last_n, server_ms)

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
        page_items.take(self.memory, page["items"])
        self.memory.keep(cursor=page["to"], upgrade=None)
        self._look_back(page)
        self.memory.taken(page["last_n"], server_ms)
        self._believe(page["last_n"] + 1)
        self.memory.keep(offered=page.get("copies", []), doubts={}, missing={})
        if page["complete"]:
            self._complete(page, server_ms)
        return True

    def _look_back(self, page: Mapping[str, Any]) -> None:
        """Notice that the server has gone back in time, until it has all that it once took."""
        lost = self.memory.last_taken(after=page["last_n"])
        until = max(self.memory.recall("sends_until", 0), lost)
        self.memory.keep(sends_until=until if until > page["last_n"] else 0)

    def _set_clock(self, server_ms: int, anchor: str, *, sent: Instant, now: Instant) -> None:
        """Raise the hybrid clock; carry the anchor on, unless its trip took too long to say.

        A clock that was far ahead is taken back: what it said would only be ahead for ever.
        """
        last_ms = self.memory.recall("last_ms", 0)
        ahead = last_ms > server_ms + AHEAD_MS_MAX
        self.memory.keep(last_ms=server_ms if ahead else max(last_ms, server_ms))
        trip_ms = now.monotonic_ms - sent.monotonic_ms
        if sent.boot == now.boot and 0 <= trip_ms <= ANCHOR_TRIP_MS_MAX:
            self.memory.keep(anchor={"text": anchor, "monotonic_ms": now.monotonic_ms,
                                     "boot": now.boot, "device": self.device})  # fmt: skip

    def _complete(self, page: Mapping[str, Any], server_ms: int) -> None:
        """Make the copy whole: nothing too much, nothing too old, and prove it.

        Rows that a server back in time does not know stay until this phone has sent again what
        that server has lost: its own edits may be about them.
        """
        self.memory.contain(page["last_n"])
        keep_stale = bool(self.memory.recall("sends_until", 0))
        self.memory.sweep(set(page["digest"]), keep_stale=keep_stale)
        self.memory.prune(before_ms=server_ms - KEPT_MS, last_n=page["last_n"])
        self.memory.lose_copies()
        self.memory.keep(copies_given_up=[])
        healing.judge(self.memory, page)

    # -- what a screen shows ------------------------------------------------------------------

    def row(self, kind: str, rec: str) -> Row | None:
        """Return one record as the worker should see it, None when there is none."""
        return overlay.row(self.memory, kind, rec)

    def rows(self, kind: str) -> dict[str, Row]:
        """Return all records of a kind as the worker should see them, by id."""
        return overlay.rows(self.memory, kind)

    def outbox(self) -> list[Mapping[str, Any]]:
        """Return the edits that the server has not been seen to have, oldest first."""
        return [entry.edit for entry in self.memory.entries("taken_ms IS NULL")]

    def receipts(self) -> list[Entry]:
        """Return the edits that have been answered, with their receipts, oldest first."""
        return self.memory.entries("receipt IS NOT NULL")

    def parked(self) -> list[Row]:
        """Return the parked edits that nobody has repaired or discarded yet, oldest first."""
        return overlay.parked(self.memory)

    def conflicts(self) -> list[Row]:
        """Return the conflicts that nobody has resolved yet."""
        return overlay.conflicts(self.memory)


def _fitting(entries: Iterable[Entry]) -> list[Mapping[str, Any]]:
    """Return as many edits as one request may carry, at least one."""
    edits = [entry.edit for entry in entries]
    if len(dump(edits).encode()) <= EDIT_BYTES_MAX:
        return edits
    sizes = itertools.accumulate(len(dump(edit).encode()) for edit in edits)
    return edits[: max(1, sum(size <= EDIT_BYTES_MAX for size in sizes))]


def _milliseconds(moment: str) -> int:
    """Return the milliseconds of a moment as the server writes it."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
