"""The exchange as the server answers it, on any stand: push, then pull, in plain dictionaries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sync import snapshot
from sync.clock import Anchors
from sync.errors import Problem, Stale
from sync.first_copies import PART, WHOLE, CopyReply, CopyRequest
from sync.kinds import Kinds
from sync.pull import Pull, pull
from sync.push import Push, PushReply, push
from sync.verify import read_question, verify
from sync.wire import read_drafts, read_json
from tests.sync.house import ANCHORS, KINDS, OpenGate, Stand, upkeep_of

TRIES_MAX = 5


def moment(ms: int) -> str:
    """Write a time as the server writes it."""
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


@dataclass
class Server:
    """Answers exchanges; what is granted to whom is a plain table."""

    stand: Stand
    gate: Any = field(default_factory=OpenGate)
    kinds: Kinds = KINDS
    anchors: Anchors = ANCHORS
    copies: dict[str, bytes] = field(default_factory=dict)

    def exchange(
        self, request: Mapping[str, Any], *, user: int, scopes: Sequence[str], now_ms: int
    ) -> dict[str, Any]:
        """Answer one exchange, over JSON as on the wire.

        Raises:
            Problem: the request cannot be taken.
        """
        request = read_json(json.dumps(request, ensure_ascii=False))
        reply = self._push(request, user, now_ms)
        page = self._pull(request, scopes, now_ms)
        pushed = {"expected": reply.expected, "last_id": reply.last_id, "results": reply.results}
        answer: dict[str, Any] = json.loads(json.dumps({"push": pushed}))
        return answer | {"pull": json.loads(page)}

    def _push(self, request: Mapping[str, Any], user: int, now_ms: int) -> PushReply:
        drafts = read_drafts(request["edits"])
        context = Push(request["device"], user, now_ms, self.anchors, self.gate, self.kinds)
        for _ in range(TRIES_MAX):
            try:
                with self.stand.open() as store:
                    return push(store, drafts, context)
            except Stale:
                continue
        raise Problem(503, "retry")

    def _pull(self, request: Mapping[str, Any], scopes: Sequence[str], now_ms: int) -> str:
        with self.stand.open() as store:
            device = store.device(request["device"])
            asked = Pull(scopes, request["cursor"], device, request["want_bytes"],
                         brief=request.get("brief", False))  # fmt: skip
            page = pull(store, asked)
            if page.wiped:
                upkeep_of(store).wiped(device.id, page.wiped, now_ms)
        return page.as_json(moment(now_ms), self.anchors.issue(now_ms, request["device"]))

    def verify(self, request: Mapping[str, Any], *, scopes: Sequence[str]) -> dict[str, Any]:
        """Answer a question about a scope, over JSON as on the wire.

        Raises:
            Problem: the scope has moved on, or is not granted.
        """
        question = read_question(read_json(json.dumps(request)))
        if question.scope not in scopes:
            raise Problem(404, "not_found")
        with self.stand.open() as store:
            found = verify(store, question, as_is)
        items = [json.loads(item) for item in found.items]
        reply = {"scope": question.scope, "ver": found.ver, "buckets": found.buckets}
        return {**json.loads(json.dumps(reply)), "items": items}

    def copy(
        self, request: CopyRequest, *, scopes: Sequence[str], cut: int | None = None
    ) -> CopyReply:
        """Hand out a copy, or the rest of one, of which only some bytes get through.

        Raises:
            Problem: the scope is not granted, or empty.
        """
        with self.stand.open() as store:
            made = snapshot.make(store, request.scope, as_is)
        if request.scope not in scopes or made is None:
            raise Problem(404, "not_found")
        self.copies.setdefault(made.tag, made.body)
        tag = request.tag if request.tag in self.copies else made.tag
        start = request.start if tag == request.tag else 0
        body = self.copies[tag]
        status = PART if tag == request.tag else WHOLE
        return CopyReply(status, tag, len(body), start, body[start:][:cut])


def as_is(_kind: str, body: str) -> str:
    """Show everything."""
    return body
