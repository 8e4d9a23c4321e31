"""One phone: enrols with a code, keeps working without a network, and syncs when there is one."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from app.core.identifiers import new_id
from app.phone.copying import Copying
from app.phone.home import Home
from app.phone.line import BUSY, STRANGER, UNREACHED, Answer, Arrived, Away, Line, Refused
from app.phone.lists import names, photo_rules
from app.phone.moment import Clock, now
from sync.lines import NDJSON, is_whole, pages, whole_lines
from sync.merge import OVERTAKEN
from sync.replica import WANT_BYTES, Instant, Replica
from sync.replica_tables import Entry, Row

Came = TypeVar("Came")

APP = "wangge-phone-python 1"
SCHEMA = 1
SCHEMAS = {"contact": 2, "incident": 2, "task": 3}
FAULTS_MAX = 20
LISTS = {"incident": "/incident-categories", "task": "/task-kinds"}
LISTS_KEPT_MS = 86_400_000
UNDECIDED, DECIDED = ("parked", "held"), ("repaired", "discarded")
NOTED = "noted"
MENDED = (
    "gap", "device_forked", "unknown_device", "edit_id_reused", "too_large", "too_many_edits",
)  # fmt: skip
"""Refusals of a whole request after which the replica knows how to go on."""
WORN = ("token_expired", "invalid_token")
WIPE, DRAIN = "device_wipe", "device_drain"
ENDED = ("revoked", "session_expired", "token_reused", "bad_proof", "invalid_token", WIPE)
"""Refusals after which only a new enrolment helps; unsent edits wait for it."""


class NotEnrolled(Exception):
    """This phone is nobody's yet."""


class SomebodyElse(Exception):
    """The code was another person's, and the phone still holds unsent work of the first one."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync brought: edits taken by the server, rows received, rounds it took."""

    sent: int
    received: int
    rounds: int


class Phone:
    """One phone in its folder."""

    def __init__(self, home: Home, clock: Clock = now) -> None:
        home.prepare()
        self.home = home
        self.clock = clock
        self._last_sent: frozenset[str] = frozenset()
        self.connection = home.connect()
        self.replica = Replica(self.connection, schema=SCHEMA, schemas=SCHEMAS)
        self.copying = Copying(self.replica, self.fetch, self.ask)

    def close(self) -> None:
        """Close the replica's database."""
        self.connection.close()

    @property
    def line(self) -> Line:
        """Return the way to the server.

        Raises:
            NotEnrolled: nobody has said which server it is.
        """
        server = self.home.papers.get("server")
        if not server:
            raise NotEnrolled
        return Line(server)

    @property
    def user(self) -> Mapping[str, Any]:
        """Return whose phone this is.

        Raises:
            NotEnrolled: it is nobody's.
        """
        user: Mapping[str, Any] | None = self.home.papers.get("user")
        if user is None:
            raise NotEnrolled
        return user

    # -- enrolment ----------------------------------------------------------------------------

    def enrol(self, code: str, server: str) -> Mapping[str, Any]:
        """Make this phone the phone of the person whom the code was issued for.

        Key and install id are on the disk before the code is used: when the reply is lost, the
        same phone asks again with the same code and gets the same answer.

        Raises:
            Away, Refused: as the line says.
            SomebodyElse: nothing was changed on the phone.
        """
        install_id = self.home.papers.get("install_id") or new_id()
        self.home.keep(install_id=install_id)
        body = {"code": code, "install_id": install_id, "public_key": self.home.public_key(),
                "model": platform.node()[:100], "app": APP}  # fmt: skip
        tokens = Line(server.rstrip("/")).call("POST", "/auth/enrol", body).body
        self._make_room(server.rstrip("/"), tokens["user"])
        self._take_tokens(tokens, server=server.rstrip("/"), user=tokens["user"])
        user: Mapping[str, Any] = tokens["user"]
        return user

    def _make_room(self, server: str, user: Mapping[str, Any]) -> None:
        """Clear what belonged to somebody else, unless it holds work that nobody has sent."""
        papers = self.home.papers
        before = papers.get("user")
        if before is None or (before["id"] == user["id"] and papers["server"] == server):
            return
        if self.replica.outbox():
            raise SomebodyElse
        with self.replica.memory.whole():
            self.replica.memory.wipe()
        self.home.drop_photos()

    def _take_tokens(self, tokens: Mapping[str, Any], **more: Any) -> None:
        self.home.keep(
            access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            enrolment=tokens["enrolment_id"],
            **more,
        )

    # -- asking -------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request as this phone's user, with a fresh token if the old one has expired.

        A phone that is told to erase itself does so before anything else, unless it may still
        send what it holds: then that comes first.

        Raises:
            NotEnrolled, Away, Refused: as the line says.
        """
        came = self._asked(
            body,
            lambda line, token: line.call(method, path, body, token=token, headers=headers),
        )
        return came or Answer(None)

    def fetch(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Arrived:
        """Send a request in the same way, and return the answer as far as it came.

        Raises:
            NotEnrolled, Away, Refused: as the line says.
        """
        came = self._fetched(method, path, body, headers)
        if came is None:
            raise Away(BUSY)
        return came

    def _fetched(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> Arrived | None:
        return self._asked(
            body, lambda line, token: line.fetch(method, path, body, token=token, headers=headers)
        )

    def _asked(self, body: Any, send: Callable[[Line, str | None], Came]) -> Came | None:
        """Return the answer, None if this phone is to erase itself and must send before."""
        try:
            return self._sent(send)
        except Refused as refused:
            if refused.code != WIPE or self._wipe(body, refused.body):
                raise
        return None

    def _wipe(self, body: Any, order: Mapping[str, Any]) -> bool:
        """Obey an order to erase everything; tell whether it was time to."""
        request = body if isinstance(body, dict) and "device" in body else {"device": None}
        self.replica.problem(request, order)
        wiped = self.replica.wiped
        if wiped is None:
            return False
        server = self.home.papers.get("server")
        self.close()
        self.home.erase_all_but(server=server, wiped=wiped)
        self._confirm()
        return True

    def _confirm(self) -> None:
        """Hand in the receipt of a wipe; without a network the next command does it."""
        papers = self.home.papers
        wiped, server = papers.get("wiped"), papers.get("server")
        if not (wiped and server):
            return
        try:
            if wiped["ticket"]:
                Line(server).call("POST", "/sync/wiped", wiped)
        except Away:
            return
        except Refused:
            pass
        if papers.get("user"):
            self.home.keep(wiped=None)
        else:
            self.home.erase()

    def _sent(self, send: Callable[[Line, str | None], Came]) -> Came:
        line = self.line
        try:
            return send(line, self.home.papers.get("access_token"))
        except Refused as refused:
            if refused.code not in WORN:
                raise
        self._refresh(line)
        return send(line, self.home.papers["access_token"])

    def _refresh(self, line: Line) -> None:
        """Change the refresh token; a wrong clock is told the server's time and signs again."""
        token = self.home.papers["refresh_token"]
        at_ms = self.clock().wall_ms
        try:
            self._take_tokens(line.call("POST", "/auth/refresh", self._proof(token, at_ms)).body)
        except Refused as refused:
            if refused.code != "stale_proof":
                raise
            at_ms = max(refused.body["now"], refused.body["after"] + 1)
            self._take_tokens(line.call("POST", "/auth/refresh", self._proof(token, at_ms)).body)

    def _proof(self, token: str, at_ms: int) -> dict[str, Any]:
        """Return the body of a refresh, signed by the key that never leaves this phone."""
        proof = self.home.sign(f"wangge refresh\n{token}\n{at_ms}".encode())
        return {"refresh_token": token, "proof": proof, "at": at_ms}

    # -- working ------------------------------------------------------------------------------

    def edit(self, op: str, kind: str, record: str, values: Mapping[str, Any]) -> str:
        """Keep an edit until the server has it; return its id.

        Raises:
            NotEnrolled: there is nobody in whose name to work.
            NotJson: the values could never be sent.
        """
        if not self.home.papers.get("user"):
            raise NotEnrolled
        made = self.replica.edit(op, kind, record, values, edit_id=new_id(), now=self.clock())
        return str(made["id"])

    @property
    def grids(self) -> list[int]:
        """Return the ids of the grids that this phone serves, as far as it knows."""
        scopes: list[str] = self.replica.memory.recall("scopes", [])
        return [int(scope[5:]) for scope in scopes if scope.startswith("grid:")]

    def called(self, kind: str, code: str) -> str:
        """Return what a category or a kind of task is called, or its code."""
        lists = self.replica.memory.recall("lists", {})
        return " / ".join(lists.get(kind, {}).get(code, [code]))

    # -- syncing ------------------------------------------------------------------------------

    def sync(self, *, want_bytes: int = WANT_BYTES) -> Synced:
        """Exchange with the server until nothing is left to send and nothing to receive.

        Raises:
            Occupied: another command is syncing this phone.
            NotEnrolled, Away, Refused: as the line says; what has been exchanged stays.
        """
        with self.home.alone():
            self._confirm()
            if not self.home.papers.get("user"):
                raise NotEnrolled
            return self._sync(want_bytes)

    def _sync(self, want_bytes: int) -> Synced:
        outbox = self.replica.outbox()
        self._last_sent = frozenset(str(edit["id"]) for edit in outbox)
        waiting, received, rounds, faults = len(outbox), 0, 0, 0
        while faults <= FAULTS_MAX:
            rounds += 1
            page = self._round(want_bytes)
            if self.replica.must_upgrade and not self.replica.outbox():
                return Synced(waiting, received, rounds)
            received += len(page["items"]) if page else 0
            faults += page is None
            received += self.copying.take() if not self.replica.needs_device else 0
            self.copying.heal()
            if page and page["complete"] and self._is_done():
                self._note(page)
                return Synced(waiting, received, rounds)
        raise Away(BUSY)

    def _note(self, page: Mapping[str, Any]) -> None:
        """Note when this phone was up to date, its scopes, and what the codes are called."""
        memory, now_ms = self.replica.memory, self.clock().wall_ms
        memory.keep(synced_ms=now_ms, scopes=sorted(page["digest"]))
        self._learn_fates()
        if now_ms - memory.recall("lists_ms", 0) > LISTS_KEPT_MS:
            lists = {name: self._list(path) for name, path in LISTS.items()}
            called = {name: names(rows) for name, rows in lists.items()}
            memory.keep(lists=called, photo_rules=photo_rules(lists["task"]), lists_ms=now_ms)

    def parked(self) -> list[Row]:
        """Return the edits of this phone's user that wait to be corrected, oldest first."""
        mine = self.user["id"]
        return [row for row in self.replica.parked() if row.values["user"] == mine]

    def noted(self) -> list[Entry]:
        """Return what of the last sync came to nothing, with its reason: choices, late steps."""
        return [
            one for one in self.replica.receipts()
            if one.id in self._last_sent and one.receipt and one.receipt["status"] == NOTED
            and (one.edit["op"] == "resolve" or one.receipt.get("code") == OVERTAKEN)
        ]  # fmt: skip

    def _learn_fates(self) -> None:
        """Note on the receipts what has become of the parked edits: the rows have told."""
        fates = {row.rec: row.values["state"] for row in self.replica.rows("parked").values()}
        self.replica.memory.answered(
            {**one.receipt, "id": one.id, "status": fates[one.id]}
            for one in self.replica.receipts()
            if one.receipt and one.receipt["status"] in UNDECIDED and fates.get(one.id) in DECIDED
        )

    def photo_rule(self, task_kind: str) -> str:
        """Return what a kind of task says of photos, and why; empty when not known yet."""
        return " / ".join(self.replica.memory.recall("photo_rules", {}).get(task_kind, []))

    def _list(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", path).body
        return rows

    def _round(self, want_bytes: int) -> Mapping[str, Any] | None:
        """Make one exchange; return the page if one was applied."""
        if self.replica.needs_device:
            self._take_device()
        request, sent = self.replica.request(want_bytes=want_bytes), self.clock()
        try:
            came = self._fetched("POST", "/sync/exchange", request, {"Accept": NDJSON})
        except Refused as refused:
            if refused.code not in MENDED:
                raise
            self.replica.problem(request, refused.body)
            return None
        if came is None:
            return None
        if came.headers.get_content_type() != NDJSON:
            return self._only_pushed(request, came, sent)
        lines = whole_lines(came.plain())
        page = self._take_in(request, lines, sent)
        if not is_whole(lines):
            raise Away(UNREACHED)
        return page

    def _only_pushed(
        self, request: Mapping[str, Any], came: Arrived, sent: Instant
    ) -> Mapping[str, Any]:
        """Take in the answer to a phone that may only send: receipts, and no page."""
        try:
            reply: dict[str, Any] = json.loads(came.plain())
        except ValueError:
            raise Away(STRANGER) from None
        if not isinstance(reply, dict) or reply.get("push") is None:
            raise Away(STRANGER)
        self.replica.receive(request, reply, sent=sent, now=self.clock())
        return {}

    def _take_in(
        self, request: Mapping[str, Any], lines: Sequence[str], sent: Instant
    ) -> Mapping[str, Any] | None:
        """Take in what has arrived of an answer; return all of it that was applied as one page."""
        if not lines:
            return None
        reply: dict[str, Any] = json.loads(lines[0])
        items: list[Any] = []
        page: Mapping[str, Any] | None = None
        self.replica.receive(request, {"push": reply["push"]}, sent=sent, now=self.clock())
        for part in pages(lines[1:]):
            if not self.replica.receive(request, {"pull": part}, sent=sent, now=self.clock()):
                break
            items += part["items"]
            page = {**part, "items": items}
        return page

    def _take_device(self) -> None:
        made = self.ask("POST", "/sync/devices", {"app": APP, "schema": SCHEMA}).body
        self.replica.take_device(made["device"])
        self.replica.memory.keep(scopes=made["scopes"])

    def _is_done(self) -> bool:
        replica = self.replica
        return replica.is_whole and not (replica.outbox() or replica.needs_device)
