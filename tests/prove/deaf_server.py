"""A server with a planted bug: its watcher only sees what changes between two looks of its own."""

import time
from collections.abc import Iterable

from app.core.database import Mode
from app.core.door import Door
from app.core.span import as_house
from app.factory import create_app
from app.sync_api.waiting_room import Waiting, WaitingRoom

LATE_S = 2.0
_before: dict[str, int] = {}


def _look(room: WaitingRoom, here: Iterable[Waiting]) -> None:
    """Compare with the last look; a change before the first look of a scope is never seen."""
    scopes = {scope for waiting in here for scope in waiting.head.seen}
    time.sleep(LATE_S)
    with as_house(), room.database.transaction(Mode.READ) as session:
        versions = room.engine.store(session).versions(scopes)
    for waiting in here:
        fresh = [s for s in waiting.head.seen if _before.get(s, versions.get(s)) != versions.get(s)]
        if fresh:
            waiting.wake(b'{"changed": []}')
    _before.clear()
    _before.update(versions)


WaitingRoom.look = _look  # type: ignore[method-assign, assignment]
app = Door(create_app(), threads=64)
