"""How the phone in Python fetches ready-made copies, and mends rows that have gone wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.phone.line import UNREACHED, Answer, Arrived, Away, Refused
from sync.first_copies import PART, CopyReply
from sync.replica import Replica

QUESTIONS_MAX = 20
MOVED, GONE = "scope_moved", "not_found"

Fetch = Callable[[str, str, Any, Mapping[str, str]], Arrived]
Ask = Callable[[str, str, Any], Answer]


@dataclass(frozen=True, slots=True)
class Copying:
    """The copies of one phone."""

    replica: Replica
    fetch: Fetch
    ask: Ask

    def take(self) -> int:
        """Take the copies that the server has offered; return how many rows they had.

        Raises:
            Away: the line was cut; what has arrived is kept, and the rest is asked for next time.
        """
        rows = 0
        while wanted := self.replica.first_copies.wanted():
            try:
                came = self.fetch("GET", f"/sync/snapshot/{wanted.scope}", None, wanted.headers)
            except Refused as refused:
                self.replica.first_copies.refuse(wanted, refused.status)
                continue
            reply = _reply(came)
            if self.replica.first_copies.receive(wanted, reply):
                rows += len(self.replica.memory.shown(wanted.scope))
            elif reply.start + len(reply.body) < reply.size:
                raise Away(UNREACHED)
        return rows

    def heal(self) -> None:
        """Ask about what is in doubt until nothing is.

        Raises:
            Away, Refused: as the line says.
        """
        for _ in range(QUESTIONS_MAX):
            question = self.replica.healing.wanted()
            if question is None:
                return
            try:
                answer = self.ask("POST", "/sync/verify", question)
            except Refused as refused:
                if refused.code not in (MOVED, GONE):
                    raise
                self.replica.healing.refuse(question)
            else:
                self.replica.healing.receive(question, answer.body)


def _reply(came: Arrived) -> CopyReply:
    """Return what came as the replica wants to know it."""
    tag = came.headers.get("ETag", "").strip('"')
    if came.status == PART:
        place, _, size = came.headers["Content-Range"].removeprefix("bytes ").partition("/")
        return CopyReply(PART, tag, int(size), int(place.split("-")[0]), came.raw)
    whole = int(came.headers.get("Content-Length", len(came.raw)))
    return CopyReply(came.status, tag, whole, 0, came.raw)
