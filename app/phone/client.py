"""One phone: enrols with a code, keeps working without a network, and syncs when there is one."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.identifiers import new_id
from app.phone.home import Home
from app.phone.line import BUSY, Answer, Away, Line, Refused, every
from app.phone.moment import Clock, now
from sync.replica import WANT_BYTES, Replica
from sync.replica_tables import Entry

APP = "wangge-phone-python 1"
SCHEMA = 1
FAULTS_MAX = 20
LISTS = {"incident": "/incident-categories", "task": "/task-kinds"}
LISTS_KEPT_MS = 86_400_000
UNDECIDED, DECIDED = ("parked", "held"), ("repaired", "discarded")
MENDED = (
    "gap", "device_forked", "unknown_device", "edit_id_reused", "too_large", "too_many_edits",
)  # fmt: skip
"""Refusals of a whole request after which the replica knows how to go on."""
WORN = ("token_expired", "invalid_token")
WIPE = "device_wipe"
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
        self.connection = home.connect()
        self.replica = Replica(self.connection, schema=SCHEMA)

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

        A phone that is told to erase itself does so before anything else.

        Raises:
            NotEnrolled, Away, Refused: as the line says.
        """
        try:
            return self._ask(method, path, body, headers)
        except Refused as refused:
            if refused.code == WIPE:
                self.close()
                self.home.erase()
            raise

    def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None) -> Answer:
        line = self.line
        try:
            token = self.home.papers.get("access_token")
            return line.call(method, path, body, token=token, headers=headers)
        except Refused as refused:
            if refused.code not in WORN:
                raise
        self._refresh(line)
        token = self.home.papers["access_token"]
        return line.call(method, path, body, token=token, headers=headers)

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
            return self._sync(want_bytes)

    def _sync(self, want_bytes: int) -> Synced:
        waiting, received, rounds, faults = len(self.replica.outbox()), 0, 0, 0
        while faults <= FAULTS_MAX:
            rounds += 1
            page = self._round(want_bytes)
            received += len(page["items"]) if page else 0
            faults += page is None
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
            memory.keep(lists=lists, lists_ms=now_ms)

    def parked(self) -> list[Entry]:
        """Return the edits that wait for somebody to correct them, as far as the phone knows."""
        likely = " OR ".join(f"receipt LIKE '%\"{status}\"%'" for status in UNDECIDED)
        return [
            one for one in self.replica.memory.entries(likely)
            if one.receipt and one.receipt["status"] in UNDECIDED
        ]  # fmt: skip

    def _learn_fates(self) -> None:
        """Ask what has become of the parked edits: people decide, and no pull tells of it."""
        waiting = {one.id: one.receipt for one in self.parked()}
        for fate in DECIDED if waiting else ():
            for row in every(self.ask, f"/parked-edits?state={fate}&limit=200"):
                if row["id"] in waiting:
                    receipt = {**(waiting[row["id"]] or {}), "status": fate}
                    self.replica.memory.answered(row["id"], receipt)

    def _list(self, path: str) -> dict[str, list[str]]:
        rows = self.ask("GET", path).body
        return {row["code"]: [row["name_zh"], row["name_en"]] for row in rows}

    def _round(self, want_bytes: int) -> Mapping[str, Any] | None:
        """Make one exchange; return the page if one was applied."""
        if self.replica.needs_device:
            self._take_device()
        request, sent = self.replica.request(want_bytes=want_bytes), self.clock()
        try:
            reply = self.ask("POST", "/sync/exchange", request).body
        except Refused as refused:
            if refused.code not in MENDED:
                raise
            self.replica.problem(request, refused.body)
            return None
        applied = self.replica.receive(request, reply, sent=sent, now=self.clock())
        page: Mapping[str, Any] = reply["pull"]
        return page if applied else None

    def _take_device(self) -> None:
        made = self.ask("POST", "/sync/devices", {"app": APP, "schema": SCHEMA}).body
        self.replica.take_device(made["device"])
        self.replica.memory.keep(scopes=made["scopes"])

    def _is_done(self) -> bool:
        replica = self.replica
        return not (replica.outbox() or replica.needs_device or replica.cursor is None)
