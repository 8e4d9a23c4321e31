"""How a phone mends a scope whose digest is wrong: bucket by bucket, and only then as a whole.

A wrong digest must never be; if it is, a row was lost or damaged on the phone, or somebody has
made a mistake. The phone sends the digests of its 64 buckets, learns what the wrong ones should
hold, forgets what is too much, and asks for what is missing or has another version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.cursor import begun_again
from sync.digest import as_hex, bucket_digests, bucket_of, scope_digest
from sync.replica_tables import Memory
from sync.verify import WANT_MAX

TRIES_MAX = 3


def judge(memory: Memory, page: Mapping[str, Any]) -> None:
    """Compare all digests of a complete page with what the phone shows, and note what is wrong."""
    wrong = _wrong(memory, page["digest"])
    if not wrong:
        memory.keep(healing=False, alarms=[], doubts={}, tries=0)
        return
    tries = memory.recall("tries", 0)
    versions = page.get("ver", {})
    if memory.recall("healing"):
        memory.keep(healing=False, alarms=wrong, doubts={}, tries=0)
    elif tries < TRIES_MAX and all(scope in versions for scope in wrong):
        memory.keep(doubts={scope: [versions[scope], page["digest"][scope]] for scope in wrong},
                    tries=tries + 1, healed=memory.recall("healed", 0) + 1)  # fmt: skip
    else:
        begin_again(memory)


def begin_again(memory: Memory) -> None:
    """Take a whole new copy of everything: the last resort."""
    memory.doubt()
    healed, cursor = memory.recall("healed", 0) + 1, begun_again(memory.recall("cursor"))
    memory.keep(healing=True, healed=healed, cursor=cursor, doubts={}, tries=0)


def _wrong(memory: Memory, digests: Mapping[str, str]) -> list[str]:
    return [
        scope
        for scope, digest in digests.items()
        if as_hex(scope_digest(memory.shown(scope))) != digest
    ]


@dataclass(frozen=True, slots=True)
class Healing:
    """The mending of one phone's copy."""

    memory: Memory

    def wanted(self) -> dict[str, Any] | None:
        """Return the body of the next question to the server, None when nothing is in doubt."""
        doubts = self.memory.recall("doubts", {})
        if not doubts:
            return None
        scope, (ver, _) = min(doubts.items())
        body = {"device": self.memory.recall("device"), "scope": scope, "ver": ver}
        missing = self._missing(scope)
        if missing:
            return {**body, "want": missing[:WANT_MAX]}
        return {**body, "buckets": bucket_digests(self.memory.shown(scope))}

    def receive(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Take in the answer to a question, if it still belongs to what the phone shows."""
        scope = request["scope"]
        with self.memory.whole():
            doubt = self.memory.recall("doubts", {}).get(scope)
            if doubt is None or doubt[0] != reply["ver"] or request["ver"] != reply["ver"]:
                return
            for item in reply["items"]:
                self.memory.put(scope, item["t"], item["id"], rv=item["rv"], values=item["f"])
            if "want" in request:
                missing = [one for one in self._missing(scope) if one not in request["want"]]
            else:
                missing = self._compared(scope, reply["buckets"])
            self._note(scope, doubt[1], missing)

    def refuse(self, request: Mapping[str, Any]) -> None:
        """Take in that there is no answer: the scope has moved on, or is not ours any more."""
        with self.memory.whole():
            self._settle(request["scope"])

    def _compared(self, scope: str, buckets: Mapping[str, Sequence[Any]]) -> list[str]:
        """Forget what is too much in the wrong buckets; return the records to ask for."""
        right = {(kind, rec): rv for rows in buckets.values() for kind, rec, rv in rows}
        wrong = {int(number) for number in buckets}
        mine = {
            (kind, rec): rv
            for kind, rec, rv in self.memory.shown(scope)
            if bucket_of(kind, rec) in wrong
        }
        for kind, rec in mine.keys() - right.keys():
            self.memory.leave(scope, kind, rec)
            self.memory.erase_orphan(kind, rec)
        return sorted({rec for (kind, rec), rv in right.items() if mine.get((kind, rec)) != rv})

    def _missing(self, scope: str) -> list[str]:
        missing: list[str] = self.memory.recall("missing", {}).get(scope, [])
        return missing

    def _note(self, scope: str, digest: str, missing: list[str]) -> None:
        """Go on with what is missing; when nothing is, the digest must be right now."""
        self.memory.keep(missing={**self.memory.recall("missing", {}), scope: missing})
        if missing:
            return
        if as_hex(scope_digest(self.memory.shown(scope))) == digest:
            self._settle(scope)
        else:
            begin_again(self.memory)

    def _settle(self, scope: str) -> None:
        for name in ("doubts", "missing"):
            left = {one: value for one, value in self.memory.recall(name, {}).items()
                    if one != scope}  # fmt: skip
            self.memory.keep(**{name: left})
