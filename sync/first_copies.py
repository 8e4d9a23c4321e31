"""How a phone takes a ready-made first copy, whatever becomes of the line meanwhile.

The bytes are kept as they arrive, with the tag that names them. A phone that was cut asks for
the rest of these very bytes; if they are not to be had any more it begins again, and never mixes
two. Only a whole and true copy is taken, in one transaction, together with its cursor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync import snapshot
from sync.cursor import joined
from sync.replica_tables import Memory
from sync.snapshot import NotACopy
from sync.store import PURGE

WHOLE, PART, UNCHANGED = 200, 206, 304


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What to ask for: the rest of a copy behind some bytes, or a whole one.

    Attributes:
        tag: the copy to go on with; None to begin.
    """

    scope: str
    tag: str | None = None
    start: int = 0

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers of the request."""
        if self.tag is None:
            return {}
        return {"If-Range": f'"{self.tag}"', "Range": f"bytes={self.start}-"}


@dataclass(frozen=True, slots=True)
class CopyReply:
    """What came back, as far as it came.

    Attributes:
        size: of the whole copy, as the server says.
        start: of these bytes within the copy.
    """

    status: int
    tag: str
    size: int
    start: int
    body: bytes


@dataclass(frozen=True, slots=True)
class FirstCopies:
    """The ready-made copies of one phone."""

    memory: Memory

    def wanted(self) -> CopyRequest | None:
        """Return what to ask for next: a copy that was begun, or one that the server offers."""
        given_up = self.memory.recall("copies_given_up", [])
        offered = [one for one in self.memory.recall("offered", []) if one not in given_up]
        if not offered:
            return None
        part = self.memory.copy_part(offered[0])
        return CopyRequest(offered[0], part[0], len(part[1])) if part else CopyRequest(offered[0])

    def receive(self, request: CopyRequest, reply: CopyReply) -> bool:
        """Keep what has arrived, and take the copy once it is whole; tell whether it was."""
        with self.memory.whole():
            if request.scope not in self.memory.recall("offered", []):
                return False
            part = self.memory.copy_part(request.scope) if reply.status == PART else None
            before = part[1] if part else b""
            if reply.status == PART and (not part or part[0] != reply.tag):
                return False
            if reply.start != len(before):
                return False
            body = before + reply.body
            if len(body) < reply.size:
                self.memory.keep_copy(request.scope, reply.tag, body)
                return False
            return self._take(request.scope, body)

    def refuse(self, request: CopyRequest, status: int) -> None:
        """Take in that there is no such copy, or not so many bytes of it."""
        with self.memory.whole():
            self.memory.lose_copies([request.scope])
            if status != 416:
                self._give_up(request.scope)

    def _take(self, scope: str, body: bytes) -> bool:
        """Take a whole copy; one that is not true is thrown away, and pages come instead."""
        self.memory.lose_copies([scope])
        try:
            copy = snapshot.read(body)
        except NotACopy:
            self._give_up(scope)
            return False
        if copy.scope != scope:
            self._give_up(scope)
            return False
        self.memory.doubt([scope])
        for item in copy.items:
            self._put(item)
        cursor = joined(self.memory.recall("cursor"), copy.cursor)
        offered = [one for one in self.memory.recall("offered", []) if one != scope]
        self.memory.keep(cursor=cursor, offered=offered, doubts={}, missing={})
        return True

    def _put(self, item: Mapping[str, Any]) -> None:
        if item["op"] == PURGE:
            self.memory.erase(item["t"], item["id"])
            return
        self.memory.put_older(item["s"], item["t"], item["id"], rv=item["rv"], values=item["f"])

    def _give_up(self, scope: str) -> None:
        given_up = self.memory.recall("copies_given_up", [])
        self.memory.keep(copies_given_up=sorted({*given_up, scope}))
