"""Where phones wait for news: one thread looks for all of them, twice a second, with one query.

A waiting phone is an entry here and an open connection at the door, nothing else. The watcher
compares what each phone has seen with what there is, not with what it saw itself at its last
look, so nothing can happen unnoticed between a phone's question and its waiting.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import exc

from app.core.actor import Actor, Post
from app.core.database import Database, Mode
from app.core.door import Waiter, Word
from app.core.engine import Engine
from app.core.span import as_house
from app.identity.authentication import standing
from sync.head import Head, moved

log = logging.getLogger("wangge")

WAITERS_MAX = 4_000
LOOK_EVERY_S = 0.5
RIGHTS_EVERY_S = 2.0


class Waiting(Waiter):
    """A phone that waits, with what it has seen and what it may see."""

    def __init__(
        self, room: "WaitingRoom", head: Head, actor: Actor, *, now_ms: int, timeout_s: float
    ) -> None:
        super().__init__(timeout_s)
        self.head = head
        self.session_id = actor.session_id or ""
        self.posts = actor.posts_at(now_ms)
        self._room = room

    def leave(self) -> None:
        """Wait no more."""
        self._room.leave(self)


@dataclass
class WaitingRoom:
    """All phones that wait at one process."""

    database: Database
    engine: Engine
    waiters_max: int = WAITERS_MAX
    _waiters: dict[str, Waiting] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _watcher: threading.Thread | None = None

    def enter(self, waiting: Waiting) -> bool:
        """Let a phone wait, if there is room; of one session only the last comer waits."""
        with self._lock:
            before = self._waiters.get(waiting.session_id)
            if before is None and len(self._waiters) >= self.waiters_max:
                return False
            self._waiters[waiting.session_id] = waiting
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, daemon=True, name="watcher")
                self._watcher.start()
        if before:
            before.wake(Word.NOTHING)
        return True

    def leave(self, waiting: Waiting) -> None:
        """Take a phone out, unless its session waits anew by now."""
        with self._lock:
            if self._waiters.get(waiting.session_id) is waiting:
                del self._waiters[waiting.session_id]

    def __len__(self) -> int:
        """Return how many phones wait."""
        return len(self._waiters)

    def _watch(self) -> None:
        """Look again and again, until nobody waits any more."""
        rights_at = time.monotonic()
        while True:
            time.sleep(LOOK_EVERY_S)
            with self._lock:
                here = list(self._waiters.values())
                if not here:
                    self._watcher = None
                    return
            try:
                self.look(here)
                if time.monotonic() - rights_at >= RIGHTS_EVERY_S:
                    rights_at = time.monotonic()
                    self.look_at_rights(here)
            except (exc.DBAPIError, exc.TimeoutError) as error:
                log.warning("waiting room: database not available: %s", type(error).__name__)
            except Exception as error:
                # A watcher that dies would leave everybody waiting in vain, for ever.
                log.error("bug: %s in the waiting room", type(error).__name__)

    @as_house()
    def look(self, here: Iterable[Waiting]) -> None:
        """Wake those for whom there is something new."""
        here = list(here)
        scopes = {scope for waiting in here for scope in waiting.head.seen}
        with self.database.transaction(Mode.READ) as session:
            store = self.engine.store(session)
            epoch, versions = store.epoch(), store.versions(scopes)
        for waiting in here:
            if waiting.head.epoch != epoch:
                waiting.wake(Word.AGAIN)
                continue
            changed = moved(waiting.head.seen, versions)
            if changed:
                waiting.wake(json.dumps({"changed": changed}).encode())

    def look_at_rights(self, here: Iterable[Waiting]) -> None:
        """Ask again for those whose access was withdrawn, or whose posts are not what they were."""
        here, now = list(here), datetime.now(UTC)
        with self.database.transaction(Mode.READ) as session:
            posts = standing(session, {waiting.session_id for waiting in here}, now)
        for waiting in here:
            if not _stands(waiting, posts, round(now.timestamp() * 1000)):
                waiting.wake(Word.AGAIN)


def _stands(waiting: Waiting, posts: Mapping[str, tuple[Post, ...]], now_ms: int) -> bool:
    held = posts.get(waiting.session_id)
    return held is not None and waiting.posts == tuple(p for p in held if p.holds_at(now_ms))
