"""A person with a phone, for the tests of the replica."""

from typing import Any

from app.core.driver import driver
from sync.errors import Problem
from sync.replica import Instant, Replica
from tests.sync.house import NOW_MS, name_of
from tests.sync.server import Server


class Worker:
    """A person with a phone, on a network that works when told to."""

    def __init__(self, server: Server, word: str, user: int, scopes: tuple[str, ...]) -> None:
        self.server, self.user, self.scopes, self.word = server, user, scopes, word
        self.connection = driver.connect(":memory:")
        self.phone = Replica(self.connection)
        self.made, self.now_ms = 0, NOW_MS
        self.join(word)

    def join(self, word: str) -> None:
        """Get a device id."""
        self.server.stand.enrol(name_of(word), self.user)
        self.phone.take_device(name_of(word))

    def restart_on(self, connection: Any) -> None:
        """Go on with another copy of the phone's database."""
        self.connection.close()
        self.connection, self.phone = connection, Replica(connection)

    @property
    def now(self) -> Instant:
        return Instant(self.now_ms, self.now_ms - NOW_MS, "boot-1")

    def edit(self, op: str, kind: str, rec: str, **values: Any) -> str:
        """Make an edit and return its id."""
        self.made += 1
        self.now_ms += 1000
        name = name_of(f"{self.word}:{self.made}")
        self.phone.edit(op, kind, rec, values, edit_id=name, now=self.now)
        return name

    def send(self, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a request and the server's answer, which nobody has received yet."""
        request = self.phone.request(**more)
        self.now_ms += 1000
        return request, self.server.exchange(
            request, user=self.user, scopes=self.scopes, now_ms=self.now_ms
        )

    def take(self, request: dict[str, Any], reply: dict[str, Any]) -> bool:
        """Receive an answer."""
        return self.phone.receive(request, reply, sent=self.now, now=self.now)

    def sync(self, **more: Any) -> None:
        """Exchange until the copy is whole, and mend it if need be."""
        for _ in range(60):
            request, reply = self.send(**more)
            self.take(request, reply)
            self.heal()
            if reply["pull"]["complete"] and self.phone.is_whole and not self.phone.outbox():
                return
        raise AssertionError("the copy never became whole")

    def heal(self) -> int:
        """Ask about what is in doubt until nothing is; return how many questions that took."""
        asked = 0
        while (question := self.phone.healing.wanted()) and asked < 20:
            asked += 1
            try:
                reply = self.server.verify(question, scopes=self.scopes)
            except Problem:
                self.phone.healing.refuse(question)
            else:
                self.phone.healing.receive(question, reply)
        return asked

    def take_copies(self, *cuts: int) -> int:
        """Take the copies that are offered, cut as told; return how many were taken."""
        left, taken = list(cuts), 0
        while wanted := self.phone.first_copies.wanted():
            cut = left.pop(0) if left else None
            try:
                reply = self.server.copy(wanted, scopes=self.scopes, cut=cut)
            except Problem as problem:
                self.phone.first_copies.refuse(wanted, problem.status)
            else:
                taken += self.phone.first_copies.receive(wanted, reply)
        return taken


def copy_of(connection: Any) -> Any:
    """Return a copy of a phone's database, as a backup of the phone holds it."""
    copied = driver.connect(":memory:")
    connection.backup(copied)
    return copied
